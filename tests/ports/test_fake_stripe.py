"""The fake is as strict as the thing it stands for: what it refuses, what its objects look like, what it remembers."""

import os
import signal
import subprocess
import sys
import time
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from invoicing.gateways.fake import FakeStripe, serve
from tests.support import bank as person

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bank() -> Iterator[FakeStripe]:
    running = serve("127.0.0.1", 0, None, "", "whsec_tests")
    yield running
    running.stop()


@pytest.fixture
def client(bank: FakeStripe) -> stripe.StripeClient:
    return stripe.StripeClient(bank.api_key, base_addresses={"api": bank.base}, max_network_retries=0)


def call(bank: FakeStripe, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    given = {
        "Authorization": f"Bearer {bank.api_key}",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    method = "GET" if form is None else "POST"
    answer = requests.request(method, bank.base + path, data=form, headers=given, timeout=10)
    return answer.status_code, answer.json()


INTENT = {"amount": "1000", "currency": "eur"}
MISSING_LINES = ("parameter_missing", "line_items")


class TestWhoMayCall:
    @pytest.mark.parametrize("header", ["", "Bearer ", "Bearer sk_test_other", "Bearer sk_live_clause", "Basic c2s6"])
    def test_only_the_key(self, bank: FakeStripe, header: str) -> None:
        status, body = call(bank, "/v1/customers", {}, Authorization=header)
        assert status == 401
        assert body["error"]["type"] == "invalid_request_error"
        assert bank.api_key not in str(body)

    def test_the_control_side_too(self, bank: FakeStripe) -> None:
        assert call(bank, "/_control/reset", {}, Authorization="Bearer wrong")[0] == 401
        with pytest.raises(ValueError, match="Unknown mischief"):
            bank.control("mischief", kind="explode")
        with pytest.raises(ValueError, match="Unknown weather"):
            bank.control("weather", snow=1)

    def test_only_the_version_it_speaks(self, bank: FakeStripe) -> None:
        status, body = call(bank, "/v1/customers", Stripe_Version="2020-08-27")
        assert (status, "version" in body["error"]["message"]) == (400, True)

    @pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/customers/cus_1/nonsense", "/", "/v2/customers"])
    def test_unknown_addresses(self, bank: FakeStripe, path: str) -> None:
        status, body = call(bank, path)
        assert (status, "Unrecognized request URL" in body["error"]["message"]) == (404, True)

    def test_bodies_are_forms(self, bank: FakeStripe) -> None:
        headers = {"Authorization": f"Bearer {bank.api_key}", "Content-Type": "application/json"}
        answer = requests.post(bank.base + "/v1/customers", data="{}", headers=headers, timeout=10)
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("host", "secret", "key"),
        [("192.0.2.1", "s", "sk_test_1"), ("127.0.0.1", " ", "sk_test_1"), ("127.0.0.1", "s", "sk_live_1")],
    )
    def test_it_starts_only_on_loopback_with_a_secret_and_a_test_key(self, host: str, secret: str, key: str) -> None:
        with pytest.raises(ValueError, match="simulated"):
            serve(host, 0, None, "", secret, api_key=key)


class TestParameters:
    @pytest.mark.parametrize(
        ("path", "form", "code", "param"),
        [
            ("/v1/payment_intents", {"currency": "eur"}, "parameter_missing", "amount"),
            ("/v1/payment_intents", {**INTENT, "amount": "10.5"}, "parameter_invalid_integer", "amount"),
            ("/v1/payment_intents", {**INTENT, "amount": "1e3"}, "parameter_invalid_integer", "amount"),
            ("/v1/payment_intents", {**INTENT, "amount": "-1000"}, "amount_too_small", "amount"),
            ("/v1/payment_intents", {**INTENT, "amount": "49"}, "amount_too_small", "amount"),
            ("/v1/payment_intents", {**INTENT, "amount": "100000000"}, "parameter_invalid_integer", "amount"),
            ("/v1/payment_intents", {**INTENT, "currency": "xyz"}, None, "currency"),
            ("/v1/payment_intents", {**INTENT, "colour": "red"}, "parameter_unknown", "colour"),
            ("/v1/payment_intents", {**INTENT, "metadata[a][b]": "1"}, None, "metadata"),
            ("/v1/payment_intents", {**INTENT, "metadata": "x"}, None, "metadata"),
            ("/v1/payment_intents", {**INTENT, "metadata[" + "k" * 41 + "]": "1"}, None, "metadata[" + "k" * 41 + "]"),
            ("/v1/payment_intents", {**INTENT, "confirm": "yes"}, None, "confirm"),
            ("/v1/payment_intents", {**INTENT, "description": ""}, "parameter_invalid_empty", "description"),
            ("/v1/payment_intents", {**INTENT, "customer": "cus_none"}, "resource_missing", "customer"),
            ("/v1/payment_intents", {**INTENT, "payment_method": "pm_none"}, "resource_missing", "payment_method"),
            ("/v1/payment_intents", {**INTENT, "off_session": "true"}, None, "off_session"),
            ("/v1/payment_intents", {**INTENT, "expand[0]": "secrets"}, None, "expand"),
            ("/v1/checkout/sessions", {"mode": "subscription", "success_url": "http://a"}, None, "mode"),
            ("/v1/checkout/sessions", {"mode": "payment", "success_url": "http://a"}, *MISSING_LINES),
            ("/v1/checkout/sessions", {"mode": "payment", "success_url": "ftp:"}, "url_invalid", "success_url"),
            ("/v1/checkout/sessions", {"mode": "setup", "success_url": "http://a", "currency": "eur", "expires_at": "1"},  # noqa: E501
             None, "expires_at"),
            ("/v1/refunds", {"payment_intent": "pi_none"}, "resource_missing", "payment_intent"),
            ("/v1/payment_methods", {"type": "card"}, "parameter_missing", "card"),
            ("/v1/payment_methods", {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": "13",
                                     "card[exp_year]": "2030"}, "parameter_invalid_integer", "card[exp_month]"),
        ],
    )  # fmt: skip
    def test_refused_with_code_and_name(
        self, bank: FakeStripe, path: str, form: dict[str, str], code: str | None, param: str
    ) -> None:
        status, body = call(bank, path, form)
        assert status == 400
        assert (body["error"]["type"], body["error"].get("code"), body["error"].get("param")) == (
            "invalid_request_error", code, param,
        )  # fmt: skip
        assert bank.store.where("payment_intent") == []

    @pytest.mark.parametrize("limit", ["0", "101", "x"])
    def test_lists_have_limits(self, bank: FakeStripe, limit: str) -> None:
        assert call(bank, f"/v1/events?limit={limit}")[0] == 400

    def test_a_cursor_that_does_not_exist(self, bank: FakeStripe) -> None:
        assert call(bank, "/v1/events?starting_after=evt_none")[1]["error"]["code"] == "resource_missing"

    def test_a_refused_request_leaves_its_key_free(self, bank: FakeStripe) -> None:
        assert call(bank, "/v1/payment_intents", {"amount": "1000"}, Idempotency_Key="k")[0] == 400
        assert call(bank, "/v1/payment_intents", INTENT, Idempotency_Key="k")[0] == 200


class TestRefusals:
    """The client's CardError carries what its makers promise: status, code, decline code and the payment."""

    @pytest.mark.parametrize(
        ("method", "code", "decline_code"),
        [
            ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
            ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
            ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ],
    )
    def test_a_charge(self, client: stripe.StripeClient, method: str, code: str, decline_code: str | None) -> None:
        with pytest.raises(stripe.CardError) as refusal:
            client.v1.payment_intents.create(
                {"amount": 1000, "currency": "eur", "payment_method": method, "confirm": True}
            )
        body = refusal.value.error.to_dict()
        assert (refusal.value.http_status, refusal.value.code, body.get("decline_code")) == (402, code, decline_code)
        assert body["payment_intent"]["status"] == "requires_payment_method"
        assert body["payment_intent"]["last_payment_error"]["code"] == code
        charge = client.v1.charges.retrieve(body["charge"])
        assert (charge.status, charge.paid, charge.amount_captured) == ("failed", False, 0)

    def test_a_refused_card_cannot_be_kept(self, client: stripe.StripeClient) -> None:
        customer = client.v1.customers.create({"email": "a@example.org"})
        with pytest.raises(stripe.CardError):
            client.v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer.id})
        kept = client.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
        assert kept.customer == customer.id
        with pytest.raises(stripe.CardError):
            client.v1.setup_intents.create(
                {"customer": customer.id, "payment_method": "pm_card_chargeDeclined", "confirm": True}
            )

    def test_a_real_card_number_is_refused_unseen(self, bank: FakeStripe, client: stripe.StripeClient) -> None:
        card: Any = {"number": "4970101122334455", "exp_month": 1, "exp_year": 2030}
        number = next(f"497010112233445{digit}" for digit in range(10) if _luhn(f"497010112233445{digit}"))
        with pytest.raises(stripe.CardError) as refusal:
            client.v1.payment_methods.create({"type": "card", "card": {**card, "number": number}})
        assert refusal.value.error.to_dict()["decline_code"] == "test_mode_live_card"
        assert bank.store.where("payment_method") == []

    def test_one_card_once_unless_it_is_kept(self, client: stripe.StripeClient) -> None:
        card = client.v1.payment_methods.create(
            {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2034}}
        )
        wish: Any = {"amount": 1000, "currency": "eur", "payment_method": card.id, "confirm": True}
        assert client.v1.payment_intents.create(wish).status == "succeeded"
        with pytest.raises(stripe.InvalidRequestError, match="previously used"):
            client.v1.payment_intents.create(wish)

    def test_a_payment_ends_once(self, client: stripe.StripeClient) -> None:
        paid = client.v1.payment_intents.create(
            {"amount": 1000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
        )
        for again in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm):
            with pytest.raises(stripe.InvalidRequestError) as refusal:
                again(paid.id)
            assert refusal.value.code == "payment_intent_unexpected_state"

    def test_the_next_charge_refused_on_order(self, bank: FakeStripe, client: stripe.StripeClient) -> None:
        wish: Any = {"amount": 1000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
        bank.control("mischief", kind="decline", value="lost_card")
        with pytest.raises(stripe.CardError) as refusal:
            client.v1.payment_intents.create(wish)
        assert refusal.value.error.to_dict()["decline_code"] == "lost_card"
        assert client.v1.payment_intents.create(wish).status == "succeeded"


def _luhn(number: str) -> bool:
    digits = [int(sign) for sign in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def _may_miss(kind: object) -> bool:
    return type(None) in typing.get_args(kind)


class TestShapes:
    """Every key of our objects is one the official client knows, and every key it relies on is there."""

    @pytest.fixture
    def world(self, bank: FakeStripe, client: stripe.StripeClient) -> FakeStripe:
        customer = client.v1.customers.create({"email": "a@example.org"})
        for mode in ("payment", "setup"):
            wish: Any = {"mode": mode, "customer": customer.id, "success_url": "http://127.0.0.1:9/"}
            if mode == "payment":
                price = {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "VPS"}}
                wish["line_items"] = [{"quantity": 1, "price_data": price}]
            else:
                wish["currency"] = "eur"
            person.type_card(client.v1.checkout.sessions.create(wish).url or "", person.GOOD)
        client.v1.refunds.create({"payment_intent": bank.store.where("payment_intent")[0]["id"], "amount": 100})
        return bank

    @pytest.mark.parametrize(
        "cls",
        [stripe.Customer, stripe.PaymentMethod, stripe.PaymentMethod.Card, stripe.PaymentIntent, stripe.SetupIntent,
         stripe.Charge, stripe.Refund, stripe.Event, stripe.checkout.Session],
    )  # fmt: skip
    def test_keys(self, world: FakeStripe, cls: Any) -> None:
        known = cls.__annotations__
        name = getattr(cls, "OBJECT_NAME", "")
        things = world.store.where(name) if name else [row["card"] for row in world.store.where("payment_method")]
        assert things
        for thing in things:
            keys = {key for key in thing if not key.startswith("_")}
            assert keys <= set(known), keys - set(known)
            needed = {key for key, kind in known.items() if key != "OBJECT_NAME" and not _may_miss(kind)}
            assert needed <= keys, needed - keys

    def test_nothing_private_leaves(self, world: FakeStripe) -> None:
        for path in ("payment_methods", "payment_intents", "events?limit=100", "checkout/sessions", "refunds"):
            _, body = call(world, f"/v1/{path}")
            assert '"_' not in str(body).replace("'", '"')


SERVER = """
import sys, pathlib
from invoicing.gateways.fake import serve
bank = serve("127.0.0.1", 0, pathlib.Path(sys.argv[1]), "", "whsec_tests")
print(bank.base, flush=True)
sys.stdin.read()
"""


def _start(path: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_killed_bank_remembers_everything(tmp_path: Path) -> None:
    """kill -9 right after an answer: the charge, its event and its idempotency record are all there."""
    process, base = _start(tmp_path / "bank.sqlite3")
    client = stripe.StripeClient("sk_test_clause", base_addresses={"api": base}, max_network_retries=0)
    wish: Any = {"amount": 1000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
    paid = client.v1.payment_intents.create(wish, {"idempotency_key": "k"})
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process, base = _start(tmp_path / "bank.sqlite3")
    try:
        client = stripe.StripeClient("sk_test_clause", base_addresses={"api": base}, max_network_retries=0)
        assert client.v1.payment_intents.create(wish, {"idempotency_key": "k"}).id == paid.id
        assert client.v1.events.list({"limit": 1}).data[0].type == "payment_intent.succeeded"
        assert len(client.v1.payment_intents.list({}).data) == 1
    finally:
        process.kill()
        process.wait()


def test_reset_empties_it(bank: FakeStripe, client: stripe.StripeClient) -> None:
    client.v1.customers.create({"email": "a@example.org"})
    bank.control("clock", set=1)
    bank.control("reset")
    assert client.v1.events.list({}).data == []
    assert bank.store.now() > time.time() - 60
