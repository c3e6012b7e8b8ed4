"""Suspending an account for what it owes: proposed to a person, or by the clock where the terms say so (SUB-8, SRV-6,
INV-7, OPR-3), and told since when it may lead to the end of services (`terminating`).

Decided under the account's lock and from the balance as it stands then; `relieving` ends it the moment the debt is
settled. What the clock decides goes through the brake (ABU-12); what a person decides does not.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.chasing import relieving, terminating, unpaid
from invoicing.chasing.relieving import named
from invoicing.chasing.unpaid import Ground
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Invoice, InvoiceState, RejectionNotice, Suspension, SuspensionState
from invoicing.paying import settlement
from panel import terms
from panel.accounts import approvals, brake_rules, restrictions
from panel.accounts.models import Account, Approval, Restriction
from panel.core import due, events, mail
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import is_missed, last_day_before, start_of_paris_day
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.models import ClockGap, Event
from panel.core.states import move

APPROVAL = "invoicing.brake"
AGAIN = (SuspensionState.WITHDRAWN, SuspensionState.LIFTED)
WAITING = (SuspensionState.PROPOSED, SuspensionState.HELD)


def decide(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Propose, or decide, every suspension for which there is ground at `now`."""
    owing = _suspects()
    if dry_run:
        keys = [ground.key for pk in sorted(owing) for ground in unpaid.grounds(pk, now=now)]
        known = set(Suspension.objects.filter(key__in=keys).exclude(state__in=AGAIN).values_list("key", flat=True))
        return SweepReport(would=[f"propose to suspend for {key}" for key in keys if key not in known])
    report = due.each(sorted(owing), lambda pk: _propose(pk, now=now))
    waiting = [row for row in Suspension.objects.filter(state=SuspensionState.PROPOSED).order_by("pk")
               if terms.version(row.terms_version).automatic(row.rule)]  # fmt: skip
    return due.each([row.pk for row in waiting], lambda pk: _decide(pk, now=now), report=report)


def _suspects() -> set[int]:
    """Accounts that a rule may lead to, or led to; the rules themselves are asked under the lock."""
    notices = RejectionNotice.objects.filter(ended_at=None).values_list("account", flat=True)
    debited = Q(payments__in=unpaid.refused()) | Q(payments__in=unpaid.returned())
    rejected = Invoice.objects.filter(debited, state__in=unpaid.UNPAID).distinct()
    owing = {row.account_id for row in rejected if terms.version(row.terms_version).debit.suspends}
    overage = Invoice.objects.filter(state__in=unpaid.UNPAID, lines__rule=unpaid.OVERAGE)
    spoken_of = Suspension.objects.filter(rule=unpaid.FEES).exclude(state__in=AGAIN).values("invoice")
    fees = Invoice.objects.filter(state=InvoiceState.OVERDUE, reminders__isnull=False).exclude(pk__in=spoken_of)
    waiting = Suspension.objects.filter(state__in=WAITING).values_list("account", flat=True)
    return {*notices, *(row for rows in (overage, fees) for row in rows.values_list("account", flat=True)), *waiting,
            *owing}  # fmt: skip


@transaction.atomic
def _propose(account_id: int, *, now: datetime) -> None:
    account = settlement.lock_account(account_id)
    found = unpaid.grounds(account.pk, now=now)
    for ground in found:
        _proposed(account, ground, now=now)
    gone = Suspension.objects.filter(account=account, state__in=WAITING).exclude(key__in=[one.key for one in found])
    for row in gone.select_related("invoice", "account"):
        relieving.withdraw(row, now=now, actor=CLOCK)


@transaction.atomic
def _decide(pk: int, *, now: datetime) -> None:
    """After everything that falls due now was proposed: the brake must see all of it."""
    settlement.lock_account(Suspension.objects.values_list("account_id", flat=True).get(pk=pk))
    row = Suspension.objects.select_for_update(of=("self",)).select_related("account", "invoice").get(pk=pk)
    ground = next((one for one in unpaid.grounds(row.account_id, now=now) if one.key == row.key), None)
    if row.state == SuspensionState.PROPOSED and ground is not None:
        _by_the_clock(row, ground, now=now)


