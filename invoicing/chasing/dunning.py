"""What an unpaid invoice leads to, by itself: reminders, each once per invoice and stage (INV-14).

Nothing happens to an invoice that is paid, contested (TIC-6), or being paid while we look. A late run sends the
reminder that is due then, never the ones it missed.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Max, Value
from django.db.models.functions import Coalesce

from invoicing.chasing import dunning_rules, late, suspending, terminating, unpaid
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Invoice, InvoiceState, Reminder
from invoicing.paying import settlement
from panel import terms
from panel.core import bulk, due, mail
from panel.core.actors import CLOCK
from panel.core.calendars import paris_date
from panel.core.due import SweepReport


def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Everything that unpaid invoices lead to at `now`: a reminder, a suspension, the end of services, late fees."""
    report = SweepReport()
    for step in (remind, suspending.decide, terminating.run, late.run):
        found = step(now, dry_run=dry_run)
        report.done += found.done
        report.failed += found.failed
        report.would += found.would
    return report


due.sweep("invoicing.dun", every_seconds=600)(run)


# --- reminders -------------------------------------------------------------------------------------------------------


def remind(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Send the reminders that are due at `now`."""
    enough = _late_enough(now)
    if not enough:
        return SweepReport()
    rows = unpaid.chased(Invoice.objects.filter(pk__in=bulk.among(enough))).order_by("due_on", "pk")
    waiting = [(row, stage) for row in unpaid.followed(rows) if (stage := _stage_due(row, now=now)) is not None]
    if dry_run:
        return SweepReport(would=[f"remind of {row.number}, stage {stage}" for row, stage in waiting])
    return due.each([row.pk for row, _stage in waiting], lambda pk: _remind(pk, now=now))


def _late_enough(now: datetime) -> list[int]:
    """Overdue invoices whose next reminder would be due if no day of theirs was left out: this asks little, and most
    of the time there is none."""
    rows = Invoice.objects.filter(state=InvoiceState.OVERDUE).annotate(sent=Coalesce(Max("reminders__stage"), Value(0)))
    today = paris_date(now)
    return [
        pk for pk, due_on, version, sent in rows.values_list("pk", "due_on", "terms_version", "sent")
        if dunning_rules.stage_due(
            dunning_rules.days_late(due_on, today), terms.version(version).invoicing.remind_days, sent
        ) is not None
    ]  # fmt: skip


def _stage_due(invoice: Invoice, *, now: datetime) -> int | None:
    facts, after = unpaid.facts(invoice), terms.version(invoice.terms_version).invoicing.remind_days
    days = dunning_rules.days_late(facts.due_on, paris_date(now), facts.stops)
    return dunning_rules.stage_due(days, after, facts.sent)


@transaction.atomic
def _remind(pk: int, *, now: datetime) -> None:
    """Under the account's lock, which every payment takes: nobody is reminded of what is just being settled."""
    settlement.lock_account(Invoice.objects.values_list("account_id", flat=True).get(pk=pk))
    invoice = unpaid.followed(Invoice.objects.filter(pk=pk)).get()
    stage = _stage_due(invoice, now=now)
    still = unpaid.chased(Invoice.objects.filter(pk=pk, state=InvoiceState.OVERDUE)).exists()
    if stage is None or not still:
        return
    days = dunning_rules.days_late(invoice.due_on, paris_date(now), unpaid.stops(invoice.stops.all()))
    row = Reminder.objects.create(
        invoice=invoice, account=invoice.account, stage=stage, days_late=days, due_cents=invoice.due_cents, sent_at=now
    )
    _write(invoice, stage, days, now=now)
    tell("reminder.sent", row, now=now, actor=CLOCK, rule="INV-14",
         data={"invoice": invoice.number, "stage": stage, "due_cents": invoice.due_cents})  # fmt: skip


def _write(invoice: Invoice, stage: int, days: int, *, now: datetime) -> None:
    language = texts.language_of(invoice.account.language)
    version = terms.version(invoice.terms_version)
    suspension = next((step for step in unpaid.coming(invoice, now=now) if step.kind == dunning_rules.SUSPENSION), None)
    mail.send(
        f"reminder_{dunning_rules.tone(stage, version.invoicing.remind_days)}", to=invoice.account.billing_email,
        lang=language, key=f"reminder:{invoice.number}:{stage}", now=now, account_id=invoice.account_id,
        subject=invoice,
        context={
            "name": invoice.account.name, "number": invoice.number, "late": days,
            "due": texts.money(language, invoice.due_cents), "due_on": texts.day(language, invoice.due_on),
            "interest": bool(invoice.document["business"]),
            "times": texts.decimal(language, version.late_payment.legal_rate_times),
            "recovery": texts.money(language, version.late_payment.recovery_costs),
            "suspended_on": texts.day(language, suspension.on) if suspension and suspension.on else "",
            "rule": suspension.rule if suspension else "", "path": f"/billing/invoices/{invoice.number}/",
        },
    )  # fmt: skip
