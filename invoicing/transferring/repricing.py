"""What a service costs its receiver: the present prices, and from the next renewal on no price that was the giver's own
(SUB-1, LEG-3)."""

from dataclasses import dataclass
from datetime import date, datetime

from invoicing.models import Option, Package, Price, Subscription
from invoicing.offering import catalogue, groups, price_notices
from invoicing.offering.group_rules import Grouped
from panel.accounts.models import Account
from panel.core.errors import RuleViolation
from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Repriced:
    """One thing that costs another price, net and for one, from the renewal of `first_on` on."""

    code: str
    cents: Cents
    then: Cents
    first_on: date

    def frozen(self) -> list[str | int]:
        """As a transfer keeps it."""
        return [self.code, self.cents, self.then, self.first_on.isoformat()]


def of(row: Subscription, receiver: Account, *, now: datetime) -> list[Repriced]:
    """What will cost `receiver` another price, the package first. A signed quote keeps its prices (LEG-6)."""
    if Subscription.objects.filter(pk=row.pk, order__quoted__isnull=False).exists():
        return []
    group = groups.of(receiver, now=now)
    told = {new.code: new for new in price_notices.announced(row)}
    options = row.options.filter(until=None).select_related("option").order_by("option__position", "pk")
    held: list[tuple[Package | Option, Cents]] = [(row.package, row.price_cents)]
    held += [(one.option, one.price_cents) for one in options]
    found = []
    for item, cents in held:
        then = _price_for(item, row.interval, cents, group, now=now)
        if then is not None:
            found.append(Repriced(item.code, cents, then, row.period_end))
        elif item.code in told:
            found.append(Repriced(item.code, cents, told[item.code].cents, told[item.code].first_on))
    return [one for one in found if one.then != one.cents]


def _price_for(
    item: Package | Option, interval: str, cents: Cents, group: Grouped | None, *, now: datetime
) -> Cents | None:
    """The receiver's price where the present one never stood in the list: it was the giver's own. None where it did,
    or where the item is sold no more."""
    named = {"package": item} if isinstance(item, Package) else {"option": item}
    if Price.objects.filter(**named, interval=interval, group=None, amount_cents=cents).exists():
        return None
    try:
        return catalogue.tariff(item, interval, now=now, group=group).cents
    except RuleViolation:
        return None
