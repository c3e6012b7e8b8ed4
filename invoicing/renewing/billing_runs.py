"""Billing runs: everything that is due, looked at by staff or by the clock, and nothing of it lost from sight.

A run says how many subscriptions it must bill and answers for each: billed, nothing to bill, waiting for a last
reading, or failed. One that cannot answer fell short, and waits for staff. Whoever bills (the clock, staff, both at
once), each day of a subscription is billed once: the run only reads what became of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q, Sum, Value
from django.utils.translation import gettext_lazy as _

from invoicing.accounting import ledger
from invoicing.models import (
    BillingRun,
    BillingRunItem,
    Invoice,
    InvoiceKind,
    ItemState,
    Posting,
    RunState,
    Subscription,
)
from invoicing.renewing import billing, drawing, in_bulk
from panel.core import bulk, due, events, hands, operations
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date
from panel.core.due import SweepReport
from panel.core.models import Operation
from panel.core.money import Cents

RULE = "SUB-5"
AT_ONCE = 500  # subscriptions that are answered for by one statement
AT_A_LOOK = 2_000  # that are billed, and answered for, between two looks of somebody at the progress
NOT_BILLED = "it was due, no error was told, and it is not billed"


# --- beginning -------------------------------------------------------------------------------------------------------


@transaction.atomic
def start(*, key: str, dry: bool, actor: Actor, now: datetime) -> BillingRun:
    """Staff begins a run over everything that is due at `now`; the same `key` is the same run. A worker carries it
    out."""
    try:
        with transaction.atomic():
            run = BillingRun.objects.create(
                key=f"staff:{key}", dry=dry, started_by_id=actor.user_id, as_of=now, created_at=now
            )
    except IntegrityError:
        return BillingRun.objects.get(key=f"staff:{key}")
    _expect(run, now)
    operations.enqueue(CarryOut.kind, key=f"billing_run:{run.pk}", now=now, subject=run, payload={"run": run.pk})
    events.record("invoicing.billing_run.started", now=now, actor=actor, subject=run, rule=RULE,
                  data={"expected": run.expected, "dry": dry})  # fmt: skip
    return run


def _expect(run: BillingRun, now: datetime) -> None:
    """Write down whom the run must answer for."""
    due_on = {
        "run_id": Value(run.pk),
        "subscription_id": F("pk"),
        "account_id": F("account"),
        "due_on": F("next_due_on"),
    }
    bulk.insert_from(BillingRunItem, billing.due_at(now), **due_on)
    run.expected = run.items.count()
    run.save(update_fields=["expected"])


@operations.register
class CarryOut(operations.Handler):
    """Bills what a run of staff expects. Cut off, it goes on where it stood."""

    kind = "invoicing.billing_run"
    label = _("Carry out a billing run")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        run = BillingRun.objects.get(pk=op.payload["run"])
        while items := bulk.read(run.items.filter(state=ItemState.DUE).order_by("pk")[:AT_A_LOOK]):
            if run.dry:
                _look(items, now=now)
            else:
                report = billing.renew(now, only=[item.subscription_id for item in items])
                _settle_all(items, _errors(report), now=now)
            _count(run)
        close(run, now=now)
        return {"run": run.pk, "state": run.state}


# --- what became of it -----------------------------------------------------------------------------------------------


def settle(items: Sequence[BillingRunItem], errors: Mapping[int, str], *, now: datetime) -> None:
    """Read off what became of subscriptions that were due: their invoices of the days from then to now. `errors`: what
    was told of a subscription."""
    mine = Subscription.objects.filter(pk__in=bulk.among(item.subscription_id for item in items))
    rows = {row.pk: row for row in bulk.read(mine, *ASKED)}
    today, issued = paris_date(now), _issued(items, rows, now=now)
    booked = _booked([invoice.number for found in issued.values() for invoice in found])
    for item in items:
        row, error = rows[item.subscription_id], errors.get(item.subscription_id, "")
        still = row.next_due_on is not None and row.next_due_on <= today
        _amounts(item, issued[row.pk], booked)
        if still and row.next_due_on is not None and not error and billing.waits(row, row.next_due_on, now):
            item.state = ItemState.WAITING
        elif still or error:
            item.state, item.error = ItemState.FAILED, (error or NOT_BILLED)[:300]
        else:
            item.state, item.error = (ItemState.BILLED if issued[row.pk] else ItemState.EMPTY), ""
    bulk.update(items, SETTLED)


ASKED = ("id", "reference", "state", "anchor_on", "next_due_on", "ended_at", "ends_on")
SETTLED = ["state", "error", "invoices", "invoice", "taxes", "net_cents", "vat_cents"]


def _errors(report: SweepReport) -> dict[int, str]:
    """What a report of `billing.renew` says of each subscription."""
    said: dict[int, list[str]] = {}
    for line in report.failed:
        pk, _sep, error = line.partition(": ")
        said.setdefault(int(pk), []).append(error)
    return {pk: "; ".join(errors) for pk, errors in said.items()}


def _issued(
    items: Sequence[BillingRunItem], rows: Mapping[int, Subscription], *, now: datetime
) -> dict[int, list[Invoice]]:
    """The invoices of each subscription's due days from the day it was due to today, oldest first."""
    days = {
        drawing.once(row, day): row.pk
        for item in items
        for row in [rows[item.subscription_id]]
        for day in drawing.days_due(row, item.due_on, paris_date(now))
    }
    found: dict[int, list[Invoice]] = {pk: [] for pk in rows}
    issued = Invoice.objects.filter(once__in=bulk.among(days)).order_by("pk")
    for invoice in bulk.read(issued, "id", "number", "once", "net_cents", "vat_cents"):
        found[days[invoice.once]].append(invoice)
    return found


