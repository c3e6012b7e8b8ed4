"""The payment port: Stripe's official client, through our adapter, against the strict fake over real HTTP."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from invoicing import gateways
from invoicing.gateways import ChargeWish, CheckoutWish, NewCustomer, SignatureRefused
from invoicing.gateways.fake import FakeStripe, serve
from invoicing.gateways.fake.server import sign
from invoicing.gateways.stripe import StripeGateway
from panel.core.errors import ProviderError
from tests.support import bank as person

SECRET = "whsec_tests"
SHOP = "http://127.0.0.1:9/orders/1/"


@pytest.fixture
def bank() -> Iterator[FakeStripe]:
    running = serve("127.0.0.1", 0, None, "", SECRET)
    yield running
    running.stop()


@pytest.fixture
def gateway(bank: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=bank.api_key, webhook_secret=SECRET, api_base=bank.base)


@pytest.fixture
def customer(gateway: StripeGateway) -> str:
    return gateway.create_customer(NewCustomer("ACC-1", "Camille Martin", "camille@example.org"), key="cus-1")


def page(
    gateway: StripeGateway, customer: str, *, cents: int | None = 1200, keep: bool = False, key: str = "p1"
) -> gateways.Checkout:
    wish = CheckoutWish(customer, SHOP + "?back=1", SHOP, "VPS S", cents, keep=keep, metadata={"payment": key})
    return gateway.start_checkout(wish, key=key)


def kept_card(gateway: StripeGateway, customer: str, number: str) -> str:
    """The name of a card that the customer kept at the provider's page."""
    opened = page(gateway, customer, cents=None, key=f"keep-{number}")
    target = person.type_card(opened.url, number)
    if "/3ds/" in target:
        person.answer_challenge(target)
    method = gateway.checkout(opened.ref).method
    assert method is not None
    return method.ref


def wish(customer: str, method: str, cents: int = 990, payment: str = "p9") -> ChargeWish:
    return ChargeWish(cents, "eur", customer, method, "Renewal", {"payment": payment})


class TestPageOfTheProvider:
    def test_a_good_card_pays(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer)
        assert opened.state == "open"
        assert person.type_card(opened.url, person.GOOD) == SHOP + "?back=1"
        done = gateway.checkout(opened.ref)
        assert done.state == "complete"
        assert done.charge is not None
        assert (done.charge.state, done.charge.amount_cents, done.charge.currency) == ("succeeded", 1200, "eur")
        assert done.charge.metadata == {"payment": "p1"}
        assert done.method is None, "a card that nobody asked to keep is not kept"

    def test_the_card_is_kept_on_wish_and_charged_later_in_absence(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer, keep=True)
        person.type_card(opened.url, person.GOOD)
        kept = gateway.checkout(opened.ref).method
        assert kept is not None
        assert (kept.kind, kept.brand, kept.last4, kept.exp_year) == ("card", "visa", "4242", 2034)
        assert gateway.charge(wish(customer, kept.ref), key="c1").state == "succeeded"

    def test_a_refusal_is_told_and_after_closing_nobody_can_pay(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer)
        assert "problem=insufficient_funds" in person.type_card(opened.url, person.POOR)
        standing = gateway.checkout(opened.ref)
        assert standing.state == "open"
        assert standing.charge is not None
        assert (standing.charge.state, standing.charge.decline_code) == ("failed", "insufficient_funds")
        assert gateway.close_checkout(opened.ref).state == "expired"
        person.type_card(opened.url, person.GOOD)
        after = gateway.checkout(opened.ref).charge
        assert after is not None
        assert after.state == "cancelled"

    def test_closing_a_page_where_somebody_paid_leaves_the_payment(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer)
        person.type_card(opened.url, person.GOOD)
        closed = gateway.close_checkout(opened.ref)
        assert closed.state == "complete"
        assert closed.charge is not None
        assert closed.charge.state == "succeeded"

    def test_closing_twice_is_no_error(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer)
        assert gateway.close_checkout(opened.ref).state == gateway.close_checkout(opened.ref).state == "expired"

    def test_second_attempt_with_another_card_pays_the_same_payment(
        self, gateway: StripeGateway, customer: str
    ) -> None:
        opened = page(gateway, customer)
        person.type_card(opened.url, person.DECLINED)
        first = gateway.checkout(opened.ref).charge
        person.type_card(opened.url, person.GOOD)
        second = gateway.checkout(opened.ref).charge
        assert first is not None
        assert second is not None
        assert (first.ref, first.state, second.state) == (second.ref, "failed", "succeeded")

    @pytest.mark.parametrize(("answer", "state"), [("authorise", "succeeded"), ("refuse", "failed")])
    def test_3d_secure(self, gateway: StripeGateway, customer: str, answer: str, state: str) -> None:
        opened = page(gateway, customer)
        challenge = person.type_card(opened.url, person.SECURE)
        waiting = gateway.checkout(opened.ref).charge
        assert waiting is not None
        assert (waiting.state, waiting.action_url) == ("requires_action", challenge)
        end = person.answer_challenge(challenge, answer)
        done = gateway.checkout(opened.ref)
        assert done.charge is not None
        assert done.charge.state == state
        if state == "succeeded":
            assert (end, done.state) == (SHOP + "?back=1", "complete")
        else:
            assert "problem=authentication_failure" in end
            assert (done.state, done.charge.decline_code) == ("open", "payment_intent_authentication_failure")

    def test_3d_secure_and_then_no_money(self, gateway: StripeGateway, customer: str) -> None:
        opened = page(gateway, customer)
        person.answer_challenge(person.type_card(opened.url, person.SECURE_THEN_POOR))
        charge = gateway.checkout(opened.ref).charge
        assert charge is not None
        assert (charge.state, charge.decline_code) == ("failed", "insufficient_funds")


