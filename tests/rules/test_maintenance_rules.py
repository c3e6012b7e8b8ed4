"""Interruptions, for any instants (SUB-10, SUB-15)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from servers import sla_rules
from servers.maintaining import maintenance_rules as rules
from servers.maintaining.maintenance_rules import Condition, Kind, WhyNot
from servers.sla_rules import Span

NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MINUTES = st.integers(-10_000, 10_000)
KINDS = st.sampled_from(Kind)


@given(KINDS, MINUTES, st.one_of(st.none(), MINUTES), MINUTES)
def test_what_could_be_announced_is_excused_once_its_mail_left_within_the_hour(
    kind: Kind, since: int, until: int | None, sent: int
) -> None:
    begins, ends = NOW + since * MINUTE, None if until is None else NOW + until * MINUTE
    refused = rules.why_not(kind, begins, ends, now=NOW, notice=DAY)
    if refused or ends is None or kind is Kind.INCIDENT:
        return
    told = NOW + abs(sent) % 61 * MINUTE
    found = rules.excused(kind, Span(begins, ends), told_at=told, over_at=None, notice=DAY)
    assert found == (Span(begins, ends) if kind is Kind.PLANNED else None)
    assert ends > begins
    assert ends - begins <= rules.LONGEST


@given(MINUTES, st.integers(1, 4000), MINUTES, MINUTES)
def test_nothing_is_excused_beyond_what_was_announced_nor_told_late(
    since: int, length: int, told: int, over: int
) -> None:
    span = Span(NOW + since * MINUTE, NOW + (since + length) * MINUTE)
    found = rules.excused(Kind.PLANNED, span, told_at=NOW + told * MINUTE, over_at=NOW + over * MINUTE, notice=DAY)
    if found is None:
        assert told * MINUTE > since * MINUTE - DAY or over <= since
    else:
        assert told * MINUTE <= since * MINUTE - DAY
        assert (found.since, found.until) == (span.since, min(span.until, NOW + over * MINUTE))


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=5),
       st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), max_size=3))  # fmt: skip
def test_what_is_excused_is_taken_off_to_the_hour(down: list[tuple[int, int]], work: list[tuple[int, int]]) -> None:
    month = Span(NOW, NOW + 200 * HOUR)
    outages, excused = (
        [Span(NOW + at * HOUR, NOW + (at + length) * HOUR) for at, length in rows] for rows in (down, work)
    )
    hours, off = ({hour for at, length in rows for hour in range(at, min(200, at + length))} for rows in (down, work))
    assert sla_rules.down(outages, month, excused=excused) == len(hours - off) * HOUR


def test_the_notice_is_to_the_minute() -> None:
    soonest = rules.earliest(NOW, DAY)
    assert soonest == NOW + DAY + rules.SENDING
    end = soonest + HOUR
    assert rules.why_not(Kind.PLANNED, soonest - MINUTE, end, now=NOW, notice=DAY) is WhyNot.NOT_IN_TIME
    assert rules.why_not(Kind.PLANNED, soonest, end, now=NOW, notice=DAY) is None
    assert rules.why_not(Kind.EMERGENCY, NOW, end, now=NOW, notice=DAY) is None


@given(st.integers(0, 1000), st.integers(0, 1000), st.booleans(), st.one_of(st.none(), KINDS))
def test_a_place_is_never_called_whole_while_half_of_it_is_down(
    running: int, down: int, answers: bool, working: Kind | None
) -> None:
    down = min(down, running)
    said = rules.condition(running=running, down=down, answers=answers, working=working)
    if running and down * 2 >= running:
        assert said in {Condition.DOWN, Condition.MAINTENANCE}
        assert said is Condition.DOWN or working is Kind.PLANNED
    if said is Condition.UP:
        assert answers
        assert working is None