def _proposed(account: Account, ground: Ground, *, now: datetime) -> None:
    """The row of this debt: made, or proposed again when it had ended and the debt is back."""
    row = Suspension.objects.select_for_update().filter(key=ground.key).first()
    if row is None:
        row = Suspension.objects.create(
            account=account, key=ground.key, rule=ground.rule, invoice=ground.invoice, due_on=ground.due_on,
            terms_version=ground.invoice.terms_version, proposed_at=now,
        )  # fmt: skip
    elif row.state in AGAIN:
        move(row, SuspensionState.PROPOSED, rules.SUSPENSION_TRANSITIONS)
        row.invoice, row.proposed_at, row.due_on, row.ended_at, row.released_at = (
            ground.invoice,
            now,
            ground.due_on,
            None,
            None,
        )
        row.save(update_fields=["invoice", "proposed_at", "due_on", "ended_at", "released_at"])
    else:
        return
    tell("suspension.proposed", row, now=now, actor=CLOCK, rule=row.rule, data=named(row))


# --- by a person -----------------------------------------------------------------------------------------------------


@transaction.atomic
def confirm(suspension_id: int, *, reason: str, actor: Actor, now: datetime) -> Suspension:
    """A person suspends what was proposed. RuleViolation when the debt is settled or contested by now."""
    row, ground = _open(suspension_id, reason, now=now)
    if ground is None:
        raise RuleViolation(_("The debt is settled or contested by now; nothing is suspended."), rule="SUB-8")
    _apply(row, ground, reason=reason, actor=actor, now=now)
    return row


@transaction.atomic
def refuse(suspension_id: int, *, reason: str, actor: Actor, now: datetime) -> Suspension:
    """A person decides that this debt leads to no suspension; it is not proposed again."""
    row, _ground = _open(suspension_id, reason, now=now)
    move(row, SuspensionState.REFUSED, rules.SUSPENSION_TRANSITIONS)
    row.decided_at, row.decided_by_id, row.reason = now, actor.user_id, reason.strip()[:300]
    row.save(update_fields=["decided_at", "decided_by_id", "reason"])
    tell("suspension.refused", row, now=now, actor=actor, rule=row.rule, data=named(row))
    return row


def _open(suspension_id: int, reason: str, *, now: datetime) -> tuple[Suspension, Ground | None]:
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule="ACC-13", field="reason")
    settlement.lock_account(Suspension.objects.values_list("account_id", flat=True).get(pk=suspension_id))
    row = Suspension.objects.select_for_update(of=("self",)).select_related("account", "invoice").get(pk=suspension_id)
    if row.state != SuspensionState.PROPOSED:
        raise RuleViolation(_("This has been decided already, or is no longer due."), rule="SUB-8")
    return row, next((one for one in unpaid.grounds(row.account_id, now=now) if one.key == row.key), None)


# --- by the clock ----------------------------------------------------------------------------------------------------


def _by_the_clock(row: Suspension, ground: Ground, *, now: datetime) -> None:
    law = terms.version(row.terms_version).brake
    if row.released_at is not None:
        if is_missed(now, row.released_at + law.notice):
            _apply(row, ground, reason="", actor=CLOCK, now=now)
        return
    because = _brake(ground, row, now=now)
    if not because:
        _apply(row, ground, reason="", actor=CLOCK, now=now)
        return
    move(row, SuspensionState.HELD, rules.SUSPENSION_TRANSITIONS)
    row.held_at, row.approval = now, _open_approval(now)
    row.save(update_fields=["held_at", "approval"])
    tell("suspension.held", row, now=now, actor=CLOCK, rule="ABU-12", data={**named(row), "because": because})


def _brake(ground: Ground, row: Suspension, *, now: datetime) -> str:
    """ABU-12, counting every restriction the clock decided and every debt that would be decided now."""
    law = terms.version(row.terms_version).brake
    fell_due = start_of_paris_day(ground.due_on)
    gaps = ClockGap.objects.filter(since__lte=fell_due, until__gte=fell_due)
    window = (now - law.window, now)
    decided = Restriction.objects.filter(author_kind=CLOCK.kind, decided_at__gt=window[0], decided_at__lte=window[1])
    mine = Suspension.objects.filter(released_at=None)
    held = mine.filter(state=SuspensionState.HELD, held_at__gt=window[0], held_at__lte=window[1])
    waiting = mine.filter(state=SuspensionState.PROPOSED, rule__in=_automatic(row))
    return brake_rules.brake(
        decided_in_window=decided.count() + held.count() + waiting.count(),
        fell_due_in_gap=any(gap.until - gap.since > law.gap for gap in gaps), terms=law,
    )  # fmt: skip


