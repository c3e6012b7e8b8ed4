"""Services that are nothing but metered (`metered`): sold by the catalogue alone, ready at once (OPR-1)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from invoicing.models import Package, Subscription
from invoicing.subscribing import kinds
from panel.accounts.models import Account
from panel.core.errors import RuleViolation

KIND = "metered"
LONGEST = 60


class MeteredKind:
    """See `ServiceKind` for what each method promises; usage comes as events (`usage.record`), not from here."""

    def questions(self, package: Package, account: Account) -> list[kinds.Question]:
        return [kinds.Question("name", _("Name"), help=_("Under which you will find it again."), required=False)]

    def validate(self, package: Package, options: Mapping[str, Any]) -> dict[str, Any]:
        name = str(options.get("name") or "").strip()
        if len(name) > LONGEST:
            raise RuleViolation(_("This name is too long."), rule="SUB-2", field="name")
        return {"name": name, "options": dict(options.get("options") or {})}

    def available(self, package: Package, options: Mapping[str, Any]) -> bool:
        return True

    def why_not_offered(self, option: str) -> str:
        return ""

    def provision(self, subscription: Subscription, *, now: datetime) -> None:
        """Nothing is to be made."""

    def suspend(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        """The sources of usage read the state; what they still send is counted."""

    def resume(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        """As `suspend`."""

    def terminate(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        """Events after the end are refused."""

    def refusal_to_pause(self, subscription: Subscription) -> str:
        return _("This service is only metered: there is nothing to switch off.")

    def refusal_to_change(self, subscription: Subscription, package: Package, options: Mapping[str, int]) -> str:
        return ""

    def change(self, subscription: Subscription, *, now: datetime) -> None:
        """The catalogue says what the new package counts."""

    def refusal_to_transfer(self, subscription: Subscription) -> str:
        return ""

    def hand_over(self, subscription: Subscription, *, now: datetime) -> None:
        """Nothing of it stands elsewhere."""

    def usage(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        return []

    def usage_so_far(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        return []

    def usage_of(self, asked: Sequence[tuple[Subscription, kinds.UsagePeriod]]) -> list[list[kinds.UsageLine] | None]:
        return [[] for _ in asked]

    def describe_each(self, asked: Sequence[tuple[Subscription, str]]) -> list[str]:
        return [self.describe(subscription, language) for subscription, language in asked]

    def readings(
        self, subscription: Subscription, meter: str, period: kinds.UsagePeriod, account_id: int
    ) -> list[kinds.ReadDay]:  # fmt: skip
        return []

    def progress(self, subscription: Subscription) -> kinds.Progress:
        return kinds.Progress(reverse("invoicing:subscription_usage", args=[subscription.reference]), (), ready=True)

    def delivered(self, asked: Sequence[Subscription]) -> set[int]:
        return {row.pk for row in asked}

    def describe(self, subscription: Subscription, language: str) -> str:
        named, own = subscription.package.named(language), subscription.settings.get("name", "")
        return f"{named} - {own}" if own else named


kinds.register(KIND, MeteredKind())
