"""The pure law of direct debits (INV-5, OPR-3): on which day one may be collected, what keeps it out of a file, what
the bank's answers mean.

Days of notice come from the terms; TARGET days and the scheme's own limits stand here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from invoicing.debiting import mandate_rules
from panel.core.calendars import add_months, is_target_day, target_day_from, working_days_after
from panel.core.money import Cents
from panel.terms.numbers import DebitTerms

ANNOUNCED, PLACED, SENT = "announced", "placed", "sent"
COLLECTED, REFUSED, RETURNED, WITHDRAWN = "collected", "refused", "returned", "withdrawn"
LIVE = (ANNOUNCED, PLACED, SENT)
UNDER_WAY = (PLACED, SENT)
DEBIT_TRANSITIONS = {
    ANNOUNCED: frozenset({PLACED, WITHDRAWN}),
    PLACED: frozenset({ANNOUNCED, SENT, COLLECTED, REFUSED, RETURNED}),
    SENT: frozenset({COLLECTED, REFUSED, RETURNED}),
    COLLECTED: frozenset({RETURNED}),
    REFUSED: frozenset({RETURNED}),
    RETURNED: frozenset[str](),
    WITHDRAWN: frozenset[str](),
}
BATCH_TRANSITIONS = {
    "made": frozenset({"sent", "cancelled"}),
    "sent": frozenset[str](),
    "cancelled": frozenset[str](),
}
ONE_DAY = timedelta(days=1)


# --- the clock of the pre-notification -------------------------------------------------------------------------------


def first_day(told_on: date, terms: DebitTerms) -> date:
    """The first TARGET day on which a debit announced on `told_on` may be collected.

    With clear working days (OPR-3) neither the day of the notice nor that of the debit counts.
    """
    if terms.notice_working_days is None:
        return target_day_from(told_on + timedelta(days=terms.notice_days))
    return target_day_from(working_days_after(told_on, terms.notice_working_days) + ONE_DAY)


def reachable_from(today: date) -> date:
    """The first day that a file made today can ask for: the scheme wants it at the payer's bank a TARGET day ahead."""
    return target_day_from(today + ONE_DAY)


def soon(today: date) -> date:
    """The second day that a file made today can ask for: up to it the debits are at hand."""
    return reachable_from(reachable_from(today))


ANSWER_DAYS = 3
"""TARGET days from the day of a debit by which a statement that was taken in has told what came of it."""


def silent_until(today: date) -> date:
    """The last debit day of which the bank should have spoken by `today`."""
    day, left = today, ANSWER_DAYS
    while left:
        day -= ONE_DAY
        left -= is_target_day(day)
    return day


SEQUENCE_TYPE = "RCUR"
"""Since November 2016 the scheme lets the first debit of a recurrent mandate be RCUR as well; it then needs no longer
lead time and no record of which one came first."""


# --- what keeps a debit out of a file --------------------------------------------------------------------------------

NO_MANDATE, IDLE, CONTESTED, SETTLED = "no_mandate", "idle", "contested", "settled"
UNTOLD, TOO_YOUNG, TOO_LATE, NO_TARGET_DAY = "untold", "too_young", "too_late", "no_target_day"
DIFFERS, MISSED = "differs", "missed"
MOVED_BY_ITSELF = 1
"""How often a payer is told another day without anybody asking for it. Who was told two days that nobody kept is told
no third before a person says so: they would hold the money ready again and again, for nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides whether an announced debit goes into a file. `told_on`: the day on which the mail server took
    the pre-notification (None: not yet), which named `told_cents` and `told_debit_on`. `told_days`: every day that the
    payer was ever told."""

    debit_on: date
    cents: Cents
    due_cents: Cents
    contested: bool
    mandate_state: str
    mandate_lapses_on: date
    told_on: date | None
    told_debit_on: date | None
    told_cents: Cents | None
    terms: DebitTerms
    told_days: Sequence[date] = ()


def hindrance(of: Standing, *, today: date) -> str:
    """Why this debit may not be in a file that is made `today`; "": it may (invariant 23)."""
    if of.mandate_state != mandate_rules.ACTIVE:
        return NO_MANDATE
    if of.debit_on >= of.mandate_lapses_on:
        return IDLE
    if of.contested:
        return CONTESTED
    if of.due_cents != of.cents:
        return SETTLED
    late = of.debit_on < reachable_from(today)
    passed = sum(day < reachable_from(today) for day in of.told_days)
    if late and passed > MOVED_BY_ITSELF:
        return MISSED
    if of.told_on is None:  # a notice that never leaves is sent anew for each day it missed, to the present address
        return TOO_LATE if late else UNTOLD
    if (of.told_debit_on, of.told_cents) != (of.debit_on, of.cents):
        return DIFFERS
    if of.debit_on < first_day(of.told_on, of.terms):
        return TOO_YOUNG
    if not is_target_day(of.debit_on):
        return NO_TARGET_DAY
    return TOO_LATE if late else ""


ANNOUNCE_AGAIN = frozenset({DIFFERS, TOO_YOUNG, TOO_LATE, NO_TARGET_DAY})
"""Hindrances that another pre-notification, with another day, takes away."""
WITHDRAW = frozenset({NO_MANDATE, IDLE, CONTESTED, SETTLED})
"""Hindrances that end the debit as it was announced."""


# --- names in the bank's files ---------------------------------------------------------------------------------------


def group(reference: str, day: date) -> str:
    """How the debits of one day of a file are called together (PmtInfId); at most 35 signs."""
    return f"{reference}-{day:%y%m%d}"


def of_group(name: str) -> tuple[str, date] | None:
    """The file and the day of a group's name; None when it is none of ours."""
    reference, dash, digits = name.rpartition("-")
    if not dash or len(digits) != len("yymmdd") or not digits.isdecimal() or not reference:
        return None
    try:
        return reference, date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return None


# --- how long it can come back ---------------------------------------------------------------------------------------

REFUND_WEEKS = 8
UNAUTHORISED_MONTHS = 13


def refundable_until(debit_on: date) -> date:
    """The last day on which the payer can have a debit back without giving a reason."""
    return debit_on + timedelta(weeks=REFUND_WEEKS)


def contestable_until(debit_on: date) -> date:
    """The last day on which the payer can say that there was no mandate."""
    return add_months(debit_on, UNAUTHORISED_MONTHS)
