"""SRV-4: whatever happens to counters between two looks, the sum of what readings add is what the server carried."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from servers.traffic_rules import UNHEARD, Claim, Delta, Flag, Reading, delta

START = datetime(2026, 11, 1, tzinfo=UTC)
LINK = 10_000_000_000
MINUTE = timedelta(minutes=1)


def reading(rx: int, tx: int, minute: int, epoch: str = "boot:1", **other: object) -> Reading:
    return replace(Reading(epoch, rx, tx, START + minute * MINUTE), **other)  # type: ignore[arg-type]


def metered(readings: list[Reading], link: int = LINK) -> list[Delta]:
    """What a meter that keeps the last reading, and the claims that it stands upon, makes of them one by one."""
    last: Reading | None = None
    found = []
    claims: list[tuple[Reading, Claim]] = []
    for one in readings:
        added = delta(last, one, link, [claim for _, claim in reversed(claims)])
        found.append(added)
        if added.flag in UNHEARD:
            continue
        claims = [(at, why) for at, why in claims if at.epoch == one.epoch and at.rx <= one.rx and at.tx <= one.tx]
        if added.flag is Flag.QUARANTINED and last is not None:
            claims.append((one, Claim(*added.claimed, last.at)))
        last = one
    return found


# A server's life: some traffic, and then nothing, a look, a loss of the counter (new epoch) or a silent restart of it.
loads = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))
lives = st.lists(st.tuples(loads, st.sampled_from(["nothing", "look", "look", "new epoch", "restart"])), max_size=40)


@given(lives)
def test_sum_of_deltas_is_what_was_carried_when_losses_follow_a_look(life: list[tuple[tuple[int, int], str]]) -> None:
    """Gaps lose nothing; a panel-driven power cycle looks first, and then loses nothing either."""
    rx = tx = epoch = 0
    carried = 0
    readings = [reading(0, 0, 0)]
    for minute, ((more_rx, more_tx), then) in enumerate(life, start=1):
        rx, tx, carried = rx + more_rx, tx + more_tx, carried + more_rx + more_tx
        if then != "nothing":
            readings.append(reading(rx, tx, minute, f"boot:{epoch}"))
        if then == "new epoch":
            rx, tx, epoch = 0, 0, epoch + 1
    readings.append(reading(rx, tx, len(life) + 1, f"boot:{epoch}"))
    assert sum(added.total for added in metered(readings)) == carried


@given(lives)
def test_a_counter_lost_unseen_is_a_lower_bound_and_never_more(life: list[tuple[tuple[int, int], str]]) -> None:
    rx = tx = epoch = 0
    carried, readings = 0, [reading(0, 0, 0)]
    for minute, ((more_rx, more_tx), then) in enumerate(life, start=1):
        rx, tx, carried = rx + more_rx, tx + more_tx, carried + more_rx + more_tx
        match then:
            case "look":
                readings.append(reading(rx, tx, minute, f"boot:{epoch}"))
            case "new epoch":
                rx, tx, epoch = 0, 0, epoch + 1
            case "restart":
                rx = tx = 0
    assert sum(added.total for added in metered(readings)) <= carried


@given(lives, st.data())
def test_readings_that_come_twice_or_late_add_nothing(
    life: list[tuple[tuple[int, int], str]], data: st.DataObject
) -> None:
    rx = tx = 0
    readings = [reading(0, 0, 0)]
    for minute, ((more_rx, more_tx), _) in enumerate(life, start=1):
        rx, tx = rx + more_rx, tx + more_tx
        readings.append(reading(rx, tx, minute))
    disturbed = []
    for number, one in enumerate(readings):
        disturbed.append(one)
        disturbed += [readings[data.draw(st.integers(0, number))] for _ in range(data.draw(st.integers(0, 2)))]
    found = metered(disturbed)
    assert sum(added.total for added in found) == rx + tx
    assert sum(added.flag in UNHEARD for added in found) == len(disturbed) - len(readings)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_a_32_bit_counter_wraps_without_loss(loads: list[int]) -> None:
    """Looked at often enough for its link (here: less than one turn between two looks)."""
    readings = [reading(0, 0, 0, width=32)]
    total = 0
    for minute, more in enumerate(loads, start=1):
        total += more
        readings.append(reading(total % 2**32, 0, minute, width=32))
    assert sum(added.rx for added in metered(readings)) == total


def test_a_64_bit_counter_that_goes_back_began_anew() -> None:
    assert delta(reading(5_000, 700, 1), reading(120, 80, 2), LINK) == Delta(120, 80, Flag.RESET)


def test_of_a_pair_only_the_side_that_went_back_began_anew() -> None:
    """The other side's first 700 bytes are counted already, and nothing is counted twice."""
    found = delta(reading(5_000, 700, 1), reading(120, 800, 2), LINK)
    assert found == Delta(120, 100, Flag.RESET)
    gb = 10**9
    assert delta(reading(1_000, 30 * gb, 1), reading(900, 30 * gb + 5, 2), LINK).total == 905


