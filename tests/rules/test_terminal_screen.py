"""What a terminal shows and sends: full programs, wide characters, hostile output (SRV-8)."""

import random
import unicodedata
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from servers.terminals.screen import LARGEST, SMALLEST, Screen, bounded


def screen(columns: int = 40, rows: int = 6, *, history: int = 5) -> tuple[Screen, list[bytes]]:
    answers: list[bytes] = []
    return Screen(columns, rows, history=history, answer=answers.append), answers


def words(line: list[str]) -> str:
    return "".join(line[::2]).rstrip()


def shown(made: Screen) -> list[str]:
    """All rows as text, told afresh."""
    made._whole = True
    told = made.changes() or {}
    return [words(told["rows"][y]) for y in range(made.lines)]


def test_only_lines_that_changed_are_told_and_the_cursor_is_a_class() -> None:
    made, _ = screen()
    made.feed(b"one\r\ntwo")
    first = made.changes()
    assert first is not None
    assert first["size"] == [40, 6]
    assert first["rows"][1] == ["two", "", " ", "cur"]
    assert made.changes() is None
    made.feed(b"!")
    assert made.changes() == {"rows": {1: ["two!", "", " ", "cur"]}}
    made.feed(b"\x1b[A")
    assert made.changes() == {"rows": {0: ["one ", "", " ", "cur"], 1: ["two!", ""]}}
    made.feed(b"\x1b[?25l")
    assert "cur" not in str(made.changes())


def test_colours_and_attributes_are_classes() -> None:
    made, _ = screen(columns=80)
    made.feed(b"\x1b[1;31mA\x1b[0m\x1b[48;5;24mB\x1b[0m\x1b[38;2;255;0;2mC\x1b[0m\x1b[7mD\x1b[0m\x1b[4:3mE\x1b[4:0mF")
    line = (made.changes() or {})["rows"][0]
    assert line == [
        "A", "f1 bold", "B", "b24", "C", "f196", "D", "fd bd", "E", "under", "F", "", " ", "cur"
    ]  # fmt: skip


def test_the_alternate_screen_leaves_no_trace() -> None:
    made, _ = screen()
    made.feed(b"$ vi\r\n\x1b[?1049h\x1b[2J\x1b[Hediting\x1b[5;1Hbelow")
    assert shown(made)[0] == "editing"
    made.resize(columns=30, lines=5)
    made.feed(b"\x1b[?1049l$ ")
    assert shown(made)[:2] == ["$ vi", "$"]


def test_what_scrolls_off_is_told_once_and_bounded() -> None:
    made, _ = screen(history=3)
    made.feed(b"".join(b"line %d\r\n" % n for n in range(9)))
    told = made.changes() or {}
    assert [words(line) for line in told["past"]] == ["line 1", "line 2", "line 3"]
    assert "past" not in (made.changes() or {})
    made.feed(b"\x1b[?1049h" + b"x\r\n" * 50 + b"\x1b[?1049l")
    assert "past" not in (made.changes() or {}), "what a program draws on its own screen is no history"
    made.feed(b"\x1b[3J")
    assert (made.changes() or {}).get("forget") is True
    assert shown(made)[0] == "line 4"


def test_wide_and_combined_characters_keep_their_cells() -> None:
    made, _ = screen(columns=20)
    made.feed("a你b e\u0301 \u2764\ufe0f after".encode())
    line = (made.changes() or {})["rows"][0]
    assert line[:4] == ["a", "", "你", "wide"]
    assert "é" in words(line)
    assert words(line).endswith("after"), "what has no width does not end the text"
    made.feed(b"\r\n" + "你".encode() * 11)
    assert shown(made)[1:3] == ["你" * 10, "你"]
    made.feed(b"\x1b[2;2Hx")
    assert shown(made)[1] == " x" + "你" * 9, "half of a wide character is a blank"


def test_what_it_does_not_know_is_not_shown() -> None:
    made, answers = screen()
    made.feed(
        b"\x1b]0;title\x07a\x1bP+q436f\x1b\\b\x1b[>4;2mc\x1b_x\x1b\\d\x1b[?2026$pe\x1b[2 qf\x1b(0q\x1b(Bg\x1b[=5uh"
    )
    assert words((made.changes() or {})["rows"][0]) == "abcdef─gh"
    assert not any(cell.underscore for cell in made.buffer[0].values()), "a mode of the keyboard is no underline"
    made.feed(b"\x1b[c\x1b[6n\x1b[5n\x1b[>c")
    assert answers == [b"\x1b[?62;22c", b"\x1b[1;10R", b"\x1b[0n"]


