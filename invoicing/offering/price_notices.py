"""A new price: for new orders at once, for running subscriptions from the first renewal a month after it was announced
to their account (LEG-3). What a signed quote sells keeps the quote's price (LEG-6)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from invoicing.models import (
    CustomerGroup,
    Option,
    Package,
    Price,
    PriceNotice,
    ServiceTransfer,
    Subscription,
    SubscriptionState,
    TransferState,
)
from invoicing.offering import catalogue, group_rules, groups
from invoicing.subscribing.change_rules import Composition
from invoicing.subscribing.period_rules import Period, following
from panel import terms
from panel.accounts.models import Account
from panel.core import events, mail, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import add_months, paris_date, start_of_paris_day
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from panel.core.money import Cents

RULE = "LEG-3"
RUNNING = [SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED]
JUST_NOW = timedelta(minutes=5)


@transaction.atomic
def set_price(
    item: Package | Option, interval: str, cents: Cents, *, valid_from: datetime, actor: Actor, now: datetime,
    setup_cents: Cents = 0, setup_on_change: bool = False, group: CustomerGroup | None = None,
) -> Price:  # fmt: skip
    """The price of `item`, or what the members of `group` pay for it, excluding VAT for new orders from `valid_from`
    (UTC) on, with what is paid once; it is announced by e-mail to every account that has it running at another price.
    RuleViolation for a day in the past, or a second price from the same instant."""
    if valid_from < now - JUST_NOW:
        raise RuleViolation(_("A price cannot begin in the past."), rule=RULE, field="valid_from")
    held = {"package" if isinstance(item, Package) else "option": item}
    if Price.objects.filter(**held, group=group, interval=interval, valid_from=valid_from).exists():
        raise RuleViolation(_("There is a price from this instant already."), rule=RULE, field="valid_from")
    price = Price.objects.create(
        **held, interval=interval, valid_from=valid_from, amount_cents=cents, setup_cents=setup_cents,
        setup_on_change=setup_on_change, group=group,
    )  # fmt: skip
    key, payload = f"catalogue.announce:{price.pk}", {"price": price.pk}
    operations.enqueue(Announce.kind, key=key, now=now, payload=payload)
    if valid_from > now:  # who comes in between is told then
        operations.enqueue(Announce.kind, key=f"{key}:valid", now=now, payload=payload, due_at=valid_from)
    events.record(
        "invoicing.price.set", now=now, actor=actor, subject=price, rule=RULE,
        data={"item": item.code, "interval": interval, "amount_cents": cents},
    )  # fmt: skip
    return price


@transaction.atomic
def end_price(price: Price, *, actor: Actor, now: datetime) -> Price:
    """The group's own price of the item ends: its members order at the listed price, less their percentage, at once,
    and those who have it running are told of it like of any new price. Twice changes nothing."""
    rows = Price.objects.select_for_update().filter(
        group=price.group_id, package=price.package_id, option=price.option_id, interval=price.interval,
        valid_from__lte=now,
    )  # fmt: skip
    last = rows.order_by("-valid_from").first()
    if price.group_id is None or last is None:
        raise ValueError("a price of a group that is in force")
    if last.ends:
        return last
    made = Price.objects.create(
        package=price.package, option=price.option, group=price.group, interval=price.interval, amount_cents=0,
        valid_from=max(now, last.valid_from + timedelta.resolution), ends=True,
    )  # fmt: skip
    operations.enqueue(Announce.kind, key=f"catalogue.announce:{made.pk}", now=now, payload={"price": made.pk})
    item: Any = price.package or price.option
    events.record("invoicing.price.ended", now=now, actor=actor, subject=made, rule=RULE,
                  data={"item": item.code, "interval": price.interval})  # fmt: skip
    return made


def running_with(price: Price) -> Any:
    """Running subscriptions that have the item of `price` at another price, in its interval, and follow the catalogue:
    those of a group's members for a group's price, and for a listed one those whose group has no price of its own."""
    rows = Subscription.objects.filter(state__in=RUNNING, interval=price.interval, ends_on=None)
    rows = rows.exclude(order__quoted__isnull=False).select_related("account", "package")
    if price.group_id:
        rows = rows.filter(account__group_member__group=price.group_id)
    else:
        same = Price.objects.filter(package=price.package_id, option=price.option_id, interval=price.interval)
        newest = same.filter(group=OuterRef("group")).order_by("-valid_from").values("ends")[:1]
        own = same.exclude(group=None).annotate(over=Subquery(newest)).filter(over=False)
        rows = rows.exclude(account__group_member__group__in=own.values("group"))
    less = Q(account__group_member__group__percents__percent__gt=0)  # their price is reckoned, account by account
    told = PriceNotice.objects.filter(
        price__package=price.package_id, price__option=price.option_id, price__interval=price.interval
    )
    less |= Q(account__in=told.values("account"))  # what was announced to them before ends with this one
    if price.package_id:
        return rows.filter(~Q(price_cents=price.amount_cents) | less, package=price.package_id).distinct()
    held = Q(options__option=price.option_id, options__until=None)
    return rows.filter(held & (~Q(options__price_cents=price.amount_cents) | less)).distinct()


def _cents_for(price: Price, account: Any, *, now: datetime) -> Cents | None:
    """What the price is for an account: a listed one less the percentage of its group, also where the group's own one
    ends; None where nothing is listed then."""
    at = max(now, price.valid_from)
    group = None if price.group_id and not price.ends else groups.of(account, now=at)
    if price.ends:
        return _ordinary(price.package or price.option, price.interval, account, now=at)[1]
    return group_rules.price(price.amount_cents, None, group.percent) or 0 if group else price.amount_cents


def _ordinary(item: Any, interval: str, account: Any, *, now: datetime) -> tuple[Price | None, Cents | None]:
    """What an account pays for an item that it orders now, and the row that says so."""
    try:
        return catalogue.in_force(item, interval, now=now, group=groups.of(account, now=now))
    except RuleViolation:
        return None, None


def _at_another(row: Subscription, price: Price, cents: Cents) -> bool:
    if price.package_id:
        return row.price_cents != cents
    return row.options.filter(option=price.option_id, until=None).exclude(price_cents=cents).exists()


def _expects_another(row: Subscription, price: Price, cents: Cents) -> bool:
    """Whether the account was told of another price of the item before: what is told now ends that."""
    item: Any = price.package or price.option
    return any(new.code == item.code and new.cents != cents for new in announced(row))


@operations.register
class Announce(operations.Handler):
    """Tells every account concerned, once, in its language."""

    kind = "catalogue.announce"
    label = gettext_lazy("Announce a new price")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        price = Price.objects.select_related("package", "option").get(pk=op.payload["price"])
        newer = Price.objects.filter(
            package=price.package_id, option=price.option_id, interval=price.interval, group=price.group_id
        )
        if newer.filter(pk__gt=price.pk).exists():
            return  # which is told by itself, and counts
        by_account: dict[int, list[Subscription]] = {}
        for row in running_with(price).order_by("account", "pk"):
            by_account.setdefault(row.account_id, []).append(row)
        for rows in by_account.values():
            cents = _cents_for(price, rows[0].account, now=now)
            if cents is not None:
                _tell(price, cents, rows, now=now)


@operations.register
class AnnounceOrdinary(operations.Handler):
    """Tells an account that is no longer in its group what it pays for the things it has running."""

    kind = groups.LEFT
    label = gettext_lazy("Announce the ordinary prices to who left a group")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        account = Account.objects.get(pk=op.payload["account"])
        wanted = Subscription.objects.filter(account=account, state__in=RUNNING, ends_on=None)
        running = list(wanted.exclude(order__quoted__isnull=False).select_related("account", "package").order_by("pk"))
        things: dict[tuple[Any, str], list[Subscription]] = {}
        for row in running:
            extras = [one.option for one in row.options.filter(until=None).select_related("option").order_by("pk")]
            for item in dict.fromkeys([row.package, *extras]):
                things.setdefault((item, row.interval), []).append(row)
        for (item, interval), rows in things.items():
            price, cents = _ordinary(item, interval, account, now=now)
            if price is not None and cents is not None:
                _tell(price, cents, rows, now=now, again=True)


def _tell(price: Price, cents: Cents, rows: list[Subscription], *, now: datetime, again: bool = False) -> None:
    """Announce it to the account of `rows`, as far as they have the item at another price or were told of another."""
    if held := [row for row in rows if _at_another(row, price, cents) or _expects_another(row, price, cents)]:
        _announce(price, cents, held, now=now, again=again)


def _announce(price: Price, cents: Cents, rows: list[Subscription], *, now: datetime, again: bool) -> None:
    account = rows[0].account
    notice, fresh = PriceNotice.objects.get_or_create(
        price=price, account=account, defaults={"announced_at": now, "amount_cents": cents}
    )
    if not fresh and not again:
        return
    key = f"price:{notice.pk}"
    if not fresh:  # it was another one for them, in a group: what is told now is what counts
        notice.announced_at, notice.amount_cents = now, cents
        notice.save(update_fields=["announced_at", "amount_cents"])
        key += f":{now.isoformat()}"
    language = texts.language_of(account.language)
    item: Any = price.package or price.option
    events.record(
        "invoicing.price.announced", now=now, actor=SYSTEM, subject=price, account_id=account.pk,
        rule=RULE, data={"item": item.code, "interval": price.interval, "amount_cents": cents},
    )  # fmt: skip
    mail.send(
        "price_change", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=price,
        key=key,
        context={
            "name": account.name, "item": item.named(language), "price": texts.money(language, cents),
            "yearly": price.interval == "year",
            "services": [
                {
                    "reference": row.reference,
                    "day": texts.day(
                        language, first_day(row, price, now, stays=not _at_another(row, price, cents))
                    ),
                }
                for row in rows
            ],
        },
    )  # fmt: skip


def first_day(row: Subscription, price: Price, announced_at: datetime, *, stays: bool) -> date:
    """The first renewal at which a price announced at `announced_at` applies to a running subscription. One that it
    pays already (a rise was taken back) `stays`: nothing changes, so no month is waited."""
    months = 0 if stays else terms.version(row.terms_version).change.price_notice_months
    earliest = max(add_months(paris_date(announced_at), months), paris_date(price.valid_from))
    period = Period(row.period_start, row.period_end)
    while period.end < earliest:
        period = following(row.next_anchor, row.interval, period)
    return period.end


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price that was announced for something a subscription holds at `old_cents`."""

    code: str
    old_cents: Cents
    cents: Cents
    announced_at: datetime
    first_on: date


