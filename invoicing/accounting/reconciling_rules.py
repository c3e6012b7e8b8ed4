"""The same money seen four times (INV-11, INV-12): at the provider, in the books, on the invoices, in the services.

Facts in, differences out. Pure. What is only just under way is no difference yet: the caller leaves it out. Facts may
come one after the other: none but the names of the provider's charges has to be there beside another.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from panel.core.money import Cents

CHARGE_WITHOUT_PAYMENT = "charge_without_payment"
CHARGE_NOT_RECORDED = "charge_not_recorded"
PAYMENT_WITHOUT_CHARGE = "payment_without_charge"
AMOUNT_DIFFERS = "amount_differs"
REFUND_DIFFERS = "refund_differs"
PAYMENT_NOT_BOOKED = "payment_not_booked"
BOOKED_WITHOUT_PAYMENT = "booked_without_payment"
DOCUMENT_NOT_BOOKED = "document_not_booked"
SETTLEMENT_DIFFERS = "settlement_differs"
PAID_UNPROVISIONED = "paid_unprovisioned"
PROVISIONED_UNPAID = "provisioned_unpaid"
RECEIVABLES_DIFFER = "receivables_differ"
FUNDS_DIFFER = "funds_differ"
PAYOUT_NOT_BOOKED = "payout_not_booked"
PAYOUT_DIFFERS = "payout_differs"
PAYOUT_LINE_UNKNOWN = "payout_line_unknown"
PAYOUT_LINE_DIFFERS = "payout_line_differs"
OF_PAYOUTS = (PAYOUT_NOT_BOOKED, PAYOUT_DIFFERS, PAYOUT_LINE_UNKNOWN, PAYOUT_LINE_DIFFERS)
KINDS = (
    CHARGE_WITHOUT_PAYMENT, CHARGE_NOT_RECORDED, PAYMENT_WITHOUT_CHARGE, AMOUNT_DIFFERS, REFUND_DIFFERS,
    PAYMENT_NOT_BOOKED, BOOKED_WITHOUT_PAYMENT, DOCUMENT_NOT_BOOKED, SETTLEMENT_DIFFERS, PAID_UNPROVISIONED,
    PROVISIONED_UNPAID, *OF_PAYOUTS,
)  # fmt: skip
OF_BALANCES = (RECEIVABLES_DIFFER, FUNDS_DIFFER)


@dataclass(frozen=True, slots=True)
class Difference:
    """`ref` names the thing; what we expected and what was found, in cents, where the difference is one of amounts."""

    kind: str
    ref: str
    expected: Cents | None = None
    found: Cents | None = None


@dataclass(frozen=True, slots=True)
class ChargeFact:
    """A payment at the provider; `payment` is our reference that it carries, if any."""

    ref: str
    succeeded: bool
    cents: Cents
    refunded: Cents = 0
    payment: str = ""


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A payment here; `refunds_sent` at least are refunded at the provider, `refunds_asked` at most; `refunds_stuck`
    were decided long ago and never sent; `booked` are the cents of its entry, None without one. A `young` one may still
    be under way: it is known, but not judged. Of an `old` one, from before the time that is compared, nothing is judged
    but its refunds. Not `at_provider`: collected by a file of our own."""

    reference: str
    provider_ref: str
    succeeded: bool
    cents: Cents
    refunds_sent: Cents = 0
    refunds_asked: Cents = 0
    refunds_stuck: Cents = 0
    booked: Cents | None = None
    young: bool = False
    old: bool = False
    at_provider: bool = True


@dataclass(frozen=True, slots=True)
class DocumentFact:
    """An invoice or credit note; `booked` is what its entry asks of the customer (None: no entry)."""

    number: str
    cents: Cents
    booked: Cents | None
    paid: Cents = 0
    settled: Cents = 0


@dataclass(frozen=True, slots=True)
class OrderFact:
    """An order; `delivered`: what it paid for is there."""

    reference: str
    paid: bool
    delivered: bool


@dataclass(frozen=True, slots=True)
class PayoutFact:
    """A payout at the provider that is no longer on its way: its state there, and here ("" unknown)."""

    ref: str
    cents: Cents
    there: str
    here: str = ""


@dataclass(frozen=True, slots=True)
class PaidOutFact:
    """A payout that is booked; `parts` is what its lines come to."""

    ref: str
    cents: Cents
    parts: Cents


