"""Payouts at the payment port: Stripe's official client, through our adapter, against the strict fake over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from invoicing.gateways import ChargeWish, CheckoutWish, Movement, NewCustomer
from invoicing.gateways.fake import FakeStripe, balance, serve
from invoicing.gateways.stripe import StripeGateway, _movement, _payout
from panel.core.errors import ProviderError
from tests.support import bank as person

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAYS = 24 * 3600


@pytest.fixture
def bank() -> Iterator[FakeStripe]:
    running = serve("127.0.0.1", 0, None, "", "whsec_tests")
    running.control("clock", set=NOW.timestamp())
    yield running
    running.stop()


@pytest.fixture
def gateway(bank: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=bank.api_key, webhook_secret="whsec_tests", api_base=bank.base)


@pytest.fixture
def card(gateway: StripeGateway) -> tuple[str, str]:
    customer = gateway.create_customer(NewCustomer("ACC-1", "Camille", "camille@example.org"), key="cus-1")
    opened = gateway.start_checkout(CheckoutWish(customer, "http://127.0.0.1:9/", "http://127.0.0.1:9/", "x"), key="k")
    person.type_card(opened.url, person.GOOD)
    method = gateway.checkout(opened.ref).method
    assert method is not None
    return customer, method.ref


def charge(gateway: StripeGateway, card: tuple[str, str], cents: int) -> str:
    return gateway.charge(ChargeWish(cents, "eur", *card, "VPS", {}), key=f"c{cents}").ref


def paid_out(bank: FakeStripe) -> str:
    bank.control("clock", advance=2 * DAYS)
    ref = str(bank.control("payout")["payout"])
    bank.control("clock", advance=2 * DAYS)
    return ref


def moved(gateway: StripeGateway, ref: str) -> set[tuple[str, int, int, str]]:
    return {(one.kind, one.gross_cents, one.fee_cents, one.source) for one in gateway.movements(ref)}


def test_a_payout_is_its_movements_to_the_cent(bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str]) -> None:
    """1.5 % and 25 cents of a card payment; a refund gives no fee back; a dispute costs 20.00."""
    first, second = charge(gateway, card, 10_000), charge(gateway, card, 5_000)
    refund = gateway.refund(first, 1_000, metadata={}, key="r")
    dispute = str(bank.control("dispute", payment=second)["dispute"])
    ref = paid_out(bank)
    told = gateway.payout(ref)
    assert moved(gateway, ref) == {
        ("charge", 10_000, 175, first), ("charge", 5_000, 100, second), ("refund", -1_000, 0, refund.ref),
        ("dispute", -5_000, 2_000, dispute),
    }  # fmt: skip
    assert told.amount_cents == 9_000 - 2_275
    assert (told.state, told.itemised, told.settled, told.arrives_on) == ("paid", True, True, NOW.date() + timedelta(4))
    assert told.trace
    assert balance.held(bank.store) == 0
    bank.control("dispute", close=dispute, won=True)
    again = paid_out(bank)
    assert moved(gateway, again) == {("dispute", 5_000, 0, dispute)}
    assert [one.ref for one in gateway.list_payouts(NOW)] == [again, ref]
    assert [one.ref for one in gateway.list_payouts(told.at + timedelta(seconds=1))] == [again]


def test_what_is_not_available_yet_waits(bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str]) -> None:
    charge(gateway, card, 10_000)
    with pytest.raises(ValueError, match="nothing to pay out"):
        bank.control("payout")
    assert gateway._client.v1.balance.retrieve().pending[0].amount == 9_825


def test_the_parts_are_listed_once_they_are_known(
    bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str]
) -> None:
    charge(gateway, card, 10_000)
    bank.control("clock", advance=2 * DAYS)
    ref = str(bank.control("payout")["payout"])
    told = gateway.payout(ref)
    assert (told.state, told.itemised, told.settled) == ("moving", False, False)
    with pytest.raises(ProviderError):
        list(gateway.movements(ref))
    with pytest.raises(ProviderError):
        gateway.payout("po_nobody")


@pytest.mark.parametrize("arrived", [False, True])
def test_one_that_comes_back_is_in_the_next(
    bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str], arrived: bool
) -> None:
    charge(gateway, card, 10_000)
    bank.control("clock", advance=2 * DAYS)
    ref = str(bank.control("payout")["payout"])
    if arrived:
        bank.control("clock", advance=2 * DAYS)
    bank.control("payout", fail=ref)
    assert gateway.payout(ref).state == "failed"
    assert {one.kind for one in gateway.movements(ref)} == {"charge"}
    assert balance.held(bank.store) == 9_825
    assert moved(gateway, paid_out(bank)) == {("payout", 9_825, 0, ref)}
    with pytest.raises(ValueError, match="failed already"):
        bank.control("payout", fail=ref)


def test_messages_name_the_payout(bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str]) -> None:
    charge(gateway, card, 10_000)
    ref = paid_out(bank)
    bank.control("payout", fail=ref)
    told = [(one.kind, one.ref) for one in gateway.list_events(NOW) if one.about == "payout"]
    kinds = ("payout.created", "payout.paid", "payout.reconciliation_completed", "payout.failed")
    assert told == [(kind, ref) for kind in kinds]


def test_a_fee_of_its_own_and_what_has_no_name() -> None:
    body = {"id": "txn_1", "amount": -300, "fee": 0, "source": None, "created": int(NOW.timestamp())}
    fee = _movement({**body, "reporting_category": "fee"})
    assert fee == Movement("txn_1", "fee", 0, 300, "", NOW)
    other = _movement({**body, "reporting_category": "other_adjustment", "fee": 5})
    assert (other.kind, other.gross_cents, other.fee_cents) == ("other", -300, 5)


def test_one_made_by_hand_has_no_parts(bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str]) -> None:
    charge(gateway, card, 10_000)
    made = bank.store.get("payout", paid_out(bank))
    told = _payout({**made, "automatic": False, "reconciliation_status": "not_applicable", "status": "canceled"})
    assert (told.state, told.itemised, told.settled) == ("failed", False, True)


@pytest.mark.parametrize("cls", [stripe.Payout, stripe.BalanceTransaction])
def test_keys_are_stripes(bank: FakeStripe, gateway: StripeGateway, card: tuple[str, str], cls: type) -> None:
    charge(gateway, card, 10_000)
    paid_out(bank)
    known = {name for name in cls.__annotations__ if name != "OBJECT_NAME"}
    for thing in bank.store.where(cls.OBJECT_NAME):  # type: ignore[attr-defined]
        assert {key for key in thing if not key.startswith("_")} == known