def announced(row: Subscription) -> list[NewPrice]:
    """The newest announced price of each thing the subscription holds, announced after its own was agreed."""
    if Subscription.objects.filter(pk=row.pk, order__quoted__isnull=False).exists():
        return []
    handed = ServiceTransfer.objects.filter(
        subscription=row, receiver=row.account_id, state=TransferState.ACCEPTED
    ).order_by("-ended_at").first()  # fmt: skip
    since = handed.ended_at if handed is not None and handed.ended_at else row.started_at
    held = [("package", row.package_id, row.package.code, row.price_cents, row.priced_at or row.started_at)]
    held += [
        ("option", one.option_id, one.option.code, one.price_cents, one.priced_at or row.started_at)
        for one in row.options.filter(until=None).select_related("option")
    ]
    mine = Q(price__package=row.package_id) | Q(price__option__in=[pk for kind, pk, *_rest in held if kind == "option"])
    notices = list(
        PriceNotice.objects.filter(mine, account=row.account_id, price__interval=row.interval)
        .select_related("price").order_by("announced_at", "pk")
    )  # fmt: skip
    found: dict[tuple[str, Cents], list[NewPrice]] = {}
    for kind, pk, code, cents, agreed in held:
        known = [] if handed is None or agreed > since else _with_the_transfer(handed, code, cents, since)
        found[code, cents] = known + [
            NewPrice(code, cents, notice.cents, notice.announced_at,
                     first_day(row, notice.price, notice.announced_at, stays=notice.cents == cents))
            for notice in notices
            if getattr(notice.price, f"{kind}_id") == pk and notice.announced_at > max(agreed, since)
        ]  # fmt: skip
    return [new for news in found.values() for new in news]


