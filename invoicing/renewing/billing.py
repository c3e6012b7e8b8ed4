"""What is invoiced by itself (SUB-5, INV-1, SRV-5): renewals on the anniversary, in advance, with the consumption of
the traffic months that ended; what is overdue (INV-14).

A subscription is looked at on each of its monthly days (`next_due_on`): every traffic month that ended there is rated,
and where a contractual period ends too the next one is invoiced. An annual subscription's overage is thus invoiced
monthly, never a year late. A late run makes the same invoices, one for each day it missed, in order.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from django.db import transaction
from django.db.models import QuerySet

from invoicing import rules
from invoicing.chasing import unpaid
from invoicing.compensating import service_credits
from invoicing.consuming import metering
from invoicing.documents import texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.models import (
    Consumption,
    Invoice,
    InvoiceState,
    ServiceTransfer,
    Subscription,
    SubscriptionState,
    TransferState,
)
from invoicing.offering import promotions
from invoicing.paying import collecting, settlement
from invoicing.renewing import drawing, in_bulk
from invoicing.renewing.drawing import Drawn, Found
from invoicing.subscribing import changes, kinds, subscriptions
from invoicing.subscribing.kinds import UsageLine, UsagePeriod
from invoicing.subscribing.period_rules import Period
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import due
from panel.core.actors import CLOCK
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.due import SweepReport
from panel.core.errors import NotYet
from panel.core.states import move
from panel.terms import Terms

CORRECTED = ("Usage corrected after the invoice", "Consommation corrigée après la facture")


def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Everything that is due at `now`: renewals and consumption, then the overdue marks."""
    report = renew(now, dry_run=dry_run)
    for found in (mark_overdue(now, dry_run=dry_run),):
        report.done += found.done
        report.failed += found.failed
        report.would += found.would
    return report


def due_at(now: datetime) -> QuerySet[Subscription]:
    """Subscriptions with something to bill by the Paris day of `now`, in the order of their days."""
    return Subscription.objects.filter(next_due_on__lte=paris_date(now)).order_by("next_due_on", "pk")


def renew(now: datetime, *, dry_run: bool = False, only: Sequence[int] | None = None) -> SweepReport:
    """Invoice what every subscription (or `only` these) owes up to the Paris day of `now`."""
    waiting = due_at(now) if only is None else due_at(now).filter(pk__in=only)
    if dry_run:
        return SweepReport(would=[f"invoice {row.reference} for {row.next_due_on}" for row in waiting])
    report = SweepReport()
    for pk in in_bulk.renew(list(waiting.values_list("pk", flat=True)), now=now, report=report):
        more = [True]
        while more == [True]:  # one transaction for each day that is due: a late run is the same as several in time
            more = []
            due.each([pk], lambda one, more=more: more.append(_step(one, now=now)), report=report)  # type: ignore[misc]
    return report


def waits(row: Subscription, day: date, now: datetime) -> bool:
    """Whether the last reading of an ended month is still on its way. Nothing but the end of the subscription waits
    for it longer than WAIT_FOR_USAGE."""
    return unread(row, day) and (row.state == SubscriptionState.TERMINATED or drawing.still_waits(day, now))


def unread(row: Subscription, day: date) -> bool:
    """Whether a meter was not read yet since a month ended that is to be rated by `day`."""
    try:
        _count(row, day)
    except NotYet:
        return True
    return False


def _step(pk: int, *, now: datetime) -> bool:
    """Invoice one due day of one subscription: what its meters counted, and the next period where one begins. False
    when nothing is due, or not yet."""
    row = subscriptions.locked(pk)
    day = row.next_due_on
    if day is None or day > paris_date(now):
        return False
    if day == row.ends_on:
        subscriptions.end_at_term(row, now=now)
    if waits(row, day, now):
        return False
    if drawing.renews(row, day):
        changes.at_renewal(row, day, now=now)
    _bill_earlier_holders(row, day, now=now)
    drawn = drawing.together(row, draw(row, day, now=now))
    invoice = _issue(row, drawn, now=now)
    give_back(drawn.counted, now=now)
    _remember(row, drawn, invoice)
    if invoice is not None:
        service_credits.remember(drawn.taken, invoice, now=now)
    service_credits.give_back_after_the_end(row, now=now)
    if drawn.renewed:
        tell("subscription.renewed", row, now=now, actor=CLOCK, rule="SUB-5", data=drawing.said_of(row, drawn.renewed))
    return True