@dataclass(frozen=True, slots=True)
class MovedFact:
    """What the provider's balance moved because of one of its things, in all payouts, and what of it the books may
    have by now (None: they do not know it). What came back may be in the next payout."""

    source: str
    cents: Cents
    may: frozenset[Cents] | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is compared but the charges themselves (`of_charges`). `there`: the names of those that
    succeeded, None where the provider was not asked; `astray`: entries of payments that are not there, and their
    cents."""

    there: Container[str] | None = None
    payments: Iterable[PaymentFact] = ()
    astray: Iterable[tuple[str, Cents]] = ()
    documents: Iterable[DocumentFact] = ()
    orders: Iterable[OrderFact] = ()
    payouts: Iterable[PayoutFact] = ()
    paid_out: Iterable[PaidOutFact] = ()
    moved: Iterable[MovedFact] = ()


def differences(facts: Facts) -> list[Difference]:
    """Each difference, named; none on a healthy day."""
    found = [one for payment in facts.payments for one in _of_payment(payment, facts.there)]
    found += [Difference(BOOKED_WITHOUT_PAYMENT, reference, 0, cents) for reference, cents in facts.astray]
    return found + _documents(facts.documents) + _services(facts.orders) + _payouts(facts)


def of_charges(charges: Iterable[ChargeFact], payments: Iterable[PaymentFact]) -> list[Difference]:
    """The differences of some charges; `payments` are all that they name."""
    known: dict[str, PaymentFact] = {}
    for one in payments:
        known |= {one.reference: one} | ({one.provider_ref: one} if one.provider_ref else {})
    found = []
    for charge in charges:
        payment = known.get(charge.ref) or known.get(charge.payment)
        if not charge.succeeded or (payment is not None and payment.young):
            continue
        if payment is None:
            found.append(Difference(CHARGE_WITHOUT_PAYMENT, charge.ref, 0, charge.cents))
        elif not payment.succeeded:
            found.append(Difference(CHARGE_NOT_RECORDED, payment.reference, 0, charge.cents))
        elif payment.cents != charge.cents:
            found.append(Difference(AMOUNT_DIFFERS, payment.reference, payment.cents, charge.cents))
        elif not payment.refunds_sent <= charge.refunded <= payment.refunds_asked:
            found.append(Difference(REFUND_DIFFERS, payment.reference, payment.refunds_sent, charge.refunded))
    return found


def _of_payment(one: PaymentFact, there: Container[str] | None) -> Iterator[Difference]:
    if one.refunds_stuck:
        yield Difference(REFUND_DIFFERS, one.reference, one.refunds_stuck, 0)
    if one.young or one.old:
        return
    if one.succeeded and one.at_provider and there is not None and one.provider_ref not in there:
        yield Difference(PAYMENT_WITHOUT_CHARGE, one.reference, one.cents, 0)
    if one.succeeded and one.booked != one.cents:
        yield Difference(PAYMENT_NOT_BOOKED, one.reference, one.cents, one.booked or 0)
    if not one.succeeded and one.booked is not None:
        yield Difference(BOOKED_WITHOUT_PAYMENT, one.reference, 0, one.booked)


def _documents(documents: Iterable[DocumentFact]) -> list[Difference]:
    found = []
    for one in documents:
        if (one.booked or 0) != one.cents:
            found.append(Difference(DOCUMENT_NOT_BOOKED, one.number, one.cents, one.booked or 0))
        if one.paid != one.settled:
            found.append(Difference(SETTLEMENT_DIFFERS, one.number, one.paid, one.settled))
    return found


def _services(orders: Iterable[OrderFact]) -> list[Difference]:
    found = []
    for order in orders:
        if order.paid and not order.delivered:
            found.append(Difference(PAID_UNPROVISIONED, order.reference))
        if order.delivered and not order.paid:
            found.append(Difference(PROVISIONED_UNPAID, order.reference))
    return found


def _payouts(facts: Facts) -> list[Difference]:
    found = [
        Difference(PAYOUT_NOT_BOOKED, one.ref, one.cents, 0) for one in facts.payouts if one.there != one.here
    ]  # fmt: skip
    found += [
        Difference(PAYOUT_DIFFERS, one.ref, one.cents, one.parts) for one in facts.paid_out if one.cents != one.parts
    ]
    for moved in facts.moved:
        if moved.may is None and moved.cents:
            found.append(Difference(PAYOUT_LINE_UNKNOWN, moved.source, 0, moved.cents))
        elif moved.may is not None and moved.cents not in moved.may:
            found.append(Difference(PAYOUT_LINE_DIFFERS, moved.source, max(moved.may, key=abs, default=0), moved.cents))
    return found


def uneven(one: Mapping[int, Cents], other: Mapping[int, Cents]) -> set[int]:
    """The accounts about which two sums by account disagree; one that stands in neither, or with nothing, agrees."""
    return {key for key in one.keys() | other.keys() if one.get(key, 0) != other.get(key, 0)}
