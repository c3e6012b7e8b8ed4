"""What the next invoice will be: drawn by the same function as the invoice itself (SUB-5, INV-1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import get_language

from invoicing.consuming import metering
from invoicing.models import Consumption, Subscription
from invoicing.renewing import billing
from invoicing.renewing.drawing import Drawn
from invoicing.subscribing import kinds
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next invoice of a subscription as things stand. `final`: it is due, and nothing of it will move any more.
    `refusal`: why it cannot be drawn up, such as a VAT rate that is not on file."""

    row: Subscription
    name: str
    drawn: Drawn | None
    final: bool = False
    refusal: str = ""
    held_back: Cents = 0
    """Consumption so far, VAT included, that is too little for an invoice of its own and comes with this one."""

    @property
    def total_cents(self) -> Cents:
        return self.drawn.totals.total if self.drawn else 0


def next_invoice(row: Subscription, *, now: datetime) -> Upcoming | None:
    """The next invoice that will have lines, with what the meters say at `now`; None when none will come."""
    if row.next_due_on is None:
        return None
    name = kinds.get(row.service_kind).describe(row, get_language() or "en")
    try:
        drawn = _foreseen(row.pk, row.next_due_on, now=now)
        held_back = drawn.held_back
        if not drawn.lines and row.ended_at is None and row.next_due_on < row.period_end:
            drawn = _foreseen(row.pk, row.period_end, now=now)
    except RuleViolation as refusal:
        return Upcoming(row, name, None, refusal=refusal.sentence)
    due = drawn.day <= paris_date(now) and not billing.waits(row, drawn.day, now)
    return Upcoming(row, name, drawn, due, held_back=held_back) if drawn.lines else None


def _foreseen(pk: int, day: date, *, now: datetime) -> Drawn:
    """What is planned until then happens, is drawn up, and is taken back."""
    with transaction.atomic():
        row = Subscription.objects.select_related("account", "package").get(pk=pk)
        drawn = billing.foresee(row, day, now=now)
        transaction.set_rollback(True)
    return drawn


def next_invoices(rows: Iterable[Subscription], *, now: datetime) -> list[Upcoming]:
    """Of several subscriptions, the soonest first; those that cannot be drawn up before all others."""
    found = [upcoming for row in rows if (upcoming := next_invoice(row, now=now)) is not None]
    return sorted(found, key=lambda one: (one.drawn is not None, one.drawn.day if one.drawn else one.row.period_end))


def running(row: Subscription, *, now: datetime) -> list[Consumption]:
    """The month that runs, meter by meter, as it would be rated now; not saved, nothing for an ended subscription."""
    if row.next_due_on is None:
        return []
    counted = billing.draw(row, row.next_due_on, now=now, final=False).counted
    return [one for one in counted if not one.evidence.get(metering.SETTLES)]
