"""Prepaid packs (OPR-9): opened when they are paid for, drawn from by usage events, given back by their corrections.

A pack is its buyer's: it pays for what is used in their turn, and stays with them when a service goes to another
account (SUB-2). Who draws has locked the subscription of the event (`usage.record`); all that touch packs lock their
rows in one order, so two draws at the same instant never take the same unit. A use is drawn once, when its event is
kept: what a repeated delivery brings again is not drawn again, and a late event is paid by the packs that were there
when it was used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from invoicing.consuming import pack_rules
from invoicing.consuming.pack_rules import Held
from invoicing.consuming.usage_models import MILLION
from invoicing.journal import tell
from invoicing.models import (
    Invoice,
    MovementKind,
    Order,
    Pack,
    Package,
    PackClosing,
    PackMovement,
    Payment,
    Subscription,
    UsageEvent,
)
from panel import terms
from panel.core import references
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import RuleViolation
from panel.terms import Terms
from panel.terms.numbers import PackTerms

RULE = "OPR-9"
GONE_LATER = "invoicing.pack.gone_later"
OF_EVENTS = (MovementKind.DRAWN, MovementKind.BACK)
PAST = 60  # on a page
OF_EXPIRY = (MovementKind.EXPIRED, MovementKind.REOPENED)


def sold_under(version: Terms) -> PackTerms:
    """The numbers of packs; RuleViolation where the terms have none: then none is sold."""
    if version.packs is None:
        raise RuleViolation(_("The terms in force know no prepaid packs."), rule=RULE, field="package")
    return version.packs


def ordered(package: Package) -> dict[str, str]:
    """What an order of a pack keeps of the catalogue: the meter, its unit and how many units."""
    return {key: str(package.spec[key]) for key in ("meter", "unit", "units")}


def opened(order: Order, invoice: Invoice, *, now: datetime) -> Pack:
    """The pack of an order whose payment is confirmed: from now on it can be drawn from."""
    millionths = int(Decimal(order.settings["units"]) * MILLION)
    return Pack.objects.create(
        reference=references.new("PCK"), account=order.account, package=order.package, order=order, invoice=invoice,
        meter=order.settings["meter"], unit=order.settings["unit"], bought=millionths, remaining=millionths,
        terms_version=order.terms_version, bought_at=now, used_at=now,
    )  # fmt: skip


# --- drawing ---------------------------------------------------------------------------------------------------------


def draw(told: Sequence[UsageEvent], *, now: datetime) -> None:
    """Have new events (kept just now, their subscriptions locked) paid for by the packs of their accounts, and what
    they take back given back to the packs it was drawn from."""
    rows = _locked(told)
    if not rows:
        return
    held = held_of(rows)
    found, moved = dict(held), []
    for event in told:
        if event.corrects is None and not _free(event):
            ours = [key for key, row in rows.items() if (row.account_id, row.meter) == (event.account_id, event.meter)]
            after = pack_rules.used([found[key] for key in ours], event.at)
            again = [found[one.key] for one in after if found[one.key].expired and not one.expired]
            moved += [_moved(rows[one.key], MovementKind.REOPENED, one.lapsed, now=now) for one in again if one.lapsed]
            parts = pack_rules.shares(after, event.at, event.millionths)
            moved += [_moved(rows[key], MovementKind.DRAWN, -part, event, now=now) for key, part in parts.items()]
            found |= {one.key: replace(one, left=one.left - parts.get(one.key, 0)) for one in after}
    PackMovement.objects.bulk_create(moved)
    _remember(held, found)
    gone = {key: MovementKind.EXPIRED for key, one in found.items() if one.expired}
    gone |= {key: MovementKind.WITHDRAWN for key, row in rows.items() if row.closing == PackClosing.WITHDRAWN}
    back = PackMovement.objects.bulk_create(_given_back(told, rows, gone, now=now))
    _gone_later([one for one in back if one.kind == MovementKind.WITHDRAWN], rows, now=now)


def _gone_later(moved: Sequence[PackMovement], rows: dict[int, Pack], *, now: datetime) -> None:
    """What came back to withdrawn packs is to be credited (`pack_withdrawal`), which must not hold up what is told."""
    for pack_id in sorted({one.pack_id for one in moved}):
        mine, pack = [one for one in moved if one.pack_id == pack_id], rows[pack_id]
        units = -sum((one.units for one in mine), Decimal(0))
        tell("pack.gone_later", pack, now=now, actor=SYSTEM, rule=RULE,
             data={"pack": pack.reference, "units": f"{units.normalize():f} {pack.unit}",
                   "first": min(one.pk for one in mine), "last": max(one.pk for one in mine)})  # fmt: skip


def _locked(told: Sequence[UsageEvent]) -> dict[int, Pack]:
    wanted = Pack.objects.filter(account__in={one.account_id for one in told}, meter__in={one.meter for one in told})
    rows = wanted.exclude(closing=PackClosing.REFUNDED).select_for_update(of=("self",)).order_by("pk")
    return {row.pk: row for row in rows}


def _free(event: UsageEvent) -> bool:
    """What a free trial uses costs nothing, so no pack pays for it."""
    trial = event.subscription.trial_ends_on
    return trial is not None and event.at < start_of_paris_day(trial)


def held_of(rows: dict[int, Pack]) -> dict[int, Held]:
    """The packs as the rules read them."""
    gone = [key for key, row in rows.items() if row.closing == PackClosing.EXPIRED]
    lapsed = PackMovement.objects.filter(pack__in=gone, kind__in=OF_EXPIRY).order_by().values_list("pack")
    sums = {key: -total for key, total in lapsed.annotate(total=Sum("millionths"))} if gone else {}
    return {key: _held(row, sums.get(key, 0)) for key, row in rows.items()}


def _held(row: Pack, lapsed: int = 0) -> Held:
    gone = row.closing == PackClosing.EXPIRED
    return Held(row.pk, row.remaining, row.bought_at, row.used_at, months_of(row), gone, lapsed, row.kept_until)


def months_of(row: Pack) -> int:
    """Months until it expires, by the terms it was bought under (LEG-1)."""
    return sold_under(terms.version(row.terms_version)).months


def _moved(
    pack: Pack, kind: MovementKind, millionths: int, event: UsageEvent | None = None, *, now: datetime
) -> PackMovement:
    return PackMovement(
        pack=pack, account_id=pack.account_id, kind=kind, millionths=millionths, event=event, at=now
    )  # fmt: skip


def _remember(before: dict[int, Held], after: dict[int, Held]) -> None:
    for key, one in after.items():
        if one.used_at != before[key].used_at:
            Pack.objects.filter(pk=key).update(used_at=one.used_at)
        if before[key].expired and not one.expired:
            Pack.objects.filter(pk=key).update(closing=PackClosing.OPEN, closed_at=None)


def _given_back(
    told: Sequence[UsageEvent], rows: dict[int, Pack], gone: dict[int, MovementKind], *, now: datetime
) -> list[PackMovement]:
    """What the corrections give back; what comes back to a pack that is over has gone with it."""
    by_original = {one.corrects_id: one for one in told if one.corrects is not None}
    drawn = PackMovement.objects.filter(event__in=list(by_original), kind=MovementKind.DRAWN).order_by("pk")
    found = []
    for one in drawn:
        pack = rows[one.pack_id]
        found.append(_moved(pack, MovementKind.BACK, -one.millionths, by_original[one.event_id], now=now))
        if kind := gone.get(one.pack_id):
            found.append(_moved(pack, kind, one.millionths, now=now))
    return found


def close(pack: Pack, closing: PackClosing, *, now: datetime) -> int:
    """Take all that is left out of a (locked) pack, which is over: the millionths it still held."""
    left = pack.remaining
    kind = MovementKind.EXPIRED if closing == PackClosing.EXPIRED else MovementKind.REFUNDED
    if left:
        _moved(pack, kind, -left, now=now).save(force_insert=True)
    Pack.objects.filter(pk=pack.pk).update(closing=closing, closed_at=now)
    return left


# --- taking back -----------------------------------------------------------------------------------------------------


def of_invoice(invoice: Invoice) -> list[Pack]:
    """The packs that an invoice sold and that are still there, locked."""
    rows = Pack.objects.select_for_update(of=("self",)).filter(invoice=invoice, closing=PackClosing.OPEN)
    return list(rows.order_by("pk"))


def paid_by(payment: Payment) -> list[Pack]:
    """The packs whose order a payment paid for and that are still there, locked."""
    rows = Pack.objects.select_for_update(of=("self",)).filter(closing=PackClosing.OPEN)
    rows = rows.filter(Q(order=payment.order_id) | Q(invoice=payment.invoice_id))
    return list(rows.order_by("pk"))


def taken_out(pack: Pack, millionths: int, *, now: datetime) -> None:
    """Withdraw a part of what is left of a (locked) pack; without the rest it is over."""
    if millionths:
        _moved(pack, MovementKind.WITHDRAWN, -millionths, now=now).save(force_insert=True)
    if millionths == pack.remaining:
        Pack.objects.filter(pk=pack.pk).update(closing=PackClosing.WITHDRAWN, closed_at=now)


def credited(rows: Iterable[Pack], *, actor: Actor, now: datetime) -> None:
    """Their invoice has just been credited: where nothing of its price is left, the (locked) pack goes back with it.
    RuleViolation when it was used: then a part can be credited, and what is left stays usable."""
    for row in rows:
        invoice = Invoice.objects.get(pk=row.invoice_id)
        if invoice.credited_cents < invoice.total_cents:
            continue
        if row.remaining != row.bought:
            sentence = _("The pack %(pack)s has been used: a part of its price can be credited, not all of it.")
            raise RuleViolation(sentence % {"pack": row.reference}, rule=RULE)
        close(row, PackClosing.REFUNDED, now=now)
        tell("pack.refunded", row, now=now, actor=actor, rule=RULE,
             data={"pack": row.reference, "invoice": invoice.number})  # fmt: skip


# --- what is known of them -------------------------------------------------------------------------------------------


def paid_for(row: Subscription, meter: str, since: datetime, until: datetime) -> Decimal:
    """The units that a subscription used from `since` to `until` (excluded) and that packs paid for."""
    return Decimal(-(_draws(row, meter, since, until).aggregate(sum=Sum("millionths"))["sum"] or 0)) / MILLION


def named_for(row: Subscription, meter: str, since: datetime, until: datetime) -> list[str]:
    """The references of the packs that did."""
    found = _draws(row, meter, since, until).order_by("pack__reference")
    return list(found.values_list("pack__reference", flat=True).distinct())


def _draws(row: Subscription, meter: str, since: datetime, until: datetime) -> QuerySet[PackMovement]:
    return PackMovement.objects.filter(
        kind__in=OF_EVENTS, event__subscription=row, event__meter=meter, event__at__gte=since, event__at__lt=until
    ).order_by()


def last_day(row: Pack) -> date:
    """The last Paris day on which an open pack can be used, unless it is used before."""
    return paris_date(_held(row).expires_at) - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """A pack as it is shown: how much of it was used, its last day where it is open, whether it was used at all, and
    the months it is kept without a use."""

    row: Pack
    used: Decimal
    until: date
    was_used: bool
    months: int


def summed(rows: QuerySet[Pack]) -> QuerySet[Pack]:
    """Packs with all that `shown` asks for, in one query."""
    drawn = Sum("movements__millionths", filter=Q(movements__kind__in=OF_EVENTS))
    return rows.select_related("package", "invoice").annotate(drawn=Coalesce(drawn, 0))


def shown(row: Any) -> Shown:
    """A pack of `summed` with what is said of it."""
    used = Decimal(-row.drawn) / MILLION
    return Shown(row, used, last_day(row), row.used_at > row.bought_at, months_of(row))


def of_account(rows: QuerySet[Pack], meters: Iterable[str] | None = None) -> list[Shown]:
    """The packs of `rows`, those that are open first and then the newest; at most PAST of them."""
    wanted = rows if meters is None else rows.filter(meter__in=list(meters))
    return [shown(row) for row in summed(wanted).order_by("closing", "-pk")[:PAST]]
