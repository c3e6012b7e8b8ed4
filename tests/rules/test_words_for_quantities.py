"""Bytes, durations and ages in words."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as some

from panel.core.quantities import ago, bytes_in_words, duration_in_words

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_234_567_890, "1.23 GB"), (12_340_000_000, "12.3 GB"),
     (-5, "\u22125 B"), (412_700_000_000, "413 GB"), (10**15, "1 PB")],
)  # fmt: skip
def test_traffic_is_counted_in_powers_of_ten(count: int, words: str) -> None:
    assert bytes_in_words(count).replace("\u00a0", " ") == words


def test_memory_is_counted_in_powers_of_two() -> None:
    assert bytes_in_words(4 * 2**30, binary=True) == "4\u00a0GiB"


def test_the_decimal_mark_and_the_unit_are_the_readers() -> None:
    with translation.override("fr"):
        assert bytes_in_words(1_234_567_890) == "1,23\u00a0Go"


@pytest.mark.parametrize(
    ("span", "words"),
    [(timedelta(seconds=0), "0 s"), (timedelta(seconds=250), "4 min 10 s"), (timedelta(minutes=42), "42 min"),
     (timedelta(hours=48), "48 h"), (timedelta(hours=71, minutes=59), "71 h 59 min"),
     (timedelta(days=6, hours=4), "6 d 4 h"), (timedelta(hours=-5), "5 h")],
)  # fmt: skip
def test_time_left_names_the_two_largest_units(span: timedelta, words: str) -> None:
    assert duration_in_words(span).replace("\u00a0", " ") == words


@given(some.timedeltas(timedelta(0), timedelta(days=900)))
def test_time_left_is_never_empty(span: timedelta) -> None:
    assert duration_in_words(span)


def test_ages_go_both_ways() -> None:
    assert ago(NOW - timedelta(hours=3), NOW) == "3 hours ago"
    assert ago(NOW + timedelta(days=1), NOW) == "in 1 day"
    assert ago(NOW, NOW) == "just now"
