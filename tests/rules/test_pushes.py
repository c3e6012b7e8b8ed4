"""A place's message is taken from who knows its secret, for some minutes, and for exactly its bytes."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.pushes import push_rules
from servers.pushes.push_rules import Refused

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=20), st.integers(-300, 300))
def test_what_is_signed_with_a_secret_within_the_window_is_taken(raw: bytes, secret: str, seconds: int) -> None:
    header = push_rules.signature(secret, raw, NOW + timedelta(seconds=seconds))
    push_rules.verify(["old", secret], header, raw, now=NOW)


@given(
    st.binary(max_size=50), st.sampled_from((b"", b"more")), st.integers(-1000, 1000), st.sampled_from((0, 0, 1, -400)),
    st.sampled_from(("good", "good", "other", "")),
)  # fmt: skip
def test_nothing_else_is(raw: bytes, more: bytes, seconds: int, shift: int, secret: str) -> None:
    other = raw + more
    header = push_rules.signature(secret, other, NOW + timedelta(seconds=seconds))
    moved = header.replace(f"t={int(NOW.timestamp()) + seconds}", f"t={int(NOW.timestamp()) + seconds + shift}")
    fits = raw == other and secret == "good" and shift == 0 and abs(seconds) <= 300
    try:
        push_rules.verify(["good", ""], moved, raw, now=NOW)
    except Refused:
        assert not fits
    else:
        assert fits


@given(st.text(max_size=60))
def test_a_header_of_any_words_is_refused_and_breaks_nothing(header: str) -> None:
    with pytest.raises(Refused):
        push_rules.verify(["good"], header, b"{}", now=NOW)


@given(st.one_of(st.binary(max_size=60), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("id", "ref", "kind")), inner),
).map(lambda told: json.dumps(told).encode())))  # fmt: skip
def test_any_body_is_read_or_refused(raw: bytes) -> None:
    try:
        push = push_rules.read(raw)
    except Refused:
        return
    assert 0 < len(push.id) <= push_rules.LONGEST_ID
    assert 0 < len(push.ref) <= push_rules.LONGEST_REF


@given(st.sampled_from(("id", "ref", "kind")), st.sampled_from(("\0", "\ud800", "a\0b", "\udfff\ud800", "é\udc80")))
def test_words_that_cannot_be_kept_are_refused_wherever_they_stand(where: str, words: str) -> None:
    with pytest.raises(Refused, match="cannot be kept"):
        push_rules.read(json.dumps({"id": "e1", "ref": "m1", "kind": "on", where: words}).encode())


def test_what_a_change_is_called_is_cut_at_its_longest() -> None:
    push = push_rules.read(json.dumps({"id": "e1", "ref": "m1", "kind": "k\U0001f600" * 80}).encode())
    assert len(push.kind) == push_rules.LONGEST_KIND