def _look(items: Sequence[BillingRunItem], *, now: datetime) -> None:
    """Draw up by really issuing, in a transaction that is taken back: exactly what a run would do, and nothing of it
    stays. Ordinary ones by the hundreds, as a run has them; the others one by one, so that no document of somebody else
    waits long for its number."""
    for some in _batched(items, AT_ONCE):
        with transaction.atomic():
            left = set(in_bulk.renew([item.subscription_id for item in some], now=now, report=SweepReport()))
            settle([item for item in some if item.subscription_id not in left], {}, now=now)
            transaction.set_rollback(True)
        for item in some:
            if item.subscription_id in left:
                with transaction.atomic():
                    report = billing.renew(now, only=[item.subscription_id])
                    settle([item], _errors(report), now=now)
                    transaction.set_rollback(True)
            item.invoice_id = None
        bulk.update(some, SETTLED)


Booked = dict[str, list[tuple[str, str, Cents]]]


def _booked(numbers: Sequence[str]) -> Booked:
    """The sales and the VAT of invoices as the books have them: account, tax and cents, by number."""
    found: Booked = {}
    rows = Posting.objects.filter(
        entry__kind=InvoiceKind.INVOICE,
        entry__ref__in=bulk.among(numbers),
        ledger_account__code__in=[ledger.SALES, ledger.VAT],
    )
    for number, code, tax, cents in rows.values_list("entry__ref", "ledger_account__code", "tax_code", "cents"):
        found.setdefault(number, []).append((code, tax, cents))
    return found


def _amounts(item: BillingRunItem, issued: list[Invoice], booked: Booked) -> None:
    """What the invoices ask for, and by tax as the books have it."""
    taxes: dict[str, list[Cents]] = {}
    for code, tax, cents in (posted for invoice in issued for posted in booked.get(invoice.number, ())):
        taxes.setdefault(tax, [0, 0])[code == ledger.VAT] -= cents
    item.invoices, item.invoice_id, item.taxes = len(issued), issued[-1].pk if issued else None, taxes
    item.net_cents = sum(invoice.net_cents for invoice in issued)
    item.vat_cents = sum(invoice.vat_cents for invoice in issued)


