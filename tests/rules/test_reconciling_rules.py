"""Nothing is named on a healthy day; each fault that is put in is named, and nothing else (INV-11, INV-12)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.accounting import reconciling_rules as rules
from invoicing.accounting.reconciling_rules import (
    ChargeFact,
    Difference,
    DocumentFact,
    Facts,
    OrderFact,
    PaymentFact,
)


@dataclass
class Shop:
    """Facts by the number of a sale; `seeded` collects what was broken."""

    charges: dict[int, ChargeFact] = field(default_factory=dict)
    payments: dict[int, PaymentFact] = field(default_factory=dict)
    booked: dict[int, int] = field(default_factory=dict)
    documents: dict[int, DocumentFact] = field(default_factory=dict)
    orders: dict[int, OrderFact] = field(default_factory=dict)

    def facts(self) -> Facts:
        payments = [replace(one, booked=self.booked.get(n)) for n, one in self.payments.items()]
        astray = [(f"PAY-{n}", cents) for n, cents in self.booked.items() if n not in self.payments]
        there = {one.ref for one in self.charges.values() if one.succeeded}
        return Facts(there, iter(payments), iter(astray), iter(self.documents.values()), iter(self.orders.values()))

    def differences(self) -> list[Difference]:
        """Charges are told in two portions, each with the payments it names."""
        found, charges = rules.differences(self.facts()), list(self.charges.values())
        for some in (charges[::2], charges[1::2]):
            names = {one.payment for one in some}
            found += rules.of_charges(some, [one for one in self.payments.values() if one.reference in names])
        return found


def healthy(amounts: list[int]) -> Shop:
    made = Shop()
    for n, cents in enumerate(amounts):
        made.charges[n] = ChargeFact(f"pi_{n}", True, cents, payment=f"PAY-{n}")
        made.payments[n] = PaymentFact(f"PAY-{n}", f"pi_{n}", True, cents)
        made.booked[n] = cents
        made.documents[n] = DocumentFact(f"F-{n}", cents, cents, cents, cents)
        made.orders[n] = OrderFact(f"ORD-{n}", True, True)
    return made


def lose_payment(shop: Shop, n: int) -> set[tuple[str, str]]:
    del shop.payments[n], shop.booked[n]
    return {(rules.CHARGE_WITHOUT_PAYMENT, f"pi_{n}")}


def forget_success(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.payments[n] = replace(shop.payments[n], succeeded=False)
    del shop.booked[n]
    return {(rules.CHARGE_NOT_RECORDED, f"PAY-{n}")}


def lose_charge(shop: Shop, n: int) -> set[tuple[str, str]]:
    del shop.charges[n]
    return {(rules.PAYMENT_WITHOUT_CHARGE, f"PAY-{n}")}


def other_amount(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.charges[n] = replace(shop.charges[n], cents=shop.charges[n].cents + 1)
    return {(rules.AMOUNT_DIFFERS, f"PAY-{n}")}


def refund_there(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.charges[n] = replace(shop.charges[n], refunded=1)
    return {(rules.REFUND_DIFFERS, f"PAY-{n}")}


def refund_here(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.payments[n] = replace(shop.payments[n], refunds_sent=1, refunds_asked=1)
    return {(rules.REFUND_DIFFERS, f"PAY-{n}")}


def lose_entry(shop: Shop, n: int) -> set[tuple[str, str]]:
    del shop.booked[n]
    return {(rules.PAYMENT_NOT_BOOKED, f"PAY-{n}")}


def lose_all_but_the_entry(shop: Shop, n: int) -> set[tuple[str, str]]:
    del shop.payments[n], shop.charges[n]
    return {(rules.BOOKED_WITHOUT_PAYMENT, f"PAY-{n}")}


def lose_the_invoices_entry(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.documents[n] = replace(shop.documents[n], booked=None)
    return {(rules.DOCUMENT_NOT_BOOKED, f"F-{n}")}


def lose_settlement(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.documents[n] = replace(shop.documents[n], settled=0)
    return {(rules.SETTLEMENT_DIFFERS, f"F-{n}")}


def deliver_nothing(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.orders[n] = replace(shop.orders[n], delivered=False)
    return {(rules.PAID_UNPROVISIONED, f"ORD-{n}")}


def deliver_unpaid(shop: Shop, n: int) -> set[tuple[str, str]]:
    shop.orders[n] = replace(shop.orders[n], paid=False)
    return {(rules.PROVISIONED_UNPAID, f"ORD-{n}")}


Fault = Callable[[Shop, int], set[tuple[str, str]]]
FAULTS: list[Fault] = [
    lose_payment, forget_success, lose_charge, other_amount, refund_there, refund_here, lose_entry,
    lose_all_but_the_entry, lose_the_invoices_entry, lose_settlement, deliver_nothing, deliver_unpaid,
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(amounts=st.lists(st.integers(1, 10**6), min_size=1, max_size=12), data=st.data())
def test_each_fault_is_named_and_nothing_else(amounts: list[int], data: st.DataObject) -> None:
    shop = healthy(amounts)
    assert shop.differences() == []
    expected: set[tuple[str, str]] = set()
    for n in range(len(amounts)):
        fault = data.draw(st.sampled_from([None, *FAULTS]))
        if fault is not None:
            expected |= fault(shop, n)
    found = [(one.kind, one.ref) for one in shop.differences()]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_every_kind_of_difference_has_a_fault() -> None:
    shop = healthy([100] * len(FAULTS))
    kinds = {kind for n, fault in enumerate(FAULTS) for kind, _ in fault(shop, n)}
    assert kinds == set(rules.KINDS) - set(rules.OF_PAYOUTS), "those have their own rules"


def test_what_is_young_or_on_its_way_is_no_difference() -> None:
    young = PaymentFact("PAY-1", "", False, 100, young=True)
    on_its_way = PaymentFact("PAY-2", "pi_2", True, 100, refunds_sent=0, refunds_asked=40)
    charges = [ChargeFact("pi_1", True, 100, payment="PAY-1"), ChargeFact("pi_2", True, 100, refunded=40)]
    assert rules.of_charges(charges, [young, on_its_way]) == []
    payments = [replace(one, booked=100) for one in (young, on_its_way)]
    assert rules.differences(Facts({"pi_1", "pi_2"}, payments)) == []


def test_of_what_is_older_than_the_time_only_a_refund_that_is_stuck_is_told() -> None:
    old = PaymentFact("PAY-1", "pi_1", True, 100, refunds_stuck=40, old=True)
    assert rules.differences(Facts(set(), [old])) == [Difference(rules.REFUND_DIFFERS, "PAY-1", 40, 0)]


def test_without_the_provider_the_rest_is_still_compared() -> None:
    shop = healthy([100, 100])
    lose_charge(shop, 0)
    lose_entry(shop, 1)
    facts = replace(shop.facts(), there=None)
    assert [one.kind for one in rules.differences(facts)] == [rules.PAYMENT_NOT_BOOKED]
