"""Files of debits for the bank: made once and frozen, handed over, or discarded (INV-5, OPR-3, invariant 23).

A file that was made is no money, nor is one that the bank took: `outcomes` says what came of each debit.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.debiting import debit_rules, debits, pain008, papers
from invoicing.debiting.debits import Candidate
from invoicing.debiting.pain008 import Wanted
from invoicing.models import BatchState, Debit, DebitBatch, DebitState, Mandate, Payment, PaymentState
from invoicing.paying import payments
from invoicing.paying.payments import Finding
from panel.core import due, events, operations, references
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event, Operation
from panel.core.states import move

JUDGE, RECALL = "debits.judge", "recall"
MOST = 5_000
"""Debits in one file at most; the next file takes the rest."""


def candidates(until: date, *, now: datetime) -> list[Candidate]:
    """The dry run: every announced debit up to the day `until`, with what keeps it out. The file takes those that
    nothing keeps out."""
    return debits.judged(debits.announced().filter(debit_on__lte=until)[:MOST], now=now)


@transaction.atomic
def make(*, key: str, until: date, actor: Actor, now: datetime) -> DebitBatch:
    """The file with every debit up to `until` that may go, once per `key`. RuleViolation when there is none."""
    before = DebitBatch.objects.filter(key=key).first()
    if before is not None:
        return before
    waiting = Debit.objects.select_for_update(of=("self",)).filter(state=DebitState.ANNOUNCED, debit_on__lte=until)
    held = list(waiting.order_by("pk").values_list("pk", flat=True))
    before = DebitBatch.objects.filter(key=key).first()
    if before is not None:  # made while we waited for its rows
        return before
    rows = debits.known(Debit.objects.filter(pk__in=held)).order_by("debit_on", "pk")[:MOST]
    taken = [one.debit for one in debits.judged(rows, now=now) if not one.hindrance]
    if not taken:
        raise RuleViolation(_("There is no debit that could go to the bank by this day."), rule="INV-5")
    reference, format_ = references.new("SDD"), str(settings.CLAUSE_SEPA["format"])
    raw = pain008.write(
        pain008.creditor(), [_wanted(row) for row in taken], reference=reference, made_at=now, format_=format_
    )
    blob, digest = papers.keep(raw, name=f"{reference}.xml", now=now)
    batch = DebitBatch.objects.create(
        reference=reference, key=key, format=format_, until=until, blob=blob, sha256=digest, count=len(taken),
        total_cents=sum(row.cents for row in taken), made_at=now, made_by_id=actor.user_id or 0,
    )  # fmt: skip
    Debit.objects.filter(pk__in=[row.pk for row in taken]).update(state=DebitState.PLACED, batch=batch)
    told(batch, "made", actor=actor, now=now, sha256=digest)
    return batch


def _wanted(debit: Debit) -> Wanted:
    mandate = debit.mandate
    return Wanted(
        reference=debit.payment.reference, cents=debit.cents, debit_on=debit.debit_on, mandate=mandate.reference,
        signed_on=paris_date(mandate.signed_at or mandate.created_at), holder=mandate.holder, iban=mandate.iban,
        bic=mandate.bic, text=f"{settings.CLAUSE_BRAND['name']} {debit.invoice.number}",
    )  # fmt: skip


def content(batch: DebitBatch) -> bytes:
    """The file as it was made."""
    return papers.read(batch.blob, batch.sha256)


def stopped(batch: DebitBatch, *, now: datetime) -> list[Candidate]:
    """Debits of a file that may no longer be collected, and why. Days count from when the file was made: the bank may
    have had it since."""
    rows = debits.known(Debit.objects.filter(batch=batch, state=DebitState.PLACED)).order_by("pk")
    return [one for one in debits.judged(rows, now=now, today=paris_date(batch.made_at)) if one.hindrance]


@transaction.atomic
def hand_over(batch: DebitBatch, *, actor: Actor, now: datetime, already: bool = False) -> DebitBatch:
    """Staff has given the file to the bank; a repeat changes nothing. `Sent` follows it up, debit by debit.

    RuleViolation when something in it may no longer be collected: then it is discarded and made anew. But not when the
    bank has it `already`: another file would debit the customers twice. All of it is on its way then, and what should
    not have gone waits for a person, who has it recalled or gives it back.
    """
    held = _hold(batch)
    if held.state == BatchState.SENT:
        return held
    if held.state == BatchState.CANCELLED:
        raise RuleViolation(_("This file was discarded."), rule="INV-5")
    wrong = stopped(held, now=now)
    if wrong and not already:
        numbers = ", ".join(one.debit.invoice.number for one in wrong[:10])
        sentence = _(
            "These may no longer be collected: %(invoices)s. Discard the file and make it anew; or, if the bank has it "
            "already, say so."
        )
        raise RuleViolation(sentence % {"invoices": numbers}, rule="INV-5")
    mark_sent(held, actor=actor, now=now)
    for one in wrong:
        reference = one.debit.payment.reference
        operations.enqueue(
            JUDGE, key=f"judge-debit:{RECALL}:{reference}", now=now, account_id=one.debit.account_id, subject=one.debit,
            payload={"why": RECALL, "what": f"{reference}: {one.hindrance}"},
        )  # fmt: skip
    return held


def mark_sent(batch: DebitBatch, *, actor: Actor, now: datetime) -> None:
    """The bank has the file, which was made and not discarded; `Sent` says so of each debit. The caller holds it."""
    move(batch, BatchState.SENT, debit_rules.BATCH_TRANSITIONS)
    batch.sent_at, batch.sent_by_id = now, actor.user_id
    batch.save(update_fields=["sent_at", "sent_by"])
    told(batch, "sent", actor=actor, now=now)
    operations.enqueue(
        Sent.kind, key=f"debits-sent:{batch.reference}", now=now, subject=batch, payload={"batch": batch.pk}
    )


@operations.register
class Sent(operations.Handler):
    """The debits of a file that the bank has are under way, and their mandates were used: each in a transaction of its
    own, thousands of them. One that the bank answered for meanwhile is left alone, so a repeat does the rest."""

    kind = "debits.sent"
    label = gettext_lazy("Mark the debits of a file as with the bank")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        placed = Debit.objects.filter(batch=op.payload["batch"], state=DebitState.PLACED).order_by("payment_id")
        return one_by_one(placed.values_list("payment_id", flat=True), lambda pk: self._one(pk, now=now))

    def _one(self, payment_id: int, *, now: datetime) -> None:
        Payment.objects.select_for_update(of=("self",)).get(pk=payment_id)
        debit = Debit.objects.select_for_update(of=("self",)).get(payment=payment_id)
        if debit.state == DebitState.PLACED:
            payments.conclude(payment_id, Finding(PaymentState.PROCESSING), now=now)
            used(debit)
            move(debit, DebitState.SENT, debit_rules.DEBIT_TRANSITIONS)


def one_by_one(ids: Iterable[int], deed: Callable[[int], object]) -> dict[str, Any]:
    """The result of an operation that does each of many in a transaction of its own. ProviderError once all were tried
    and some failed: the next try does those."""
    report = due.each(list(ids), deed)
    if report.failed:
        raise ProviderError(f"{len(report.failed)} of {len(report.failed) + report.done}: {report.failed[0]}")
    return {"done": report.done}


def used(debit: Debit) -> None:
    """Its mandate was presented for the day of the debit."""
    rows = Mandate.objects.filter(pk=debit.mandate_id).exclude(last_used_on__gte=debit.debit_on)
    rows.update(last_used_on=debit.debit_on)


@transaction.atomic
def discard(batch: DebitBatch, *, reason: str, actor: Actor, now: datetime) -> DebitBatch:
    """It never went to the bank and never will, as who discards it says; its debits wait for another file.
    RuleViolation when the bank has it already."""
    held = _hold(batch)
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule="INV-5", field="reason")
    if held.state != BatchState.MADE:
        raise RuleViolation(_("This file was handed to the bank, or discarded already."), rule="INV-5")
    move(held, BatchState.CANCELLED, debit_rules.BATCH_TRANSITIONS)
    held.ended_at, held.reason = now, reason.strip()[:300]
    held.save(update_fields=["ended_at", "reason"])
    Debit.objects.filter(batch=held, state=DebitState.PLACED).update(state=DebitState.ANNOUNCED, batch=None)
    told(held, "discarded", actor=actor, now=now, reason=held.reason)
    return held


def _hold(batch: DebitBatch) -> DebitBatch:
    """The locked file; the payments in it first, as everywhere (`outcomes` asks for them in this order too)."""
    rows = Payment.objects.filter(debit__batch=batch, debit__state=DebitState.PLACED)
    list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    return DebitBatch.objects.select_for_update(of=("self",)).get(pk=batch.pk)


def told(batch: DebitBatch, what: str, *, actor: Actor, now: datetime, **more: object) -> Event:
    """Of the house, not of one account: the journal names no customer."""
    return events.record(
        f"invoicing.debit_batch.{what}", now=now, actor=actor, subject=batch, rule="INV-5",
        data={"batch": batch.reference, "debits": batch.count, "amount_cents": batch.total_cents, **more},
    )  # fmt: skip
