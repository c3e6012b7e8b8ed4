"""The port through which a paid subscription becomes a real thing.

A higher app registers what it can deliver: `servers` the kind "vps", `domains` the kind "domain". Invoicing knows none
of them: it asks whoever registered the `service_kind` written on the package.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from django.utils.translation import gettext as _

from panel.core.errors import RuleViolation

if TYPE_CHECKING:
    from invoicing.models import Package, Subscription
    from panel.accounts.models import Account


@dataclass(frozen=True, slots=True)
class UsagePeriod:
    """Half-open: from 00:00 Europe/Paris of `start` to 00:00 Europe/Paris of `end`."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one meter counted in one period.

    `meter` is a name of `invoicing.usage_rules.METERS` ("traffic"); `quantity` and `allowance` are exact, in `unit`
    ("GB" = 10^9 bytes, so a byte is 0.000000001); `evidence` holds ids and numbers only (server, samples, epochs).
    """

    meter: str
    quantity: Decimal
    unit: str
    allowance: Decimal
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadDay:
    """A day of a meter: what was counted, in the meter's unit, from how many readings, and how many of them were not
    plain (a counter that began anew, a value nobody believes)."""

    day: date
    quantity: Decimal
    readings: int
    unusual: int = 0


@dataclass(frozen=True, slots=True)
class Question:
    """Something the order page must ask for this kind: the answer comes back under `name` in `validate`'s options.

    `widget`: text, textarea, choice (one of `choices`) or several (any of them); choices are (value, label). `longest`:
    characters of a text.
    """

    name: str
    label: str
    widget: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    initial: str = ""
    help: str = ""
    required: bool = True
    longest: int = 2000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the delivery is: `steps` as the component of that name draws them (title, state, at, note), the page of
    the thing itself, and whether it is ready."""

    url: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()
    ready: bool = False


class ServiceKind(Protocol):
    """Every method that takes `now` runs inside the caller's transaction: it writes what should be true and enqueues
    operations, and makes no outside call itself."""

    def questions(self, package: "Package", account: "Account") -> Sequence[Question]:
        """What an order of `account` must answer, in the reader's language."""
        ...

    def validate(self, package: "Package", options: Mapping[str, Any]) -> dict[str, Any]:
        """The cleaned settings of an order (name, image, place, key ids, quantity of each option code as
        `options["options"] = {"vps-address": 2}`); RuleViolation with `field` when something is wrong."""
        ...

    def available(self, package: "Package", options: Mapping[str, Any]) -> bool:
        """Whether an order could be delivered now (SUB-4: service unavailable)."""
        ...

    def why_not_offered(self, option: str) -> str:
        """Why nobody could carry out the option of that code now, as a sentence for staff; "" when somebody can. Until
        then it cannot be put on sale."""
        ...

    def provision(self, subscription: "Subscription", *, now: datetime) -> None:
        """The first payment is confirmed (SUB-3): make it. Called once per subscription."""
        ...

    def suspend(self, subscription: "Subscription", *, because: str, now: datetime) -> None: ...

    def resume(self, subscription: "Subscription", *, because: str, now: datetime) -> None: ...

    def terminate(self, subscription: "Subscription", *, because: str, now: datetime) -> None: ...

    def refusal_to_pause(self, subscription: "Subscription") -> str:
        """Why its client cannot let the service rest now, as a sentence in the reader's language; empty when they
        can."""
        ...

    def refusal_to_change(self, subscription: "Subscription", package: "Package", options: Mapping[str, int]) -> str:
        """Why the service cannot become `package` with these quantities of options, as a sentence in the reader's
        language; empty when it can."""
        ...

    def change(self, subscription: "Subscription", *, now: datetime) -> None:
        """The subscription has another package or other options now (SUB-12): make the service follow."""
        ...

    def refusal_to_transfer(self, subscription: "Subscription") -> str:
        """Why the service cannot go over to another account now, as a sentence in the reader's language; empty when it
        can."""
        ...

    def hand_over(self, subscription: "Subscription", *, now: datetime) -> None:
        """The (locked) subscription has another account now: everything that hangs on it follows, and who had it
        cannot reach it any more. What tells of the time before stays with them."""
        ...

    def usage(self, subscription: "Subscription", period: UsagePeriod) -> list[UsageLine]:
        """The final count of an ended period; NotYet while the last reading is still missing."""
        ...

    def usage_so_far(self, subscription: "Subscription", period: UsagePeriod) -> list[UsageLine]:
        """The count as it stands, for a preview; never waits."""
        ...

    def readings(
        self, subscription: "Subscription", meter: str, period: UsagePeriod, account_id: int
    ) -> list[ReadDay]:  # fmt: skip
        """What the count of `meter` rests on, a row a Paris day; they add up to the count of the period. Of a service
        that changed hands, only what `account_id` used."""
        ...

    def progress(self, subscription: "Subscription") -> Progress:
        """What the order's page shows while the service is being made, in the reader's language."""
        ...

    def delivered(self, asked: Sequence["Subscription"]) -> set[int]:
        """The keys of those whose service is there, whether it runs or not (`Progress.ready`); in a number of queries
        that does not grow with them."""
        ...

    def describe(self, subscription: "Subscription", language: str) -> str:
        """One line for invoices and lists, such as `VPS S - web-1 (198.51.100.7)`."""
        ...


