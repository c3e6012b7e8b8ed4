"""Late payment, businesses only (INV-8): interest and fixed recovery costs on a statement of their own, outside VAT.

Nothing is claimed while an invoice is contested (TIC-6), nor while rejected means have their time (INV-7): what is paid
within it costs nothing, what is not is reckoned from the due date. A statement is made when a late invoice is paid, and
every so many days while it is not. Interest whose rate is unknown is held, and staff is told.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from invoicing.chasing import late_rules, unpaid
from invoicing.chasing.late_rules import HalfYear, MissingRate, Paid, Stretch
from invoicing.documents import texts
from invoicing.issuing import invoices
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.models import (
    Dispute,
    DisputeState,
    Invoice,
    InvoiceKind,
    InvoiceState,
    LateInvoice,
    LegalRate,
    RejectionNotice,
)
from invoicing.paying import settlement, value_dates
from invoicing.paying.disputes import of_invoice
from invoicing.paying.payment_rules import SMALLEST_CENTS
from invoicing.rules import Line
from invoicing.subscribing.period_rules import Period
from invoicing.taxing import tax_rules
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import due, events
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import last_day_before, paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros

TABLE = Path(__file__).parents[1] / "tax_tables" / "legal_interest.toml"


# --- the rates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownRate:
    """A legal rate, percent a year, and who says so."""

    half: HalfYear
    percent: Decimal
    source: str
    by_staff: bool = False


@cache
def _shipped() -> tuple[KnownRate, ...]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(
        KnownRate(HalfYear(int(name[:4]), int(name[5:])), Decimal(percent), source)
        for name, (percent, source) in table.items()
    )


def known_rates() -> list[KnownRate]:
    """Every rate on file, the newest first; what staff entered replaces what came with the program."""
    found = {rate.half: rate for rate in _shipped()}
    for row in LegalRate.objects.all():
        half = HalfYear(row.year, row.half)
        found[half] = KnownRate(half, row.percent, row.source, by_staff=True)
    return sorted(found.values(), key=lambda rate: rate.half, reverse=True)


def missing_rate(now: datetime) -> HalfYear | None:
    """The present half-year while its rate is not on file."""
    half = late_rules.half_year(paris_date(now))
    return None if any(rate.half == half for rate in known_rates()) else half


@transaction.atomic
def set_rate(half: HalfYear, percent: Decimal, *, source: str, actor: Actor, now: datetime) -> LegalRate:
    """Staff enters the legal rate of a half-year, in percent. What was claimed before stays as it was."""
    if not source.strip():
        raise RuleViolation(_("Please name the source of the rate."), rule="INV-8", field="source")
    row, _new = LegalRate.objects.update_or_create(
        year=half.year, half=half.half,
        defaults={"percent": percent, "source": source.strip()[:200], "set_at": now, "set_by_id": actor.user_id},
    )  # fmt: skip
    events.record("invoicing.rate.set", now=now, actor=actor, subject=row, rule="INV-8",
                  data={"half": str(half), "percent": str(percent)})  # fmt: skip
    return row


# --- what is to be claimed -------------------------------------------------------------------------------------------


def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Claim what late payment costs, one statement an account (INV-8)."""
    if not dry_run:
        _follow(now)
    waiting = LateInvoice.objects.filter(closed_at=None).values_list("account", flat=True)
    accounts = sorted(set(waiting))
    if dry_run:
        return SweepReport(would=[
            f"claim {claim.interest + claim.recovery} cents for {claim.row.invoice.number}"
            for account in accounts for claim in _claims(account, now=now) if claim.interest or claim.recovery
        ])  # fmt: skip
    return due.each(accounts, lambda pk: _state(pk, now=now))


def _follow(now: datetime) -> None:
    """From now on what these businesses' overdue invoices cost is followed."""
    late = Invoice.objects.filter(
        state=InvoiceState.OVERDUE, kind=InvoiceKind.INVOICE, late=None, document__business=True
    )
    rows = unpaid.chased(late)  # what the bank has and succeeds was never late
    LateInvoice.objects.bulk_create(
        [LateInvoice(invoice=row, account_id=row.account_id) for row in rows], ignore_conflicts=True
    )


@dataclass(frozen=True, slots=True)
class Claim:
    """What one invoice costs beyond what was claimed for it before; `over`: nothing more can come."""

    row: LateInvoice
    until: date
    stretches: tuple[Stretch, ...] = ()
    interest: Cents = 0
    recovery: Cents = 0
    held_for: str = ""
    over: bool = False


def _claims(account_id: int, *, now: datetime) -> list[Claim]:
    rows = LateInvoice.objects.filter(account=account_id, closed_at=None).select_related("invoice", "account")
    notices = list(RejectionNotice.objects.filter(account=account_id))
    known = {rate.half: rate.percent for rate in known_rates()}
    found = [_claim(row, notices, known, now=now) for row in rows.order_by("invoice__due_on", "pk")]
    return [claim for claim in found if claim is not None]


