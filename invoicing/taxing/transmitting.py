"""Documents and e-reports leave through the accredited platform, each once, and what becomes of them is followed."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from invoicing import platforms
from invoicing.journal import tell
from invoicing.models import Dispute, EReport, Invoice, Settlement, Transmission, TransmissionStatus
from invoicing.paying import value_dates
from invoicing.paying.settlement import NO_MONEY
from invoicing.platforms import Flow, Status
from invoicing.taxing import channel_rules, declared, platform_rules, turned_down
from panel.core import bulk, due, events, files, operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Event, Operation, subject_of
from panel.core.states import move

SEND, FOLLOW, COLLECTED = "invoicing.transmit", "invoicing.follow_platform", "invoicing.tell_collected"
FOLLOW_EVERY = 600  # seconds


def begin(invoice: Invoice, *, now: datetime) -> None:
    """A document is issued: what goes by e-invoicing is owed to the platform, inside the issuing transaction."""
    begin_all([invoice], now=now)


def begin_all(issued: Sequence[Invoice], *, now: datetime) -> None:
    """`begin` for many documents of one transaction."""
    rows = [
        bulk.new(Transmission, invoice_id=invoice.pk, account_id=invoice.account_id, created_at=now)
        for invoice in issued if channel_rules.way(invoice.channel) == channel_rules.E_INVOICING
    ]  # fmt: skip
    bulk.number(rows)
    bulk.insert(rows)
    if rows and platforms.get() is not None:
        operations.enqueue_all([_owed(row, now=now) for row in rows])


def _owed(row: Transmission | EReport, *, now: datetime) -> Operation:
    what = "transmission" if isinstance(row, Transmission) else "report"
    return operations.operation_of(
        SEND, key=f"platform:{what}:{row.pk}", now=now, account_id=getattr(row, "account_id", None), subject=row,
        payload={what: row.pk},
    )  # fmt: skip


@due.sweep("invoicing.follow", every_seconds=FOLLOW_EVERY)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Owe what was never handed in (there was no platform yet), and ask about what is on its way."""
    if platforms.get() is None:
        return due.SweepReport()
    waiting: list[Transmission | EReport] = [
        *Transmission.objects.filter(state=platform_rules.WAITING).order_by("pk")[:1000],
        *EReport.objects.filter(state=platform_rules.WAITING).order_by("pk")[:1000],
    ]
    under_way = _under_way()
    if dry_run:
        return due.SweepReport(would=[f"hand in {len(waiting)}, ask about {len(under_way)}"])
    report = due.SweepReport()
    with transaction.atomic():
        for row in waiting:
            operations.enqueue_row(_owed(row, now=now))
        if under_way:
            key = f"follow:{int(now.timestamp()) // FOLLOW_EVERY}"
            operations.enqueue(FOLLOW, key=key, now=now)
        report.done = len(waiting) + len(under_way)
    return report


def _under_way() -> list[str]:
    refs: list[str] = []
    for model in (Transmission, EReport):
        refs += [ref for ref in model.objects.filter(state__in=platform_rules.OPEN).order_by("pk")
                 .values_list("ref", flat=True) if ref]  # fmt: skip
    return refs


@transaction.atomic
def handed_in(row: Transmission | EReport, ref: str, *, now: datetime) -> None:
    """The platform took it under the name `ref`; told twice, it counts once."""
    held = type(row).objects.select_for_update().get(pk=row.pk)
    if held.state != platform_rules.WAITING:
        return
    held.ref, held.sent_at = ref, now
    held.save(update_fields=["ref", "sent_at"])
    _go(held, platform_rules.SENT, "", now=now)


@transaction.atomic
def heard(ref: str, told: Iterable[Status], *, now: datetime) -> None:
    """Keep what the platform says of a flow, and let its state follow. Order and repetition do not matter."""
    statuses = [status for status in told if status.code in platform_rules.CODES]
    row: Transmission | EReport | None = Transmission.objects.select_for_update().filter(ref=ref).first()
    if isinstance(row, Transmission):
        TransmissionStatus.objects.bulk_create(
            [TransmissionStatus(transmission=row, account_id=row.account_id, code=status.code, at=status.at,
                                note=status.note) for status in statuses],
            ignore_conflicts=True,
        )  # fmt: skip
    else:
        row = EReport.objects.select_for_update().filter(ref=ref).first()
    if row is None:
        return
    state = platform_rules.state_after(row.state, [status.code for status in statuses])
    if state != row.state:
        notes = [status.note for status in statuses if status.note]
        _go(row, state, notes[-1] if notes else "", now=now)


def _go(row: Transmission | EReport, state: str, reason: str, *, now: datetime) -> None:
    move(row, state, platform_rules.TRANSITIONS)
    row.reason = reason[:500] if state in platform_rules.FINAL else row.reason
    row.ended_at = now if state in platform_rules.FINAL else None
    row.save(update_fields=["reason", "ended_at"])
    if state in turned_down.STATES:
        turned_down.wait(row, now=now)
    if isinstance(row, Transmission):
        data = {"invoice": row.invoice.number, "reason": row.reason}
        tell(f"transmission.{state}", row, now=now, actor=SYSTEM, rule="INV-10", data=data)
    else:
        data = {"report": row.name, "reason": row.reason}
        events.record(f"invoicing.e_report.{state}", now=now, actor=SYSTEM, subject=row, rule="INV-10", data=data)