def draw(row: Subscription, day: date, *, now: datetime, final: bool = True) -> Drawn:
    """The lines of `day`: the period that begins, in advance, and what the meters counted, in arrears. Reads only.

    `final` False takes meters as they stand now, for a month that has not ended.
    """
    before = terms.version(row.terms_version)  # LEG-1: consumption is priced by the terms its period began under
    ahead = terms.keeping_special(terms_in_force.at(row.account, start_of_paris_day(day)), row.terms_version)
    return parties.taxed(
        row.account, ahead, lambda treatment: _drawn(row, day, before, ahead, treatment, final=final),
        lambda made: made.totals.net, now=now,
    )[1]  # fmt: skip


def _drawn(row: Subscription, day: date, before: Terms, ahead: Terms, treatment: VatTreatment, *, final: bool) -> Drawn:
    language = texts.language_of(row.account.language)
    try:
        counts: drawing.Counts | None = _count(row, day, final=final)
    except NotYet:
        counts = None
    used = tax_rules.of_item(treatment, row.package.vat)  # what a service consumes is taxed as the service is
    metered = metering.rate(row, drawing.months(row, day), before, used, language)
    found = Found(day, before, ahead, treatment, counts, metered, parts_of(row))
    if drawing.renews(row, day):
        held = row.options.filter(drawing.runs_on(row.period_end)).select_related("option")
        service = kinds.get(row.service_kind).describe(row, language)
        options = list(held.order_by(*drawing.OPTIONS_IN_ORDER))
        found = replace(found, service=service, options=options, promotion=promotions.at_renewal(row, row.period_end))
    drawn = drawing.drawn(row, found)
    taken = service_credits.taken_by(row, drawn.lines)
    return replace(drawn, lines=[*drawn.lines, *(service_credits.line_off(one) for one in taken)], taken=taken)


def foresee(row: Subscription, day: date, *, now: datetime) -> Drawn:
    """`draw`, once what is planned for `day` has happened: an end, a change. The caller takes all of it back."""
    then = max(now, start_of_paris_day(day))
    if day == row.ends_on:
        subscriptions.end_at_term(row, now=then)
    if drawing.renews(row, day):
        changes.at_renewal(row, day, now=then)
    drawn = draw(row, day, now=now, final=day <= paris_date(now) and not waits(row, day, now))
    return drawing.together(row, drawn)


def _issue(row: Subscription, drawn: Drawn, *, now: datetime) -> Invoice | None:
    if not drawn.lines:
        return None
    return invoices.issue(
        row.account, [Billed(line, row) for line in drawn.lines], once=drawing.once(row, drawn.day),
        terms_version=drawn.version.name, treatment=drawn.treatment, now=now, actor=CLOCK, reference=row.reference,
        collected=collecting.has_means(row.account),
    )  # fmt: skip


# --- consumption -----------------------------------------------------------------------------------------------------


def _count(row: Subscription, day: date, *, final: bool = True) -> list[tuple[Period, UsageLine]]:
    """What the meters counted in the months that ended; NotYet while a last reading is missing and it must be
    `final`."""
    kind = kinds.get(row.service_kind)
    count = kind.usage if final else kind.usage_so_far
    return [
        (month, line)
        for month in drawing.months(row, day)
        for line in count(row, UsagePeriod(month.start, month.end))
        if not Consumption.objects.filter(
            subscription=row, meter=line.meter, start=month.start, until_transfer=False
        ).exists()
    ]


def parts_of(row: Subscription) -> drawing.Parts:
    """What earlier holders of the service used of the months that are still to be rated."""
    found: dict[tuple[str, date], list[Consumption]] = {}
    mine = Consumption.objects.filter(subscription=row, until_transfer=True, start__gte=row.usage_from)
    for one in mine.order_by("number"):
        found.setdefault((one.meter, one.start), []).append(one)
    return found


