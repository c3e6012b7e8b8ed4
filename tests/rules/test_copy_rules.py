"""The law of copies: the rhythm through summer time and gaps, what retention may take, when the space is used up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from panel.core.calendars import PARIS
from servers.safekeeping import copy_rules
from servers.safekeeping.copy_rules import Kept, Kind, Rhythm, Stored

INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@given(INSTANTS, st.sampled_from([6, 12, 24, 48, 168]), INSTANTS)
def test_the_last_slot_is_before_the_following_one_and_nothing_lies_between(
    anchor: datetime, hours: int, now: datetime
) -> None:
    rhythm = Rhythm(copy_rules.first_slot(7, anchor), hours)
    last, following = rhythm.last(now), rhythm.following(now)
    assert following > now
    if last is None:
        assert (now < rhythm.anchor, following) == (True, rhythm.anchor)
        return
    assert last <= now
    assert abs(following - last - timedelta(hours=hours)) <= timedelta(hours=1), "but for the change of the clocks"
    assert (rhythm.following(last), rhythm.last(following)) == (following, following)


@given(INSTANTS, st.integers(1, 10**6))
def test_the_first_slot_is_the_coming_night(now: datetime, server: int) -> None:
    slot = copy_rules.first_slot(server, now)
    assert now < slot <= now + timedelta(days=1, hours=1)
    assert 1 <= slot.astimezone(PARIS).hour <= 5


def test_a_nightly_one_keeps_its_time_of_the_clock_over_the_end_of_winter() -> None:
    rhythm = Rhythm(datetime(2026, 3, 27, 3, 30, tzinfo=PARIS).astimezone(UTC), 24)
    assert [rhythm.slot(n).astimezone(PARIS).strftime("%d %H:%M") for n in range(4)] == [
        "27 03:30", "28 03:30", "29 03:30", "30 03:30",
    ]  # fmt: skip


AGES = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from([Kind.SNAPSHOT, Kind.BACKUP]), st.booleans()), max_size=12
)


@given(AGES, st.none() | st.integers(1, 60))
def test_retention_never_takes_the_last_good_backup_nor_a_snapshot(
    ages: list[tuple[int, Kind, bool]], keep_days: int | None
) -> None:
    copies = [
        Kept(pk, kind, NOON - timedelta(days=age), NOON if ends else None) for pk, (age, kind, ends) in enumerate(ages)
    ]
    gone = copy_rules.to_delete(copies, keep_days, NOON)
    assert {copy.pk for copy in copies if copy.expires_at} <= gone
    alive = [copy for copy in copies if copy.expires_at is None]
    assert not gone & {copy.pk for copy in alive if copy.kind == Kind.SNAPSHOT}
    mine = [copy for copy in alive if copy.kind == Kind.BACKUP]
    if mine:
        assert max(mine, key=lambda copy: (copy.taken_at, copy.pk)).pk not in gone
    for copy in mine:
        young = keep_days is None or NOON - copy.taken_at < timedelta(days=keep_days)
        assert not (young and copy.pk in gone)
        old = keep_days is not None and NOON - copy.taken_at > timedelta(days=keep_days + 1)
        if old and copy.taken_at < max(one.taken_at for one in mine):
            assert copy.pk in gone


def test_the_space_is_used_up_at_the_limit_and_what_is_not_told_counts_whole() -> None:
    limit = copy_rules.limit_bytes(20, 500)
    assert limit == 100 * 10**9
    assert copy_rules.taken_up([1, 0, 2], 20) == 20 * 10**9 + 3
    assert [copy_rules.is_full(used, limit) for used in (limit - 1, limit, limit + 1)] == [False, True, True]


def test_levels_and_names() -> None:
    assert copy_rules.level_of({"vps-backup-3": 1, "vps-address": 2}) == "level_3"
    assert copy_rules.name_of("  before \n it ") == "before it"
    assert [copy_rules.name_of(text) for text in ("", " ", "x" * 61, "\x07")] == [None] * 4


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50)), max_size=10), st.integers(0, 200))
def test_what_exceeds_goes_from_the_oldest_on_and_no_further(stored: list[tuple[int, int]], limit: int) -> None:
    backups = [Stored(pk, NOON - timedelta(days=age), size) for pk, (age, size) in enumerate(stored)]
    used = sum(one.bytes for one in backups)
    going = copy_rules.to_free(backups, used, limit)
    by_age = [one.pk for one in sorted(backups, key=lambda one: (one.taken_at, one.pk))]
    assert going == by_age[: len(going)], "the oldest first"
    assert not backups or len(going) < len(backups), "the last good one stays"
    left = used - sum(backups[pk].bytes for pk in going)
    assert not copy_rules.exceeds(left, limit) or len(going) >= len(backups) - 1, "enough"
    if going:
        assert copy_rules.exceeds(left + backups[going[-1]].bytes, limit), "and no more"