def _automatic(row: Suspension) -> list[str]:
    version = terms.version(row.terms_version)
    return [rule for rule in ("SRV-6", "INV-7", unpaid.FEES, unpaid.REJECTED) if version.automatic(rule)]


def _open_approval(now: datetime) -> Approval:
    summary = _(
        "Release the suspensions for unpaid invoices that the brake holds back. Each affected customer is "
        "told and then has at least the notice period of the terms."
    )
    return approvals.to_release(APPROVAL, summary, now=now)


@events.subscriber("accounts.approval.granted", "invoicing.brake")
def released(event: Event, *, now: datetime) -> None:
    """ABU-12: what was held is due again, and each affected customer gets at least the notice period."""
    if event.data["kind"] == APPROVAL:
        held = Suspension.objects.filter(approval_id=event.data["approval"], state=SuspensionState.HELD)
        for pk in list(held.values_list("pk", flat=True)):
            _release(pk, at=event.at, now=now)


@transaction.atomic
def _release(pk: int, *, at: datetime, now: datetime) -> None:
    settlement.lock_account(Suspension.objects.values_list("account_id", flat=True).get(pk=pk))
    row = Suspension.objects.select_for_update(of=("self",)).select_related("account", "invoice").get(pk=pk)
    if row.state != SuspensionState.HELD:
        return
    move(row, SuspensionState.PROPOSED, rules.SUSPENSION_TRANSITIONS)
    Suspension.objects.filter(pk=pk).update(released_at=at)
    tell("suspension.released", row, now=now, actor=CLOCK, rule="ABU-12", data=named(row))
    hours = int(terms.version(row.terms_version).brake.notice.total_seconds()) // 3600
    _write("suspension_released", row, key=f"suspension_released:{pk}:{at.isoformat()}", now=now, hours=hours)


# --- taking effect ---------------------------------------------------------------------------------------------------


def _apply(row: Suspension, ground: Ground, *, reason: str, actor: Actor, now: datetime) -> None:
    """The restriction that the apps above carry out, with its statement of reasons; the customer is told (SUB-8)."""
    statement = _statement(row, ground, now=now)
    restriction = restrictions.restrict(
        row.account, scope=Restriction.Scope.ACCOUNT, rule=row.rule, statement=statement, author=actor, now=now,
        key=f"unpaid:{row.pk}:{row.proposed_at.isoformat()}", subject=ground.invoice,
        evidence={"invoice": ground.invoice.number, "due_cents": ground.invoice.due_cents,
                  "due_on": ground.invoice.due_on.isoformat()},
    )  # fmt: skip
    move(row, SuspensionState.APPLIED, rules.SUSPENSION_TRANSITIONS)
    row.decided_at, row.decided_by_id, row.reason, row.restriction = (
        now,
        actor.user_id,
        reason.strip()[:300],
        restriction,
    )
    row.save(update_fields=["decided_at", "decided_by_id", "reason", "restriction"])
    tell("suspension.applied", row, now=now, actor=actor, rule=row.rule, data=named(row))
    last = last_day_before(terminating.allowed_from(row.terms_version, now))
    _write("suspended_unpaid", row, key=f"suspended:{row.pk}:{restriction.pk}", now=now, statement=statement,
           last_day=texts.day(texts.language_of(row.account.language), last))  # fmt: skip


def _statement(row: Suspension, ground: Ground, *, now: datetime) -> str:
    language = texts.language_of(row.account.language)
    said = {
        "number": ground.invoice.number, "due": texts.money(language, ground.invoice.due_cents),
        "day": texts.day(language, ground.invoice.due_on), "rule": row.rule, "terms": row.terms_version,
    }  # fmt: skip
    with translation.override(language):
        return (
            _(
                "Invoice %(number)s was due on %(day)s and %(due)s of it is unpaid in spite of our notices. By rule "
                "%(rule)s of the terms %(terms)s the services of this account are suspended until it is paid; they "
                "come back at once then. Logging in, paying and writing to us stay possible."
            )
            % said
        )


def _write(template: str, row: Suspension, *, key: str, now: datetime, **more: object) -> None:
    language = texts.language_of(row.account.language)
    mail.send(
        template, to=row.account.billing_email, lang=language, key=key, now=now, account_id=row.account_id, subject=row,
        context={
            "name": row.account.name, "number": row.invoice.number, "rule": row.rule,
            "due": texts.money(language, row.invoice.due_cents), "path": f"/billing/invoices/{row.invoice.number}/",
            **more,
        },
    )  # fmt: skip
