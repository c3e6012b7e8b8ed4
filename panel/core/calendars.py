"""Days and working days are Europe/Paris; hours are elapsed and in UTC. A deadline is missed only after its instant."""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

from panel.core.remembering import remembered

PARIS = ZoneInfo("Europe/Paris")


@remembered
def paris_date(instant: datetime) -> date:
    """The calendar day in Paris at `instant`."""
    return instant.astimezone(PARIS).date()


@remembered
def start_of_paris_day(day: date) -> datetime:
    """00:00 Paris of `day`, in UTC."""
    return datetime.combine(day, time(), PARIS).astimezone(UTC)


def end_of_paris_day(day: date) -> datetime:
    """24:00 Paris of `day`, in UTC: where a period counted in days ends."""
    return start_of_paris_day(day + timedelta(days=1))


@remembered
def add_months(anchor: date, months: int) -> date:
    """`anchor` moved by months, its day clipped to a shorter month; always count from the anchor (SUB-5)."""
    index = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(index, 12)
    month += 1
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


@cache
def _french_holidays(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", years=year))


def is_working_day(day: date) -> bool:
    """Not a Saturday, Sunday or French public holiday."""
    return day.weekday() < 5 and day not in _french_holidays(day.year)


def working_days_after(day: date, count: int) -> date:
    """The `count`-th working day after `day`."""
    while count > 0:
        day += timedelta(days=1)
        if is_working_day(day):
            count -= 1
    return day


@cache
def _target_closings(year: int) -> frozenset[date]:
    return frozenset(holidays.financial_holidays("XECB", years=year))


def is_target_day(day: date) -> bool:
    """Banks settle in euro: no Saturday, Sunday, 1 January, Good Friday, Easter Monday, 1 May, 25 or 26 December."""
    return day.weekday() < 5 and day not in _target_closings(day.year)


def target_day_from(day: date) -> date:
    """`day` itself, or the first day after it on which banks settle in euro."""
    while not is_target_day(day):
        day += timedelta(days=1)
    return day


def days_later(instant: datetime, days: int) -> datetime:
    """End of a period of days counted from an act: 24:00 Paris of its last day, in UTC."""
    return end_of_paris_day(paris_date(instant) + timedelta(days=days))


def last_day_before(instant: datetime) -> date:
    """The Paris day at whose end, or within which, a period that ends at `instant` ends."""
    return paris_date(instant - timedelta(microseconds=1))


def same_paris_time_later(instant: datetime, days: int) -> datetime:
    """The same Paris wall-clock time `days` later, in UTC (ABU-5, ABU-6)."""
    local = instant.astimezone(PARIS)
    return (local.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=PARIS, fold=local.fold).astimezone(UTC)


def is_missed(now: datetime, deadline: datetime) -> bool:
    """An act at the instant is in time; only after it the deadline is missed."""
    return now > deadline