@events.subscriber("invoicing.invoice.paid", "platform.collected")
@events.subscriber("invoicing.invoice.part_paid", "platform.part_collected")
@events.subscriber("invoicing.invoice.recovered", "platform.recovered")
def paid(event: Event, *, now: datetime) -> None:
    """VAT on services falls due with the money: the platform is told of each part of an e-invoice that is paid (status
    212) with the bank's day, also of what was written off and came in after all. What a won dispute brought back had
    been told already."""
    row = Transmission.objects.filter(invoice__number=event.data["invoice"]).select_related("invoice").first()
    money = Settlement.objects.exclude(means__in=NO_MONEY).select_related("entry")
    last = money.filter(invoice=row.invoice_id).order_by("-pk").first() if row is not None else None
    if row is not None and last is not None:
        _tell_collected(row, value_dates.instant(last), event, now=now, came_in=True)


@events.subscriber("invoicing.invoice.credit_noted", "platform.given_back")
@events.subscriber("invoicing.manual_payment.taken_back", "platform.not_paid")
def given_back(event: Event, *, now: datetime) -> None:
    """What a credit note took off a paid e-invoice is told with a minus: it pays the next one, or goes back. So is a
    payment by hand that staff took back."""
    number = event.data.get("credits") or event.data["invoice"]
    for row in Transmission.objects.filter(invoice__number=number).select_related("invoice"):
        _tell_collected(row, event.at, event, now=now)


@events.subscriber("invoicing.dispute.lost", "platform.taken_back")
def taken_back(event: Event, *, now: datetime) -> None:
    """What the payer's bank took back for good is told with a minus: its VAT is due no longer (CGI art. 272). While a
    dispute is undecided nothing is told."""
    ref = Dispute.objects.values_list("provider_ref", flat=True).get(pk=event.subject_id or 0)
    reopened = Settlement.objects.filter(entry__kind="dispute", entry__ref=ref).values("invoice")
    for row in Transmission.objects.filter(invoice__in=reopened).select_related("invoice").order_by("pk"):
        _tell_collected(row, event.at, event, now=now)


def _tell_collected(row: Transmission, at: datetime, event: Event, *, now: datetime, came_in: bool = False) -> None:
    """Owe the platform what came in for an e-invoice, less what it is told already; below zero when money went back,
    but not because some `came_in`: what a bank took is undecided then."""
    if platforms.get() is None:
        return
    Transmission.objects.select_for_update(of=("self",)).get(pk=row.pk)
    told = Operation.objects.filter(kind=COLLECTED, **subject_of(row)).exclude(state=Operation.State.CANCELLED)
    left = Counter(declared.paid_by_rate(row.invoice))
    for amounts in told.values_list("payload__amounts", flat=True):
        left.subtract(amounts or {})
    amounts = {rate: cents for rate, cents in left.items() if cents}
    if amounts and not (came_in and sum(amounts.values()) <= 0):
        operations.enqueue(
            COLLECTED, key=f"collected:{row.pk}:{event.pk}", now=now, account_id=row.account_id, subject=row,
            payload={"transmission": row.pk, "at": at.isoformat(), "amounts": amounts},
        )  # fmt: skip


def _platform() -> platforms.Platform:
    found = platforms.get()
    if found is None:
        raise ProviderError("no platform is configured any more")
    return found


@operations.register
class Send(operations.Handler):
    """Hands one document or report in under its own key; before a second attempt it is looked for there."""

    kind = SEND
    label = _("Hand in at the e-invoicing platform")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = _row(op)
        flow = _of_document(row) if isinstance(row, Transmission) else _of_report(row)
        return {"ref": _platform().hand_in(flow, key=op.key)}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        ref = _platform().find(op.key)
        return {"ref": ref} if ref else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        handed_in(_row(op), result["ref"], now=now)


def _row(op: Operation) -> Transmission | EReport:
    if "transmission" in op.payload:
        return Transmission.objects.select_related("invoice__pdf").get(pk=op.payload["transmission"])
    return EReport.objects.get(pk=op.payload["report"])


def _of_document(row: Transmission) -> Flow:
    invoice = row.invoice
    if invoice.pdf is None:
        raise NotYet(30, "the document is being rendered")
    return Flow(platforms.INVOICE, invoice.number, invoice.channel, platforms.FACTUR_X, files.read(invoice.pdf))


def _of_report(row: EReport) -> Flow:
    told = {"kind": row.kind, "start": row.start.isoformat(), "end": row.end.isoformat(), **row.content}
    content = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return Flow(platforms.REPORT, row.name, channel_rules.B2C, platforms.OURS, content)


@operations.register
class Follow(operations.Handler):
    """Asks how everything on its way stands."""

    kind = FOLLOW
    label = _("Ask the e-invoicing platform")
    kept = timedelta(days=2)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        told = _platform().statuses(_under_way())
        return {"told": {ref: [[one.code, one.at.isoformat(), one.note] for one in rows] for ref, rows in told.items()}}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        for ref, rows in result["told"].items():
            heard(ref, [Status(code, datetime.fromisoformat(at), note) for code, at, note in rows], now=now)


@operations.register
class TellCollected(operations.Handler):
    """Tells the platform what came in for an e-invoice, or went back; it counts a repeat under the same key once."""

    kind = COLLECTED
    label = _("Tell the e-invoicing platform of a payment")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = Transmission.objects.select_related("invoice").get(pk=op.payload["transmission"])
        if row.state == platform_rules.WAITING or not row.ref:
            raise NotYet(60, "the invoice is not handed in yet")
        if row.state in turned_down.STATES:
            return {"told": False}
        _platform().collected(row.ref, op.payload["amounts"], datetime.fromisoformat(op.payload["at"]), key=op.key)
        return {"told": True}