def _with_the_transfer(handed: ServiceTransfer, code: str, cents: Cents, at: datetime) -> list[NewPrice]:
    """The price that who took a service over was told of, and accepted with it."""
    return [
        NewPrice(code, cents, new, at, date.fromisoformat(first))
        for named, old, new, first in handed.prices if (named, old) == (code, cents)
    ]  # fmt: skip


def at(row: Subscription, day: date) -> Mapping[tuple[str, Cents], NewPrice]:
    """Which prices the renewal of `day` takes, by code and present price: the latest announced one that may apply."""
    return {(new.code, new.old_cents): new for new in announced(row) if new.first_on <= day}


def applied(whole: Composition, prices: Mapping[tuple[str, Cents], NewPrice]) -> Composition:
    """The composition at the new prices."""
    new = prices.get((whole.package, whole.price))
    options = tuple(
        replace(held, unit_cents=prices[held.code, held.unit_cents].cents)
        if (held.code, held.unit_cents) in prices
        else held
        for held in whole.options
    )
    return replace(whole, price=new.cents if new else whole.price, options=options)


def start_of(day: date | None, now: datetime) -> datetime:
    """The instant from which a price applies: 00:00 Paris of a later day, else now."""
    return start_of_paris_day(day) if day is not None and day > paris_date(now) else now