def test_the_first_look_counts_only_what_began_in_our_sight() -> None:
    assert delta(None, reading(900, 100, 1), LINK).total == 1_000
    assert delta(None, reading(900, 100, 1, from_zero=False), LINK) == Delta(0, 0, Flag.BASELINE)


def test_a_new_epoch_that_did_not_begin_at_zero_adds_nothing() -> None:
    found = delta(reading(900, 100, 1), reading(10**15, 10**15, 2, "other:1", from_zero=False), LINK)
    assert found == Delta(0, 0, Flag.RESET)


def test_more_than_the_link_can_carry_is_kept_apart_and_spoils_nothing_after_it() -> None:
    full = LINK // 8 * 60
    at_the_edge, beyond = full * 110 // 100, full * 110 // 100 + 1_000_001
    assert delta(reading(0, 0, 1), reading(at_the_edge, 0, 2), LINK).flag is Flag.NORMAL
    found = metered([reading(0, 0, 0), reading(beyond, 5, 1), reading(beyond + 1_000, 5, 2)])
    assert [added.flag for added in found] == [Flag.NORMAL, Flag.QUARANTINED, Flag.NORMAL]
    assert [added.total for added in found] == [0, 0, 1_000]
    assert found[1].claimed == (beyond, 5)


ABSURD = 2**50
glitches = st.sampled_from(["true", "true", "glitch", "glitch of one side", "two glitches"])


@given(st.lists(st.tuples(loads, glitches), max_size=30), st.sampled_from([32, 64]))
def test_a_glitch_adds_nothing_and_takes_nothing(life: list[tuple[tuple[int, int], str]], width: int) -> None:
    """A value that no link can carry, and the true one after it: the sum is what was carried."""
    step, absurd, link = (10**6, 2**31, 10**6) if width == 32 else (10**9, ABSURD, LINK)
    rx = tx = minute = 0
    readings = [reading(0, 0, 0, width=width)]
    for (more_rx, more_tx), what in life:
        rx, tx, minute = rx + more_rx % step, tx + more_tx % step, minute + 1
        match what:
            case "true":
                readings.append(reading(rx, tx, minute, width=width))
            case "glitch":
                readings.append(reading(rx + absurd, tx + absurd, minute, width=width))
            case "glitch of one side":
                readings.append(reading(rx, tx + absurd, minute, width=width))
            case "two glitches":
                readings.append(reading(rx + absurd, tx, minute, width=width))
                minute += 1
                readings.append(reading(rx + 7 + absurd * 3 // 2, tx, minute, width=width))
    readings.append(reading(rx + 10, tx, minute + 1, width=width))
    assert sum(added.total for added in metered(readings, link)) == rx + 10 + tx


def test_what_was_counted_upon_a_glitch_is_not_counted_again_below_it() -> None:
    gb = 10**9
    found = metered([reading(gb, 0, 0), reading(ABSURD, 0, 1), reading(ABSURD + 5, 0, 2), reading(gb + 9, 0, 3)])
    assert [added.total for added in found] == [gb, 0, 5, 4]
    assert found[-1].flag is Flag.NORMAL


def test_a_counter_that_falls_below_the_last_good_reading_began_anew() -> None:
    gb = 10**9
    found = metered([reading(gb, 0, 0), reading(ABSURD, 0, 1), reading(40, 0, 2)])
    assert found[-1] == Delta(40, 0, Flag.RESET)