def _bill_earlier_holders(row: Subscription, day: date, *, now: datetime) -> None:
    """What came late of the time before a transfer is for who had the service then: invoiced to them and given back to
    them by documents of their own (SUB-2, OPR-1)."""
    given = ServiceTransfer.objects.filter(subscription=row, state=TransferState.ACCEPTED)
    before = set(given.values_list("account", flat=True)) - {row.account_id}
    if not before or not row.usage_events.exists():
        return
    for pk in sorted({*before, row.account_id}):  # in one order everywhere, as where it was handed over
        settlement.lock_account(pk)
    for giver in Account.objects.filter(pk__in=before).order_by("pk"):
        ahead, version = terms_in_force.at(giver, start_of_paris_day(day)), terms.version(row.terms_version)

        def drawn(treatment: VatTreatment, giver: Account = giver, version: Terms = version) -> Drawn:
            used, language = tax_rules.of_item(treatment, row.package.vat), texts.language_of(giver.language)
            found = metering.rate(row, (), version, used, language, holder=giver.pk)
            return Drawn(day, found.lines, found.rows, None, waits=False, version=version, treatment=treatment)

        made = parties.taxed(giver, ahead, drawn, lambda one: one.totals.net, now=now)[1]
        made = drawing.together(row, made)
        invoice = invoices.issue(
            giver, [Billed(line, row) for line in made.lines], once=f"{drawing.once(row, day)}:{giver.reference}",
            terms_version=version.name, treatment=made.treatment, now=now, actor=CLOCK, reference=row.reference,
            collected=collecting.has_means(giver),
        ) if made.lines else None  # fmt: skip
        give_back(made.counted, now=now)
        for one in made.counted:
            one.invoice = invoice if one.net_cents > 0 else one.invoice
            one.save(force_insert=True)


def give_back(counted: Sequence[Consumption], *, now: datetime) -> None:
    """What late corrections take off a month that was invoiced goes back by credit notes, the newest bill first."""
    for one in counted:
        left = -one.net_cents
        billed = Consumption.objects.filter(
            subscription=one.subscription, account=one.account_id, meter=one.meter, start=one.start, net_cents__gt=0
        ).select_related("invoice").order_by("-number")  # fmt: skip
        for before in billed if left > 0 else ():
            if before.invoice is None or left <= 0:
                continue
            rows = list(before.invoice.lines.all())
            wanted = []
            for row, creditable in zip(rows, invoices.creditable(rows), strict=True):
                ours = row.code == f"usage:{one.meter}" and row.period_start is not None
                ours = ours and before.start <= row.period_start < before.end  # type: ignore[operator]
                share = min(left, creditable.net - creditable.credited) if ours else 0
                wanted.append(share)
                left -= share
            if any(wanted):
                one.invoice = invoices.credit(
                    before.invoice, wanted, reason=_corrected(before.invoice), now=now, actor=CLOCK,
                    once=f"usage:{one.subscription.reference}:{one.meter}:{one.start}:{one.number}:{before.number}",
                )  # fmt: skip


def _corrected(invoice: Invoice) -> str:
    return CORRECTED[1 if invoice.document["language"] == "fr" else 0]


def _remember(row: Subscription, drawn: Drawn, invoice: Invoice | None) -> None:
    """What was invoiced is written down under unique keys: no period and no month is ever billed twice."""
    period = drawing.advance(row, drawn, invoice)
    for consumption in drawn.counted:
        consumption.save(force_insert=True)
    if period:
        period.save(force_insert=True)
    row.save(update_fields=drawing.MOVED)


# --- overdue ---------------------------------------------------------------------------------------------------------


def mark_overdue(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """INV-14: an open invoice is overdue from the day after its due date (Paris), not while a bank carries the debit of
    it out, nor while our charges do not get through."""
    late = unpaid.chased(Invoice.objects.filter(due_on__lt=paris_date(now), state=InvoiceState.OPEN))
    if dry_run:
        return SweepReport(would=[f"mark {invoice.number} overdue" for invoice in late])
    return due.each(list(late.values_list("pk", flat=True)), lambda pk: _overdue(pk, now=now))


@transaction.atomic
def _overdue(pk: int, *, now: datetime) -> None:
    invoice = Invoice.objects.select_for_update(of=("self",)).get(pk=pk)
    still = unpaid.chased(Invoice.objects.filter(pk=pk, state=InvoiceState.OPEN)).exists()
    if not still or not rules.is_overdue(invoice.due_on, paris_date(now)):
        return
    move(invoice, InvoiceState.OVERDUE, rules.INVOICE_TRANSITIONS)
    Invoice.objects.filter(pk=pk).update(overdue_at=now)
    tell("invoice.overdue", invoice, now=now, actor=CLOCK, rule="INV-14", data={"invoice": invoice.number})
