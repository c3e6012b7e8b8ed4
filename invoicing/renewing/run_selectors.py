"""What the pages of billing runs read."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from invoicing.models import BillingRun, BillingRunItem, RunState
from panel.core.money import Cents

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Change:
    """A subscription that comes to something else than in the dry run before; None: it was, or is, not due."""

    item: BillingRunItem
    before_cents: Cents | None
    after_cents: Cents | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A dry run against the one before it; `more` changes are not shown."""

    earlier: BillingRun
    changes: list[Change]
    more: int
    net_cents: Cents


def difference(run: BillingRun) -> Difference | None:
    """What a dry run says otherwise than the one before it; None for a real one, or the first."""
    earlier = BillingRun.objects.filter(dry=True, pk__lt=run.pk).exclude(state=RunState.RUNNING).first()
    if not run.dry or run.state == RunState.RUNNING or earlier is None:
        return None
    before, after = (dict(one.items.values_list("subscription_id", "net_cents")) for one in (earlier, run))
    moved = [pk for pk in sorted(before.keys() | after.keys()) if before.get(pk) != after.get(pk)]
    rows = BillingRunItem.objects.filter(run__in=[earlier, run], subscription__in=moved[:SHOWN])
    items = {row.subscription_id: row for row in rows.select_related("subscription", "account").order_by("run")}
    changes = [Change(items[pk], before.get(pk), after.get(pk)) for pk in moved[:SHOWN]]
    return Difference(earlier, changes, max(0, len(moved) - SHOWN), sum(after.values()) - sum(before.values()))


def taxes(run: BillingRun) -> list[dict[str, Any]]:
    """Totals by tax, in words: category, country and rate stand in the books' own code."""
    found = []
    for code, (net, vat) in run.taxes.items():
        category, _sep, place = code.partition(":")
        country, _sep, rate = place.partition(":")
        word = _("reverse charge") if category == "AE" else _("not subject") if category == "O" else ""
        found.append({"country": country, "rate": rate, "word": word, "net_cents": net, "vat_cents": vat})
    return found