def _claim(
    row: LateInvoice, notices: Sequence[RejectionNotice], known: dict[HalfYear, Decimal], *, now: datetime
) -> Claim | None:
    invoice, law = row.invoice, terms.version(row.invoice.terms_version).late_payment
    ended = invoice.state in settlement.ENDED
    undecided = Dispute.objects.filter(state=DisputeState.OPEN).filter(of_invoice(invoice)).exists()
    in_time = any(one.ended_at is None and now <= one.replace_by for one in notices)
    if invoice.contested_at is not None or in_time or undecided:
        return None
    paid, owed = _paid(invoice), invoice.total_cents - invoice.credited_cents - invoice.given_up_cents
    until = (late_rules.settled_on(owed, paid) if ended else None) or paris_date(now)
    in_time = ended and any(paris_date(one.told_at) <= until <= last_day_before(one.replace_by) for one in notices)
    if invoice.state == InvoiceState.CREDITED or owed < SMALLEST_CENTS or until <= invoice.due_on or in_time:
        return Claim(row, until, over=True)
    since = max([row.claimed_until or invoice.due_on, *(one.on for one in paid if one.cents < 0)])
    if not ended and (until - since).days < law.statement_days and not row.held_for:
        return None
    recovery = 0 if row.recovery_claimed else law.recovery_costs
    try:
        found = late_rules.stretches(owed, invoice.due_on, until, paid, known, law.legal_rate_times)
    except MissingRate as missing:
        return Claim(row, until, recovery=recovery, held_for=str(missing.half))
    interest = max(0, late_rules.interest(found) - row.interest_cents)
    return Claim(row, until, tuple(found), interest, recovery, over=ended)


def _paid(invoice: Invoice) -> list[Paid]:
    """What came in and went back, by its value date: the day of the bank, whenever we read of it (invariant 21). What a
    bank had taken back and a dispute won again was never away; what was credited or written off never came, and is
    taken off what is owed."""
    won = Dispute.objects.filter(of_invoice(invoice), state=DisputeState.WON).values("provider_ref")
    rows = list(
        invoice.settlements.exclude(means__in=(settlement.CREDIT, settlement.WRITTEN_OFF))
        .exclude(entry__kind__in=("dispute", "dispute_won"), entry__ref__in=won).select_related("entry")
    )  # fmt: skip
    days = value_dates.of(rows)
    return [Paid(days[row.pk], row.cents) for row in rows]


# --- the statement ---------------------------------------------------------------------------------------------------


@transaction.atomic
def _state(account_id: int, *, now: datetime) -> Invoice | None:
    """One statement over all that is to be claimed from an account now; under its lock."""
    account = settlement.lock_account(account_id)
    claims = _claims(account_id, now=now)
    language = texts.language_of(account.language)
    lines = [line for claim in claims for line in _lines(claim, language)]
    made = _issue(account, lines, claims, now=now) if lines else None
    for claim in claims:
        _remember(claim, made, now=now)
    return made


def _issue(account: Account, lines: list[Line], claims: Sequence[Claim], *, now: datetime) -> Invoice:
    named = ",".join(
        f"{claim.row.invoice.number}:{claim.until}:{claim.recovery}"
        for claim in claims
        if claim.interest or claim.recovery
    )
    treatment = tax_rules.outside_scope(terms_in_force.at(account, now).vat.home_country)
    return invoices.issue(
        account, [Billed(line) for line in lines], once=f"late:{account.pk}:{named}"[:160], kind=InvoiceKind.STATEMENT,
        terms_version=terms_in_force.at(account, now).name, treatment=treatment, now=now, actor=CLOCK,
    )  # fmt: skip


def _lines(claim: Claim, language: str) -> list[Line]:
    invoice, found = claim.row.invoice, []
    named = {"number": invoice.number, "day": texts.day(language, invoice.due_on)}
    if claim.interest:
        sums = "; ".join(
            texts.say(language, "stretch", days=one.days, rate=texts.decimal(language, one.rate),
                      principal=texts.money(language, one.principal))
            for one in claim.stretches
        )  # fmt: skip
        before = claim.row.interest_cents
        if before:
            sums += texts.say(language, "stated_before", amount=texts.money(language, before))
        start = (claim.row.claimed_until or invoice.due_on) + timedelta(days=1)
        period = Period(start, claim.until + timedelta(days=1)) if claim.until >= start else None
        found.append(_line("late:interest", texts.say(language, "interest_on", **named) + f" ({sums})", claim.interest,
                           claim, period))  # fmt: skip
    if claim.recovery:
        found.append(_line("late:recovery", texts.say(language, "recovery_on", **named), claim.recovery, claim, None))
    return found


def _line(code: str, description: str, cents: Cents, claim: Claim, period: Period | None) -> Line:
    evidence = {
        "late_invoice": claim.row.invoice.number, "claimed_before": claim.row.interest_cents,
        "stretches": [
            {"first": one.first.isoformat(), "last": one.last.isoformat(), "days": one.days,
             "principal_cents": one.principal, "percent": str(one.rate)}
            for one in claim.stretches
        ],
    }  # fmt: skip
    return Line(
        code=code, description=description[:500], quantity=Decimal(1), unit_price=euros(cents), net=cents, rule="INV-8",
        vat_code=tax_rules.NOT_SUBJECT, period=period, evidence=evidence,
    )  # fmt: skip


def _remember(claim: Claim, made: Invoice | None, *, now: datetime) -> None:
    row, held = claim.row, claim.held_for
    if held and row.held_for != held:
        tell("late.held", row, now=now, actor=CLOCK, rule="INV-8",
             data={"invoice": row.invoice.number, "half": held})  # fmt: skip
    row.held_for = held
    row.recovery_claimed = row.recovery_claimed or claim.recovery > 0
    if not held:
        row.interest_cents += claim.interest
        row.claimed_until = claim.until
    row.closed_at = now if claim.over else None
    row.save(update_fields=["held_for", "recovery_claimed", "interest_cents", "claimed_until", "closed_at"])
    if made is not None and (claim.interest or claim.recovery):
        tell("late.claimed", row, now=now, actor=CLOCK, rule="INV-8",
             data={"invoice": row.invoice.number, "statement": made.number,
                   "amount_cents": claim.interest + claim.recovery})  # fmt: skip


def held() -> int:
    """How many invoices wait for a legal rate."""
    return LateInvoice.objects.filter(~Q(held_for=""), closed_at=None).count()