def test_modes_that_decide_what_keys_send() -> None:
    made, _ = screen()
    assert (made.application_keys, made.bracketed_paste) == (False, False)
    made.feed(b"\x1b[?1h\x1b[?2004h")
    assert (made.application_keys, made.bracketed_paste) == (True, True)
    made.feed(b"\x1bc")
    assert (made.application_keys, made.bracketed_paste) == (False, False)


def test_a_smaller_window_keeps_the_line_of_the_cursor() -> None:
    made, _ = screen(rows=10, history=50)
    made.feed(b"".join(b"%d\r\n" % n for n in range(8)) + b"$ ")
    made.resize(lines=5, columns=40)
    assert shown(made) == ["4", "5", "6", "7", "$"]
    made.resize(lines=8, columns=200)
    assert shown(made)[:5] == ["4", "5", "6", "7", "$"]
    empty, _ = screen(rows=10)
    empty.feed(b"$ ")
    empty.resize(lines=5)
    assert shown(empty)[0] == "$", "nothing goes off that fits"


def test_repeat_tab_and_scroll_regions() -> None:
    made, _ = screen()
    made.feed(b"a\x1b[3b\tb\x1b[Zc\r\n1\r\n2\r\n3\x1b[2;4r\x1b[S")
    assert shown(made)[:4] == ["aaaa    c", "2", "3", ""]
    made.feed(b"\x1b[T")
    assert shown(made)[:4] == ["aaaa    c", "", "2", "3"]


def test_a_string_without_end_is_passed_over_and_nothing_gathers() -> None:
    made, _ = screen()
    made.feed(b"\x1b]0;" + b"x" * 100_000)
    made.feed(b"y" * 100_000)
    assert len(made._reader._rest) <= 4097
    made.feed(b"\x07done")
    assert shown(made)[0] == "done"
    made.feed(b"\r\n" + b"\x1b7" * 10_000 + b"e" + "\u0301".encode() * 50_000)
    assert len(made.savepoints) <= 16
    assert max(len(cell.data) for row in made.buffer.values() for cell in row.values()) < 10


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?3h", b"\x1b[?5h", b"\x1bM", b"\x1bD", b"\x1bc", b"\x1b7"]),
    st.builds(
        lambda prefix, numbers, final: f"\x1b[{prefix}{';'.join(map(str, numbers))}{final}".encode(),
        st.sampled_from(["", "?", ">"]), st.lists(st.integers(0, 10**7), max_size=6),
        st.sampled_from("@ABCDEFGHIJKLMPSTXZabcdefghlmnrsu`"),
    ),
    st.text(max_size=20).map(lambda text: text.encode(errors="replace")),
)  # fmt: skip


@given(pieces=st.lists(PIECES, max_size=30), seed=st.integers(0, 1000))
def test_whatever_a_program_writes_the_screen_stands(pieces: list[bytes], seed: int) -> None:
    """In whatever pieces it arrives, and however the window changes meanwhile; each row fits."""
    made, _ = screen(columns=20, rows=5)
    chance = random.Random(seed)
    for piece in pieces:
        made.feed(piece)
        if chance.random() < 0.2:
            made.resize(columns=chance.randint(1, 60), lines=chance.randint(1, 20))
        told: Any = made.changes() or {}
        for line in told.get("rows", {}).values():
            cells = [text * (1 + ("wide" in look)) for text, look in zip(line[::2], line[1::2], strict=True)]
            assert sum(1 for one in "".join(cells) if not unicodedata.combining(one)) <= made.columns
        assert 0 <= made.cursor.y < made.lines


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_it_does_not_matter_how_output_is_cut(data: bytes, cuts: list[int]) -> None:
    whole, _ = screen()
    whole.feed(data)
    pieces, _ = screen()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for begin, end in pairwise(places):
        pieces.feed(data[begin:end])
    assert shown(pieces) == shown(whole)


@given(st.integers(-5, 10**6), st.integers(-5, 10**6))
def test_a_size_is_one_that_can_be(columns: int, rows: int) -> None:
    made = bounded(columns, rows)
    assert SMALLEST[0] <= made[0] <= LARGEST[0]
    assert SMALLEST[1] <= made[1] <= LARGEST[1]
