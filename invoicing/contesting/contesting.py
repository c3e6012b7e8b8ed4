"""Contesting a document: undecided, its clock stands; what is granted is credited (TIC-6, INV-9, OPR-10).

Locks: the contest, then the payments, then the account; the request that talks about it comes last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import rules
from invoicing.chasing import pausing
from invoicing.contesting import contest_rules
from invoicing.contesting.contest_rules import Facts, Kind, State, WhyNot
from invoicing.issuing import invoices
from invoicing.journal import tell
from invoicing.models import Contest, Invoice, InvoiceKind
from invoicing.paying import collecting, settlement
from invoicing.selling_by_hand import repaying
from panel import terms
from panel.core.actors import Actor
from panel.core.calendars import last_day_before
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from panel.core.states import move
from panel.terms.numbers import ContestTerms

KINDS = {InvoiceKind.INVOICE: Kind.DISPUTE, InvoiceKind.STATEMENT: Kind.WAIVER}
BECAUSE = {Kind.DISPUTE: pausing.DISPUTE, Kind.WAIVER: pausing.WAIVER}
SENTENCES: Mapping[WhyNot, str | Promise] = {
    WhyNot.CREDIT_NOTE: gettext_lazy("A credit note gives money back: there is nothing to dispute."),
    WhyNot.OPEN: gettext_lazy("It is disputed already; our decision is on its way."),
    WhyNot.DECIDED: gettext_lazy("We have decided on this once. If something is new, write in that request."),
    WhyNot.NOTHING_LEFT: gettext_lazy("All of it has been credited already."),
    WhyNot.TAKEN_BACK: gettext_lazy(
        "You disputed this once and took it back: it counts from its due date. Please write to us in a request."
    ),
    WhyNot.TOO_LATE: gettext_lazy("The time to ask for a waiver of this late fee is over."),
    WhyNot.ACCEPTED: gettext_lazy("The time to dispute this invoice is over: it is deemed accepted."),
}


def law(invoice: Invoice) -> ContestTerms:
    """The numbers of the terms that the document keeps (LEG-1)."""
    return terms.version(invoice.terms_version).contests


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a document stands: the contest that was opened last, until when it can be contested (None: no limit), and
    why it cannot be just now. `accepted`: its time is over and it is deemed accepted (OPR-10)."""

    kind: Kind | None
    newest: Contest | None
    until: datetime | None
    why_not: WhyNot | None

    @property
    def refusal(self) -> str | Promise:
        """The reason as a sentence; "" when it can be contested."""
        return SENTENCES[self.why_not] if self.why_not else ""

    @property
    def accepted(self) -> bool:
        return self.why_not is WhyNot.ACCEPTED

    @property
    def last_day(self) -> date | None:
        """The last Paris day on which it can be contested; None: no limit."""
        return last_day_before(self.until) if self.until else None

    @property
    def rule(self) -> str:
        return contest_rules.RULES[self.kind] if self.kind else ""


def standing(invoice: Invoice, *, at: datetime) -> Standing:
    """Where a document stands for an act at `at`; one query, and that of its lines where it was contested before."""
    rows = list(Contest.objects.filter(invoice=invoice).select_related("credit_note"))
    known = Facts(
        KINDS.get(InvoiceKind(invoice.kind)), invoice.issued_at, invoice.total_cents - invoice.credited_cents,
        frozenset(row.state for row in rows), fresh=not rows or any(_fresh(invoice, rows)),
    )  # fmt: skip
    last = contest_rules.until(known, law(invoice)) if known.kind else None
    return Standing(known.kind, rows[0] if rows else None, last, contest_rules.why_not(known, law(invoice), at))


def left(invoice: Invoice) -> list[Cents]:
    """Net cents of each line that no credit note gave back."""
    return [line.net - line.credited for line in invoices.creditable(list(invoice.lines.all()))]


def open_to_dispute(invoice: Invoice) -> list[Cents]:
    """Net cents of each line that can be contested: what is left of those that no earlier contest named."""
    return _fresh(invoice, list(Contest.objects.filter(invoice=invoice)))


def _fresh(invoice: Invoice, before: Sequence[Contest]) -> list[Cents]:
    return contest_rules.fresh(left(invoice), [row.wanted for row in before])