class TestChargeInAbsence:
    def test_a_refusal_is_an_answer(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.DECLINES_LATER)
        charge = gateway.charge(wish(customer, card), key="c1")
        assert (charge.state, charge.decline_code) == ("failed", "generic_decline")
        assert gateway.retrieve(charge.ref).state == "failed"

    def test_a_bank_that_wants_to_see_the_person(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.SECURE)
        charge = gateway.charge(wish(customer, card), key="c1")
        assert (charge.state, charge.decline_code) == ("failed", "authentication_required")

    def test_a_card_authenticated_when_it_was_kept(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.SECURE_ONCE)
        assert gateway.charge(wish(customer, card), key="c1").state == "succeeded"

    def test_a_card_expires_by_the_providers_clock(
        self, bank: FakeStripe, gateway: StripeGateway, customer: str
    ) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        bank.control("clock", set=datetime(2035, 1, 1, tzinfo=UTC).timestamp())
        charge = gateway.charge(wish(customer, card), key="c1")
        assert (charge.state, charge.decline_code) == ("failed", "expired_card")

    def test_a_forgotten_card_cannot_be_charged(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        gateway.forget_method(card)
        gateway.forget_method(card)
        with pytest.raises(ProviderError) as refused:
            gateway.charge(wish(customer, card), key="c1")
        assert refused.value.permanent

    def test_somebody_elses_card_cannot_be_charged(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        other = gateway.create_customer(NewCustomer("ACC-2", "Other", "o@example.org"), key="cus-2")
        with pytest.raises(ProviderError):
            gateway.charge(wish(other, card), key="c1")

    def test_find_says_whether_it_happened(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        assert gateway.find(customer, {"payment": "p9"}) is None
        made = gateway.charge(wish(customer, card), key="c1")
        found = gateway.find(customer, {"payment": "p9"})
        assert found is not None
        assert found.ref == made.ref
        assert gateway.find(customer, {"payment": "p8"}) is None

    def test_a_direct_debit_is_with_the_bank_for_days(
        self, bank: FakeStripe, gateway: StripeGateway, customer: str
    ) -> None:
        states = {}
        for iban in ("DE89370400440532013000", "DE62370400440532013001"):
            made = gateway._client.v1.payment_methods.create(
                {
                    "type": "sepa_debit",
                    "sepa_debit": {"iban": iban},
                    "billing_details": {"name": "C", "email": "c@d.fr"},
                }
            )
            gateway._client.v1.payment_methods.attach(made.id, {"customer": customer})
            states[iban] = gateway.charge(wish(customer, made.id, payment=iban), key=iban)
        assert {charge.state for charge in states.values()} == {"processing"}
        bank.control("clock", advance=3 * 24 * 3600)
        assert [gateway.retrieve(charge.ref).state for charge in states.values()] == ["succeeded", "failed"]


class TestIdempotency:
    def test_a_lost_answer_and_its_retry_are_one_charge(
        self, bank: FakeStripe, gateway: StripeGateway, customer: str
    ) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        bank.control("mischief", kind="drop", path="/v1/payment_intents")
        with pytest.raises(ProviderError) as lost:
            gateway.charge(wish(customer, card), key="c1")
        assert not lost.value.permanent
        already = gateway.find(customer, {"payment": "p9"})
        again = gateway.charge(wish(customer, card), key="c1")
        assert already is not None
        assert (again.ref, again.state) == (already.ref, "succeeded")
        assert len(bank.store.where("charge")) == 1

    def test_the_same_key_with_another_wish_is_refused(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        gateway.charge(wish(customer, card), key="c1")
        with pytest.raises(ProviderError) as refused:
            gateway.charge(wish(customer, card, cents=991), key="c1")
        assert (refused.value.permanent, refused.value.code) == (True, "idempotency")

    def test_a_refusal_is_repeated_too(self, bank: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.DECLINES_LATER)
        refs = {gateway.charge(wish(customer, card), key="c1").ref for _ in range(3)}
        assert len(refs) == len(bank.store.where("charge")) == 1

    def test_a_key_in_use_is_a_passing_trouble(self, bank: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        bank.control("mischief", kind="slow", path="/v1/payment_intents", value=1.0)
        first = threading.Thread(target=gateway.charge, args=(wish(customer, card),), kwargs={"key": "c1"})
        first.start()
        time.sleep(0.3)
        with pytest.raises(ProviderError) as busy:
            gateway.charge(wish(customer, card), key="c1")
        first.join()
        assert (busy.value.permanent, busy.value.code) == (False, "idempotency_key_in_use")
        assert gateway.charge(wish(customer, card), key="c1").state == "succeeded"
        assert len(bank.store.where("charge")) == 1

    def test_twenty_at_once_with_one_key_are_one_charge(
        self, bank: FakeStripe, gateway: StripeGateway, customer: str
    ) -> None:
        card = kept_card(gateway, customer, person.GOOD)

        def attempt(_: int) -> str:
            try:
                return gateway.charge(wish(customer, card), key="c1").ref
            except ProviderError as busy:
                return "broken" if busy.permanent else ""

        with ThreadPoolExecutor(20) as crowd:
            refs = set(crowd.map(attempt, range(20))) - {""}
        assert len(refs) == len(bank.store.where("charge")) == 1

    def test_keys_are_forgotten_after_a_day_so_find_must_be_asked(
        self, bank: FakeStripe, gateway: StripeGateway, customer: str
    ) -> None:
        card = kept_card(gateway, customer, person.GOOD)
        first = gateway.charge(wish(customer, card), key="c1")
        bank.control("clock", advance=24 * 3600 + 1)
        assert gateway.charge(wish(customer, card), key="c1").ref != first.ref

    def test_troubles_of_the_provider_pass(self, bank: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        for status in (500, 503, 429):
            bank.control("mischief", kind="fail", path="/v1/payment_intents", value=status)
            with pytest.raises(ProviderError) as trouble:
                gateway.find(customer, {})
            assert not trouble.value.permanent, status


class TestRefunds:
    @pytest.fixture
    def paid(self, gateway: StripeGateway, customer: str) -> str:
        return gateway.charge(wish(customer, kept_card(gateway, customer, person.GOOD), cents=1000), key="c1").ref

    def test_in_parts_up_to_the_payment_and_no_cent_more(self, gateway: StripeGateway, paid: str) -> None:
        for part in (300, 700):
            assert gateway.refund(paid, part, metadata={"refund": str(part)}, key=f"r{part}").state == "succeeded"
        assert gateway.retrieve(paid).refunded_cents == 1000
        with pytest.raises(ProviderError) as refused:
            gateway.refund(paid, 1, metadata={}, key="r1")
        assert (refused.value.permanent, refused.value.code) == (True, "charge_already_refunded")
        found = gateway.find_refund(paid, {"refund": "300"})
        assert found is not None
        assert (found.amount_cents, found.payment) == (300, paid)

    def test_more_than_is_left(self, gateway: StripeGateway, paid: str) -> None:
        gateway.refund(paid, 600, metadata={}, key="r1")
        with pytest.raises(ProviderError, match="greater than unrefunded amount"):
            gateway.refund(paid, 401, metadata={}, key="r2")
        assert gateway.retrieve(paid).refunded_cents == 600

    def test_a_crowd_of_refunds_never_exceeds_the_payment(self, gateway: StripeGateway, paid: str) -> None:
        def attempt(number: int) -> int:
            try:
                return gateway.refund(paid, 300, metadata={}, key=f"r{number}").amount_cents
            except ProviderError:
                return 0

        with ThreadPoolExecutor(10) as crowd:
            assert sum(crowd.map(attempt, range(10))) == 900

    def test_a_refund_that_comes_back(self, bank: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        paid = gateway.charge(wish(customer, kept_card(gateway, customer, person.REFUND_FAILS)), key="c1").ref
        assert gateway.refund(paid, 990, metadata={"refund": "1"}, key="r1").state == "pending"
        bank.control("clock", advance=61)
        found = gateway.find_refund(paid, {"refund": "1"})
        assert found is not None
        assert found.state == "failed"
        assert gateway.retrieve(paid).refunded_cents == 0

    def test_nothing_is_refunded_of_a_refused_payment(self, gateway: StripeGateway, customer: str) -> None:
        card = kept_card(gateway, customer, person.DECLINES_LATER)
        refused = gateway.charge(wish(customer, card), key="c1")
        with pytest.raises(ProviderError) as problem:
            gateway.refund(refused.ref, 1, metadata={}, key="r1")
        assert problem.value.permanent


NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BODY = (
    b'{"id": "evt_1", "type": "payment_intent.succeeded", "created": 1795341600, "data": {"object": '
    b'{"id": "pi_1", "object": "payment_intent", "metadata": {"payment": "p1"}}}}'
)


def door(secret: str = SECRET) -> StripeGateway:
    return StripeGateway(api_key="sk_test_x", webhook_secret=secret, api_base="http://127.0.0.1:9")


class TestSignature:
    def test_a_good_one(self) -> None:
        event = door().parse_webhook(BODY, {"Stripe-Signature": sign(BODY, SECRET, NOW.timestamp())}, now=NOW)
        assert (event.id, event.about, event.payment) == ("evt_1", "payment", "pi_1")
        assert (event.metadata, event.raw) == ({"payment": "p1"}, BODY)

    @pytest.mark.parametrize("seconds", [-300, 300])
    def test_at_the_edge_of_the_tolerance(self, seconds: int) -> None:
        header = sign(BODY, SECRET, NOW.timestamp() + seconds)
        assert door().parse_webhook(BODY, {"stripe-signature": header}, now=NOW).id == "evt_1"

    @pytest.mark.parametrize("seconds", [-301, 301, -86400])
    def test_too_old_or_from_the_future(self, seconds: int) -> None:
        header = sign(BODY, SECRET, NOW.timestamp() + seconds)
        with pytest.raises(SignatureRefused):
            door().parse_webhook(BODY, {"Stripe-Signature": header}, now=NOW)

    @pytest.mark.parametrize(
        "header",
        ["", "t=1", "v1=00", "t=x,v1=00", "nonsense", sign(BODY, "whsec_other", NOW.timestamp()),
         sign(BODY + b" ", SECRET, NOW.timestamp()), sign(BODY, SECRET, NOW.timestamp()).replace("v1", "v0")],
    )  # fmt: skip
    def test_a_wrong_one(self, header: str) -> None:
        with pytest.raises(SignatureRefused):
            door().parse_webhook(BODY, {"Stripe-Signature": header}, now=NOW)

    def test_none_at_all(self) -> None:
        with pytest.raises(SignatureRefused):
            door().parse_webhook(BODY, {}, now=NOW)

    @pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": 1}', b"not json", b"\xff\xfe"])
    def test_signed_nonsense(self, body: bytes) -> None:
        with pytest.raises(SignatureRefused):
            door().parse_webhook(body, {"Stripe-Signature": sign(body, SECRET, NOW.timestamp())}, now=NOW)

    @pytest.mark.parametrize("secret", ["", " ", "\n"])
    def test_an_empty_secret_is_refused_before_anything_starts(self, secret: str) -> None:
        with pytest.raises(ValueError, match="secret"):
            door(secret)
        given = {"kind": "stripe", "api_key": "sk_test_x", "webhook_secret": secret}
        assert any("webhook_secret" in text for text in gateways.problems(given))

    def test_the_settings_are_checked(self, settings: object) -> None:
        settings.CLAUSE_GATEWAY = {"kind": "stripe", "api_key": "sk_test_x"}  # type: ignore[attr-defined]
        assert [found.id for found in gateways.check_settings()] == ["invoicing.E001"]
        with pytest.raises(ValueError, match="webhook_secret"):
            gateways.get()
        good = {"kind": "stripe", "api_key": "k", "webhook_secret": "s"}
        assert gateways.problems(good) == []
        assert gateways.problems({**good, "kind": "paypal"})
        assert gateways.problems({**good, "api_base": "http://api.example.com"})


class TestEvents:
    def test_listed_oldest_first_over_many_pages(self, gateway: StripeGateway) -> None:
        since = datetime.now(UTC) - timedelta(minutes=1)
        for number in range(130):
            gateway.create_customer(NewCustomer(str(number), "A", "a@example.org"), key=f"many-{number}")
        events = list(gateway.list_events(since))
        assert len(events) == 130
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert len({event.id for event in events}) == 130

    def test_since_is_respected(self, bank: FakeStripe, gateway: StripeGateway, customer: str) -> None:
        bank.control("clock", advance=3600)
        later = datetime.fromtimestamp(bank.store.now(), UTC)
        assert list(gateway.list_events(later)) == []
        kept_card(gateway, customer, person.GOOD)
        assert {event.about for event in gateway.list_events(later)} == {"setup", "checkout", "other"}