@runtime_checkable
class AnswersForMany(Protocol):
    """What a kind may offer besides, so that a billing run need not ask subscription by subscription; the answers are
    those of `usage` and `describe`, in the order asked."""

    def usage_of(self, asked: Sequence[tuple["Subscription", UsagePeriod]]) -> Sequence[Sequence[UsageLine] | None]:
        """None where `usage` would raise NotYet."""
        ...

    def describe_each(self, asked: Sequence[tuple["Subscription", str]]) -> Sequence[str]: ...


@runtime_checkable
class Sized(Protocol):
    """What a kind may say besides: which numbers its packages must give (`Package.spec`, such as `vcpu`)."""

    package_numbers: tuple[str, ...]


@runtime_checkable
class Guarded(Protocol):
    """What a kind may offer besides: a service that its client keeps from being ended by mistake."""

    def refusal_to_end(self, subscription: "Subscription") -> str:
        """Why its client cannot end the service now, as a sentence in the reader's language; empty when they can. The
        provider's own terminations do not ask."""
        ...


@runtime_checkable
class Personal(Protocol):
    """What a kind may offer besides: an order can name something that only its owner may use."""

    def check_own(self, account: "Account", settings: Mapping[str, Any]) -> None:
        """RuleViolation where `settings`, as `validate` cleaned them, name what is not the account's."""
        ...


def check_own(service_kind: str, account: "Account", settings: Mapping[str, Any]) -> None:
    """As `Personal` says; nothing where the kind has nothing of the sort."""
    kind: object = _kinds.get(service_kind)
    if isinstance(kind, Personal):
        kind.check_own(account, settings)


def refusal_to_end(subscription: "Subscription") -> str:
    """As `Guarded` says; empty where the kind guards nothing."""
    kind = get(subscription.service_kind)
    return kind.refusal_to_end(subscription) if isinstance(kind, Guarded) else ""


_kinds: dict[str, ServiceKind] = {}


def register(name: str, kind: ServiceKind) -> None:
    """Called in the higher app's AppConfig.ready()."""
    _kinds[name] = kind


def get(name: str) -> ServiceKind:
    """The kind registered under `name`; RuleViolation when nobody delivers it."""
    try:
        return _kinds[name]
    except KeyError:
        sentence = _("Nothing here can deliver a service of the kind %(kind)s.") % {"kind": name}
        raise RuleViolation(sentence, rule="SUB-4") from None


def registered() -> frozenset[str]:
    """Names of the kinds somebody delivers."""
    return frozenset(_kinds)


# What a higher app knows against handing a service over, as a sentence in the reader's language; "" when nothing.
Objection = Callable[["Subscription"], str]
_objections: list[Objection] = []


def object_to_transfers(objection: Objection) -> None:
    """Called in the higher app's AppConfig.ready()."""
    if objection not in _objections:
        _objections.append(objection)


def objection_to_transfer(subscription: "Subscription") -> str:
    """The first objection of the service's kind or of a higher app; "" when there is none."""
    asked = (get(subscription.service_kind).refusal_to_transfer, *_objections)
    return next((sentence for one in asked if (sentence := one(subscription))), "")


def package_numbers(name: str) -> tuple[str, ...]:
    """Which numbers a package of this kind must give; none where the kind says nothing, or nobody delivers it."""
    kind: object = _kinds.get(name)
    return kind.package_numbers if isinstance(kind, Sized) else ()