@transaction.atomic
def ask(
    invoice: Invoice, wanted: Sequence[Cents] | None, *, reference: str, asked_at: datetime, actor: Actor, now: datetime
) -> Contest:
    """Contest `wanted` (net cents of each line; None: all that can be) of a document, in the request `reference`.

    Whether that is in time is judged at `asked_at`; the clock of the document stands from `now` on, and what its being
    unpaid had led to ends. RuleViolation when it cannot be contested, or not so much of it, or not this line again.
    """
    settlement.lock_account(invoice.account_id)
    held = Invoice.objects.get(pk=invoice.pk)
    stands = standing(held, at=asked_at)
    if stands.why_not is not None or stands.kind is None:
        raise RuleViolation(str(stands.refusal), rule=stands.rule)
    rule = stands.rule
    fresh = open_to_dispute(held)
    amounts = fresh if wanted is None else list(wanted)
    _check(held, amounts, rule=rule)
    if any(cents and not may for cents, may in zip(amounts, fresh, strict=True)):
        raise RuleViolation(str(SENTENCES[WhyNot.TAKEN_BACK]), rule=rule, field="what")
    contest = Contest.objects.create(
        reference=reference, invoice=held, account_id=held.account_id, kind=stands.kind, wanted=amounts,
        wanted_cents=sum(amounts), terms_version=held.terms_version, opened_at=now,
        due_at=contest_rules.decide_by(asked_at, law(held)),
    )  # fmt: skip
    pausing.stop(held, BECAUSE[stands.kind], now=now)
    tell("contest.opened", contest, now=now, actor=actor, rule=rule,
         data={"invoice": held.number, "amount_cents": contest.wanted_cents})  # fmt: skip
    return contest


def _check(invoice: Invoice, amounts: Sequence[Cents], *, rule: str) -> None:
    if not any(amounts):
        raise RuleViolation(_("Say how much of at least one line it is about."), rule=rule, field="what")
    try:
        rules.credit(invoices.creditable(list(invoice.lines.all())), amounts)
    except (rules.TooMuch, ValueError):
        raise RuleViolation(
            _("That is more than the invoice still asks for a line."), rule=rule, field="what"
        ) from None


@transaction.atomic
def decide(
    contest: Contest, granted: Sequence[Cents], *, reason: str, refund: bool, actor: Actor, now: datetime
) -> Contest:
    """Staff grants net cents of each line (nothing at all: a refusal), with a reason that is told to the customer.

    The credit note is issued in the same transaction; with `refund` what it frees goes back to the payments it came
    from. What is left of the document counts from its due date again, as if it had never been contested (TIC-6).
    """
    held = _hold(contest)
    rule = contest_rules.RULES[held.kind]
    if not reason.strip():
        raise RuleViolation(_("Please give the reason: it is told to the customer."), rule=rule, field="reason")
    note = None
    if any(granted):
        note = repaying.credit(
            held.invoice, granted, reason=reason.strip()[:300], refund=refund, key=f"contest-{held.reference}",
            actor=actor, now=now,
        )  # fmt: skip
    settlement.lock_account(held.account_id)
    move(held, contest_rules.outcome(held.wanted, granted), contest_rules.TRANSITIONS, save=False)
    held.granted, held.granted_cents, held.reason, held.credit_note = (
        list(granted), sum(granted), reason.strip()[:300], note,
    )  # fmt: skip
    _end(held, actor=actor, now=now)
    return held


@transaction.atomic
def withdraw(contest: Contest, *, actor: Actor, now: datetime) -> Contest:
    """The customer takes it back: the document counts from its due date again. RuleViolation once it was decided."""
    held = _hold(contest)
    settlement.lock_account(held.account_id)
    move(held, State.WITHDRAWN, contest_rules.TRANSITIONS, save=False)
    _end(held, actor=actor, now=now)
    return held


def _hold(contest: Contest) -> Contest:
    held = Contest.objects.select_for_update(of=("self",)).select_related("invoice__account").get(pk=contest.pk)
    if held.state != State.OPEN:
        raise RuleViolation(_("This has been decided already."), rule=contest_rules.RULES[held.kind])
    return held


def _end(held: Contest, *, actor: Actor, now: datetime) -> None:
    held.ended_at, held.ended_by_id = now, actor.user_id
    held.save(update_fields=["state", "granted", "granted_cents", "reason", "credit_note", "ended_at", "ended_by"])
    tell(f"contest.{held.state}", held, now=now, actor=actor, rule=contest_rules.RULES[held.kind],
         data={"invoice": held.invoice.number, "amount_cents": held.granted_cents})  # fmt: skip
    ended = pausing.go_on(held.invoice, BECAUSE[Kind(held.kind)], now=now)
    if ended is not None:
        collecting.collect_released(ended, now=now)
