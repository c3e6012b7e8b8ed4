"""Paris days, elapsed hours, French holidays, months from the anchor."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from panel.core import calendars

days = st.dates(date(2020, 1, 1), date(2035, 12, 31))


def test_the_31st_returns_after_a_short_month() -> None:
    anchor = date(2026, 1, 31)
    assert [calendars.add_months(anchor, n) for n in range(4)] == [
        date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)
    ]  # fmt: skip


@given(days, st.integers(0, 60))
def test_months_never_run_backwards(anchor: date, months: int) -> None:
    assert calendars.add_months(anchor, months) < calendars.add_months(anchor, months + 1)


def test_a_period_in_days_ends_at_midnight_in_paris() -> None:
    act = datetime(2026, 3, 27, 22, 30, tzinfo=UTC)  # 23:30 in Paris
    assert calendars.days_later(act, 2) == datetime(2026, 3, 29, 22, 0, tzinfo=UTC)  # the day has 23 hours


def test_the_same_wall_clock_time_over_the_change_of_the_hour() -> None:
    suspended = datetime(2026, 10, 20, 10, 0, tzinfo=UTC)  # 12:00 in Paris
    assert calendars.same_paris_time_later(suspended, 7) == datetime(2026, 10, 27, 11, 0, tzinfo=UTC)


def test_hours_are_elapsed_hours() -> None:
    notice = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)  # 12:00 in Paris, before the change
    ends = notice + timedelta(hours=48)
    assert ends.astimezone(calendars.PARIS).isoformat() == "2026-10-26T11:00:00+01:00"


def test_working_days_leave_out_weekends_and_french_holidays() -> None:
    assert calendars.working_days_after(date(2026, 4, 30), 1) == date(2026, 5, 4)  # 1 May is a holiday
    assert calendars.working_days_after(date(2026, 7, 13), 1) == date(2026, 7, 15)


def test_an_act_at_the_instant_is_in_time() -> None:
    deadline = datetime(2026, 1, 1, tzinfo=UTC)
    assert not calendars.is_missed(deadline, deadline)
    assert calendars.is_missed(deadline + timedelta(microseconds=1), deadline)
