"""The port to a payment provider, in our own words. One adapter a file: `stripe`.

For development and tests the same adapter talks to `fake`, a strict simulation of Stripe's HTTP API on loopback.
Card numbers never pass here: people type them at the provider's own page (`start_checkout`).

Every call may raise ProviderError; a call that changes something takes an idempotency `key`, and repeating it with the
same key and the same wish has no second effect.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol

from django.conf import settings
from django.core import checks


class SignatureRefused(Exception):
    """A message that claims to be the provider's is not, or is too old."""


@dataclass(frozen=True, slots=True)
class NewCustomer:
    reference: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Method:
    """A kept card ("card") or mandate ("sepa"); `mandate` is the reference the payer's bank shows, `country` (ISO 3166)
    where the card or the account is held, "" where the provider does not say. Of a card, what its bank said of the
    street and the postcode that were typed with it: "pass", "fail" or "" where it said nothing."""

    ref: str
    kind: str
    brand: str
    last4: str
    customer: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    mandate: str = ""
    country: str = ""
    postcode: str = ""
    street_check: str = ""
    postcode_check: str = ""


def without_personal_values(result: Mapping[str, Any]) -> dict[str, Any]:
    """What an operation may keep of an answer: no page of the provider's, and of a card or mandate only its name."""
    kept = {name: value for name, value in result.items() if name not in {"url", "action_url", "method"}}
    if method := result.get("method"):
        kept["method"] = method["ref"]
    return kept


@dataclass(frozen=True, slots=True)
class ChargeWish:
    """Collect `amount_cents` from a kept method in the customer's absence."""

    amount_cents: int
    currency: str
    customer: str
    method: str
    description: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """How a payment stands: open, requires_action, processing, succeeded, failed or cancelled."""

    ref: str
    state: str
    amount_cents: int
    currency: str
    customer: str = ""
    method: Method | None = None
    refunded_cents: int = 0
    decline_code: str = ""
    action_url: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """A page of the provider: to pay `amount_cents` by card, or (None) only to keep a card, or with `kind` "sepa" an
    account number with its mandate. `keep`: keep the paying one."""

    customer: str
    success_url: str
    cancel_url: str
    description: str
    amount_cents: int | None = None
    currency: str = "eur"
    keep: bool = False
    kind: str = "card"
    language: str = "en"
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checkout:
    """Such a page: open, complete or expired; what was paid there, and the card that was kept there, if any."""

    ref: str
    state: str
    url: str
    charge: Charge | None = None
    method: Method | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefundState:
    """A refund at the provider: pending, succeeded or failed."""

    ref: str
    state: str
    amount_cents: int
    payment: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DisputeState:
    """Money that the payer's bank took back: open (it can be answered until `respond_by`), won or lost. A direct debit
    that comes back late is a dispute that is lost from the start. Inquiries, which move no money, are left out."""

    ref: str
    state: str
    amount_cents: int
    reason: str
    at: datetime
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class PayoutState:
    """Money that the provider sends to our bank (negative: takes from it): moving, paid or failed. `arrives_on` is the
    day it is expected there, `trace` the bank's reference where there is one. `itemised`: its movements can be listed;
    not `settled`: they are still being determined."""

    ref: str
    state: str
    amount_cents: int
    at: datetime
    arrives_on: date
    trace: str = ""
    itemised: bool = True
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a payout: what a charge, refund or dispute moved (`gross_cents`, negative: out of the balance) and
    what the provider kept of it (`fee_cents`). `kind`: charge, refund, dispute, payout (one that came back), fee (of
    the provider alone) or other; `source` names that object, of a charge its payment."""

    ref: str
    kind: str
    gross_cents: int
    fee_cents: int
    source: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """Something happened at the provider. It only says where to look: the truth is asked for, so order is no matter.

    `about`: payment, checkout, refund, setup, dispute, payout or other; `ref` is that object's name, `payment` the
    payment's.
    """

    id: str
    kind: str
    about: str
    ref: str
    payment: str
    at: datetime
    metadata: Mapping[str, str]
    raw: bytes


class Gateway(Protocol):
    """What the panel asks of a payment provider."""

    name: str
    simulated: bool

    def create_customer(self, customer: NewCustomer, *, key: str) -> str: ...

    def start_checkout(self, wish: CheckoutWish, *, key: str) -> Checkout: ...

    def checkout(self, ref: str) -> Checkout: ...

    def close_checkout(self, ref: str) -> Checkout:
        """After this nobody can pay there any more; a page that is complete or expired stays what it is."""

    def charge(self, wish: ChargeWish, *, key: str) -> Charge:
        """A refusal by the bank is an answer (state failed, decline_code), not an error."""

    def retrieve(self, ref: str) -> Charge: ...

    def find(self, customer: str, metadata: Mapping[str, str]) -> Charge | None:
        """Did it happen? The newest payment of the customer that carries all of `metadata`."""

    def list_payments(self, since: datetime) -> Iterator[Charge]:
        """Every payment that began since then."""

    def method(self, ref: str) -> Method: ...

    def forget_method(self, ref: str) -> None:
        """No later payment can use it; forgetting twice is no error."""

    def refund(self, payment: str, amount_cents: int, *, metadata: Mapping[str, str], key: str) -> RefundState: ...

    def find_refund(self, payment: str, metadata: Mapping[str, str]) -> RefundState | None: ...

    def disputes(self, payment: str) -> list[DisputeState]:
        """Every dispute of a payment that moved money, oldest first."""

    def payout(self, ref: str) -> PayoutState: ...

    def list_payouts(self, since: datetime) -> Iterator[PayoutState]:
        """Every payout that began since then."""

    def movements(self, payout: str) -> Iterator[Movement]:
        """What an itemised payout is made of; their gross less their fees is its amount."""

    def list_events(self, since: datetime) -> Iterator[GatewayEvent]:
        """Everything since then, oldest first, whether a webhook came or not."""

    def parse_webhook(self, raw: bytes, headers: Mapping[str, str], *, now: datetime) -> GatewayEvent:
        """The event of a signed message; `headers` under the names the provider gives them, or in lower case.

        SignatureRefused when the signature is wrong or more than 300 s from `now`."""


REQUIRED = ("kind", "api_key", "webhook_secret")


def problems(configured: Mapping[str, str]) -> list[str]:
    """What is wrong with a configuration; a secret that is empty would let anybody forge payments."""
    found = [f"CLAUSE_GATEWAY: {name} is empty." for name in REQUIRED if not str(configured.get(name) or "").strip()]
    if configured.get("kind") not in (None, "", "stripe"):
        found.append(f"CLAUSE_GATEWAY: unknown kind {configured['kind']!r}.")
    base = configured.get("api_base") or ""
    if base and not base.startswith(("https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
        found.append("CLAUSE_GATEWAY: api_base must be https, or an address of this machine.")
    return found


@lru_cache(maxsize=4)
def _made(api_key: str, webhook_secret: str, api_base: str) -> Gateway:
    from invoicing.gateways.stripe import StripeGateway

    return StripeGateway(api_key=api_key, webhook_secret=webhook_secret, api_base=api_base)


def get() -> Gateway:
    """The gateway of the settings. ValueError when they are incomplete."""
    configured = settings.CLAUSE_GATEWAY
    wrong = problems(configured)
    if wrong:
        raise ValueError(" ".join(wrong))
    return _made(configured["api_key"], configured["webhook_secret"], configured.get("api_base") or "")


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Refuse to start without a complete gateway (registered by the app)."""
    configured = getattr(settings, "CLAUSE_GATEWAY", {})
    return [checks.Error(text, id="invoicing.E001") for text in problems(configured)]