def _count(run: BillingRun) -> None:
    """The figures of a run, read off its items."""
    found = run.items.aggregate(
        expected=Count("pk"), net_cents=Sum("net_cents", default=0), vat_cents=Sum("vat_cents", default=0),
        **{state: Count("pk", filter=Q(state=state)) for state in ("billed", "empty", "waiting", "failed")},
    )  # fmt: skip
    BillingRun.objects.filter(pk=run.pk).update(**found)


def close(run: BillingRun, *, now: datetime) -> None:
    """The end of a pass: every expected subscription is answered for, or the run fell short and waits for staff."""
    _count(run)
    taxes: dict[str, list[Cents]] = {}
    for one in run.items.exclude(taxes={}).values_list("taxes", flat=True):
        for name, (net, vat) in one.items():
            held = taxes.setdefault(name, [0, 0])
            held[0], held[1] = held[0] + net, held[1] + vat
    run.refresh_from_db()
    before, run.taxes = run.state, dict(sorted(taxes.items()))
    whole = run.failed == 0 and run.looked_at == run.expected
    run.state, run.finished_at = (RunState.DONE if whole else RunState.SHORT), now
    run.save(update_fields=["taxes", "state", "finished_at"])
    if before != run.state and run.state == RunState.SHORT:
        with transaction.atomic():
            unanswered = run.expected - run.looked_at + run.failed
            events.record("invoicing.billing_run.short", now=now, actor=CLOCK, subject=run, rule=RULE,
                          data={"expected": run.expected, "failed": unanswered})  # fmt: skip


# --- the clock's -----------------------------------------------------------------------------------------------------


def by_clock(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """The sweep: what is due at `now` is billed, and stands in the run of its Paris day; then the overdue marks."""
    if dry_run:
        return billing.run(now, dry_run=True)
    run = None
    if billing.due_at(now).exists():
        key = f"clock:{paris_date(now)}"
        run, _new = BillingRun.objects.get_or_create(key=key, defaults={"as_of": now, "created_at": now})
        _expect(run, now)
    report, late = billing.renew(now), billing.mark_overdue(now)
    if run is not None:
        failed = _errors(report)
        open_items = run.items.exclude(state__in=[ItemState.BILLED, ItemState.EMPTY]).order_by("pk")
        _settle_all(bulk.read(open_items), failed, now=now)
        close(run, now=now)
        known = set(run.items.filter(state=ItemState.FAILED).values_list("subscription_id", flat=True))
        report.failed += [f"{pk}: {NOT_BILLED}" for pk in sorted(known - failed.keys())]
    report.done += late.done
    report.failed += [f"invoice {line}" for line in late.failed]  # the others are keys of subscriptions
    _made_good(now)
    return report


def _settle_all(items: Sequence[BillingRunItem], errors: Mapping[int, str], *, now: datetime) -> None:
    """`settle`, some hundreds at a time."""
    hands.side_by_side(partial(settle, errors=errors, now=now), _batched(items, AT_ONCE))


def _batched(items: Sequence[BillingRunItem], size: int) -> list[Sequence[BillingRunItem]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


due.sweep("invoicing.renew", every_seconds=60)(by_clock)


def _made_good(now: datetime) -> None:
    """Runs that fell short and whose subscriptions have been billed since."""
    later = Q(subscription__next_due_on__gt=F("due_on")) | Q(subscription__next_due_on=None)
    items = BillingRunItem.objects.filter(later, run__state=RunState.SHORT, run__dry=False, state=ItemState.FAILED)
    runs = set(items.values_list("run", flat=True))
    _settle_all(bulk.read(items.order_by("pk")), {}, now=now)
    for run in BillingRun.objects.filter(pk__in=runs):
        close(run, now=now)
