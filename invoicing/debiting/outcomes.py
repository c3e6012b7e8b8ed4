"""What the bank says of debits, once each (INV-5, INV-7, INV-11): credited, refused, given back; by its files or, with
proof, by a person.

Money has come only when the bank has booked it. What a file says that we cannot place waits in the staff's queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.banking import bank_models, bank_rules
from invoicing.banking.camt import Credit, Returned
from invoicing.debiting import announcing, batches, debit_rules, debits, mandate_rules
from invoicing.debiting.pain002 import REJECTED, Report
from invoicing.journal import tell
from invoicing.models import (
    BankReceipt,
    BatchState,
    Debit,
    DebitBatch,
    DebitState,
    DisputeState,
    MandateState,
    Payment,
    PaymentState,
)
from invoicing.paying import disputes, payment_rules, payments
from invoicing.paying.payments import Finding
from panel.accounts.models import actor_of
from panel.core import operations
from panel.core.actors import Actor
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Operation
from panel.core.money import Cents
from panel.core.states import move

UNKNOWN, DIFFERS, OUR_FAULT, SAID_ONLY = "unknown", "differs", "our_fault", "said_only"
NOT_WITH_THE_BANK = "not_with_the_bank"
SENTENCES = {
    UNKNOWN: "the bank's file names a debit that is none of ours: find out what it is",
    DIFFERS: "the bank's file names a debit of ours with another amount: compare it with the bank",
    OUR_FAULT: "a debit was refused for a reason that is not the customer's: mend it, then collect it again",
    batches.RECALL: "the bank has a debit that may no longer be collected: have it recalled, or give the money back",
    NOT_WITH_THE_BANK: "the bank refuses debits of a file that was discarded, so it had the file: ask what it collects",
    SAID_ONLY: "the bank says that a debit was refused which it had credited: wait for its statement, or ask it",
}


def _lock(**names: Any) -> list[Debit]:
    """Payments first, as everywhere, then the debits; with what is read of them."""
    rows = Debit.objects.filter(**names).order_by("pk")
    payment_ids = list(rows.values_list("payment_id", flat=True))
    held = Payment.objects.select_for_update(of=("self",)).filter(pk__in=payment_ids).order_by("pk")
    list(held.values_list("pk", flat=True))
    locked = Debit.objects.select_for_update(of=("self",)).filter(payment__in=payment_ids).order_by("pk")
    return list(locked.select_related("payment", "mandate__account", "batch", "receipt", "invoice", "account"))


# --- credited --------------------------------------------------------------------------------------------------------


def credited(receipt: BankReceipt, credit: Credit, *, actor: Actor, now: datetime) -> str | None:
    """Book a credit of the bank on the debits it is for; where it is for many, `Collected` pays each. None: it is for
    none; else "", or why a person must look."""
    rows = _meant(credit)
    if not rows:
        return None
    fresh = [row for row in rows if row.receipt_id is None]
    sums = {sum(row.cents for row in rows), sum(row.cents for row in rows if row.state != DebitState.RETURNED)}
    if credit.cents not in sums:
        return bank_models.DEBIT_DIFFERS
    if not fresh:  # told already: in another file of the same booking, or once more
        same = all(row.receipt is not None and row.receipt.booked_on == credit.booked_on for row in rows)
        return _matched(receipt, rows, now=now) if same else bank_models.DEBIT_TWICE
    if any(row.state not in (*debit_rules.UNDER_WAY, DebitState.COLLECTED, DebitState.RETURNED) for row in fresh):
        return bank_models.DEBIT_ENDED
    if len(fresh) == 1:
        _collected(fresh[0], receipt=receipt, actor=actor, now=now)
    else:
        Debit.objects.filter(pk__in=[row.pk for row in fresh]).update(receipt=receipt)
        operations.enqueue(
            Collected.kind, key=f"debits-collected:{receipt.pk}", now=now, subject=rows[0].batch,
            payload={"receipt": receipt.pk},
        )  # fmt: skip
    return _matched(receipt, rows, now=now)


@operations.register
class Collected(operations.Handler):
    """The debits that one credit of the bank is for are paid, each in a transaction of its own. What came back in the
    meantime stays as it is, so a repeat does the rest."""

    kind = "debits.collected"
    label = gettext_lazy("Book the debits that a credit of the bank is for")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        receipt = BankReceipt.objects.select_related("file__uploaded_by").get(pk=op.payload["receipt"])
        actor = actor_of(receipt.file.uploaded_by, account_id=None)
        rows = Debit.objects.filter(receipt=receipt, state__in=debit_rules.UNDER_WAY).order_by("payment_id")

        def one(pk: int) -> None:
            (debit,) = _lock(pk=pk)
            if debit.state in debit_rules.UNDER_WAY:
                _collected(debit, receipt=receipt, actor=actor, now=now)

        return batches.one_by_one(rows.values_list("pk", flat=True), one)


def _meant(credit: Credit) -> list[Debit]:
    """The debits that a credit is for: the one it names, or all of a group but those refused before they settled."""
    if credit.end_to_end:
        rows = _lock(payment__reference=credit.end_to_end)
        if rows:
            return rows
    named = debit_rules.of_group(credit.group)
    if named is None:
        return []
    return [
        row for row in _lock(batch__reference=named[0], debit_on=named[1])
        if row.state not in (DebitState.REFUSED, DebitState.WITHDRAWN)
    ]  # fmt: skip


def _matched(receipt: BankReceipt, rows: Sequence[Debit], *, now: datetime) -> str:
    receipt.batch, receipt.ended_at = rows[0].batch, now
    receipt.account = rows[0].account if len(rows) == 1 else None
    receipt.save(update_fields=["batch", "account", "ended_at"])
    move(receipt, BankReceipt.State.MATCHED, bank_rules.RECEIPT_TRANSITIONS)
    return ""


def _collected(
    debit: Debit, *, actor: Actor, now: datetime, receipt: BankReceipt | None = None, proof: str = ""
) -> None:
    """The money is there: the payment settles its invoice; what came back in the meantime stays as it is."""
    changed: dict[str, Any] = {"receipt": receipt, "proof": proof or debit.proof}
    if debit.state in debit_rules.UNDER_WAY:
        _with_the_bank(debit, actor=actor, now=now)
        payments.conclude(debit.payment_id, Finding(PaymentState.SUCCEEDED, amount_cents=debit.cents), now=now)
        changed |= {"ended_at": now}
        Debit.objects.filter(pk=debit.pk).update(**changed)
        move(debit, DebitState.COLLECTED, debit_rules.DEBIT_TRANSITIONS)
        tell("debit.collected", debit, now=now, actor=actor, rule="INV-5", data=announcing.named(debit))
    else:
        Debit.objects.filter(pk=debit.pk).update(**changed)


def _with_the_bank(debit: Debit, *, actor: Actor, now: datetime) -> None:
    """It answers for a file that nobody has marked as handed over: then it has it."""
    batch = DebitBatch.objects.select_for_update(of=("self",)).get(debits=debit)
    if batch.state == BatchState.MADE:
        batches.mark_sent(batch, actor=actor, now=now)
    batches.used(debit)


# --- refused and given back ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """One debit that a status report refuses, by our reference; `cents` where the report says them."""

    reference: str
    code: str
    cents: Cents | None = None


@transaction.atomic
def refused(told: Refusal, *, because: str, actor: Actor, now: datetime, of_discarded: bool = False) -> bool:
    """The bank never collected it (pain.002); `because` names the message, which is about a file that we discarded
    (`of_discarded`). Whether that was news."""
    reference, code, cents = told.reference, told.code, told.cents
    rows = _lock(payment__reference=reference)
    if not rows:
        return _judge(UNKNOWN, f"{because}:{reference}", now=now)
    debit = rows[0]
    if cents is not None and cents != debit.cents:
        return _judge(DIFFERS, f"{because}:{reference}", debit=debit, now=now)
    if debit.state == DebitState.COLLECTED:
        return _judge(SAID_ONLY, f"{because}:{reference}", debit=debit, now=now)
    if of_discarded or debit.state in (DebitState.ANNOUNCED, DebitState.WITHDRAWN):
        return _judge(NOT_WITH_THE_BANK, f"{because}:{reference}", debit=debit, now=now)
    if debit.state not in debit_rules.UNDER_WAY:  # known already: refused or given back
        return False
    _ended(debit, DebitState.REFUSED, code, proof=because, actor=actor, now=now)
    return True


@transaction.atomic
def given_back(told: Returned, *, actor: Actor, now: datetime) -> bool:
    """The bank booked a debit back (camt): what it had paid is owed again. Whether that was news."""
    rows = _lock(payment__reference=told.end_to_end) if told.end_to_end else []
    if not rows:
        return _judge(UNKNOWN, told.bank_ref, now=now)
    debit = rows[0]
    if debit.state == DebitState.RETURNED:
        return False
    if debit.state not in (*debit_rules.UNDER_WAY, DebitState.COLLECTED, DebitState.REFUSED):
        return _judge(UNKNOWN, told.bank_ref, debit=debit, now=now)
    if told.cents != debit.cents:
        return _judge(DIFFERS, told.bank_ref, debit=debit, now=now)
    _ended(debit, DebitState.RETURNED, told.code, proof=told.bank_ref, day=told.booked_on, actor=actor, now=now)
    return True


def _ended(
    debit: Debit, state: str, code: str, *, proof: str, actor: Actor, now: datetime, day: date | None = None
) -> None:
    """What follows from a refusal or a return: the payment fails, or the invoice is owed again; the customer is told by
    `rejections` or `disputes`; a mandate that cannot be used again ends."""
    before = debit.state
    if before in debit_rules.UNDER_WAY:
        _with_the_bank(debit, actor=actor, now=now)
        payments.conclude(debit.payment_id, Finding(PaymentState.FAILED, decline_code=code[:60]), now=now)
    elif before == DebitState.COLLECTED:
        booked = start_of_paris_day(day or paris_date(now)).isoformat()
        told = {"ref": f"sepa:{debit.payment.reference}", "state": DisputeState.LOST, "amount_cents": debit.cents,
                "reason": code, "at": booked, "respond_by": ""}  # fmt: skip
        disputes.conclude(debit.payment_id, [told], now=now)
    Debit.objects.filter(pk=debit.pk).update(code=debit.code or code[:10], proof=proof[:120], ended_at=now)
    move(debit, state, debit_rules.DEBIT_TRANSITIONS)
    if before == DebitState.REFUSED:
        return  # known: the bank has now shown it in its books as well
    data = {**announcing.named(debit), "code": code}
    tell(f"debit.{state}", debit, now=now, actor=actor, rule="INV-7", data=data)
    if code in mandate_rules.DEADLY:
        debits.end_mandate(debit.mandate, MandateState.REFUSED, reason=code, now=now)
    if code in payment_rules.OURS:
        _judge(OUR_FAULT, f"{debit.payment.reference}:{code}", debit=debit, now=now)


@transaction.atomic
def refusals(told: Report, *, because: str, now: datetime) -> list[Refusal]:
    """What a status report of the bank (pain.002) refuses: the debits it names, and those under way of a group or file
    that it refuses as a whole. That the bank accepted a file, or a debit, is no money: nothing follows from it."""
    found = [Refusal(one.end_to_end, one.code, one.cents) for one in told.statuses if one.status == REJECTED]
    for name, code in told.refused_groups:
        states = _of_whole(told.message, name)
        if not states:
            _judge(NOT_WITH_THE_BANK if discarded(told) else UNKNOWN, f"{because}:{name or told.message}", now=now)
        if DebitState.COLLECTED in states.values():
            _judge(SAID_ONLY, f"{because}:{name or told.message}", now=now)
        found += [Refusal(ref, code) for ref, state in states.items() if state in debit_rules.UNDER_WAY]
    return found


def discarded(told: Report) -> bool:
    """Whether a report is about a file that we discarded."""
    return DebitBatch.objects.filter(reference=told.message, state=BatchState.CANCELLED).exists()


def _of_whole(message: str, name: str) -> dict[str, str]:
    """The state of each debit of a group, or of a whole file, by its reference; none: it is none of ours."""
    named = debit_rules.of_group(name) if name else None
    if name and named is None:
        return {}
    rows = Debit.objects.order_by("pk")
    rows = rows.filter(batch__reference=named[0], debit_on=named[1]) if named else rows.filter(batch__reference=message)
    return dict(rows.values_list("payment__reference", "state"))


# --- by a person -----------------------------------------------------------------------------------------------------


def _proved(debit: Debit, proof: str, day: date, *, now: datetime) -> Debit:
    if not proof.strip():
        raise RuleViolation(_("Please give the reference of the bank."), rule="INV-11", field="proof")
    if day > paris_date(now):
        raise RuleViolation(_("This day is still to come."), rule="INV-11", field="day")
    if day < debit.debit_on:
        sentence = _("The bank cannot have booked it before the day of the debit.")
        raise RuleViolation(sentence, rule="INV-11", field="day")
    return _lock(pk=debit.pk)[0]


@transaction.atomic
def say_collected(debit: Debit, *, proof: str, day: date, actor: Actor, now: datetime) -> None:
    """A person has seen it booked at the bank. RuleViolation without proof, or when it is not with the bank."""
    held = _proved(debit, proof, day, now=now)
    if held.state not in debit_rules.UNDER_WAY:
        raise RuleViolation(_("This debit is not with the bank."), rule="INV-11")
    _collected(held, proof=f"{day.isoformat()} {proof.strip()}"[:120], actor=actor, now=now)


@transaction.atomic
def say_refused(debit: Debit, *, code: str, proof: str, day: date, actor: Actor, now: datetime) -> None:
    """A person has the bank's word that it was refused, or given back. RuleViolation as above."""
    held = _proved(debit, proof, day, now=now)
    if held.state not in (*debit_rules.UNDER_WAY, DebitState.COLLECTED):
        raise RuleViolation(_("This debit is not with the bank."), rule="INV-11")
    state = DebitState.RETURNED if held.state == DebitState.COLLECTED else DebitState.REFUSED
    _ended(held, state, code, proof=f"{day.isoformat()} {proof.strip()}", day=day, actor=actor, now=now)


# --- what only a person can judge ------------------------------------------------------------------------------------


def _judge(why: str, what: str, *, now: datetime, debit: Debit | None = None) -> bool:
    operations.enqueue(
        Judge.kind, key=f"judge-debit:{why}:{what}"[:200], now=now, subject=debit,
        account_id=debit.account_id if debit else None, payload={"why": why, "what": what[:120]},
    )  # fmt: skip
    return False


@operations.register
class Judge(operations.Handler):
    """Stands in the staff's queue until somebody discards it with a reason."""

    kind = batches.JUDGE
    label = gettext_lazy("What the bank says of a direct debit needs a person")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        sentence = f"{SENTENCES[op.payload['why']]} ({op.payload['what']})"
        raise ProviderError(sentence, permanent=True, code=op.payload["why"])
