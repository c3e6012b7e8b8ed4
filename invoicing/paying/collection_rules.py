"""The pure law of automatic collection (INV-5, INV-7): when a refused payment is tried again, and when it is told."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from panel.core.calendars import add_months

TO_CONFIRM = "authentication_required"
FINAL = frozenset({
    TO_CONFIRM, "expired_card", "lost_card", "stolen_card", "pickup_card", "restricted_card", "invalid_account",
    "incorrect_number", "revocation_of_authorization", "revocation_of_all_authorizations", "AC01", "AC04", "AC06",
    "AC13", "AG01", "AG02", "AM05", "BE05", "CNOR", "DNOR", "FF01", "FF05", "MD01", "MD02", "MD06", "MD07", "MS02",
    "RC01", "RR01", "RR02", "RR03", "RR04", "SL01",
})  # fmt: skip
"""Refusals that another attempt with the same means will not change: codes of card networks, and SEPA's R-codes."""


def next_attempt(failed_at: datetime, failures: int, code: str, waits: Sequence[int]) -> datetime | None:
    """When the same means is tried again after its `failures`-th refusal; None: not by itself. `waits`: days."""
    if code in FINAL or failures > len(waits):
        return None
    return failed_at + timedelta(days=waits[failures - 1])


def after_trouble(failed_at: datetime, times: int, code: str) -> datetime | None:
    """When an attempt that never reached the means is made again, after the `times`-th in a row: the first time at
    once, then ever later, at most a day. None: a person must mend something first."""
    if code in FINAL:
        return None
    return failed_at + min(timedelta(hours=2 ** min(times - 1, 5) - 1), timedelta(days=1))


def is_repeated(failures: int, code: str, repeated: int) -> bool:
    """INV-7: the means is refused for good, or `repeated` times. A bank that asks for its customer refused nothing."""
    return code != TO_CONFIRM and (failures >= repeated or code in FINAL)


def usable_until(exp_year: int, exp_month: int) -> date:
    """The first day on which a card can no longer be used: it ends with its month."""
    return add_months(date(exp_year, exp_month, 1), 1)


def expires_soon(exp_year: int, exp_month: int, today: date, days: int) -> bool:
    """Whether a card ends within `days`; one that has ended is no news any more."""
    last = usable_until(exp_year, exp_month)
    return today < last <= today + timedelta(days=days)
