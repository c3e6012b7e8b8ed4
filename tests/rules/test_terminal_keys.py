"""What keys and pasted text become for a program in a terminal (SRV-8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.terminals.keyboard import pasted, pressed, typed


@pytest.mark.parametrize(
    ("key", "mods", "sent"),
    [
        ("c", "c", b"\x03"), ("C", "cs", b"\x03"), ("d", "c", b"\x04"), ("z", "c", b"\x1a"), (" ", "c", b"\0"),
        ("[", "c", b"\x1b"), ("_", "cs", b"\x1f"), ("b", "a", b"\x1bb"), ("Enter", "", b"\r"),
        ("Enter", "a", b"\x1b\r"),
        ("Backspace", "", b"\x7f"), ("Backspace", "c", b"\x08"), ("Backspace", "a", b"\x1b\x7f"), ("Tab", "", b"\t"),
        ("Tab", "s", b"\x1b[Z"), ("Escape", "", b"\x1b"), ("ArrowUp", "", b"\x1b[A"), ("ArrowLeft", "c", b"\x1b[1;5D"),
        ("Home", "", b"\x1b[H"), ("Delete", "", b"\x1b[3~"), ("PageDown", "c", b"\x1b[6;5~"), ("F1", "", b"\x1bOP"),
        ("F5", "", b"\x1b[15~"), ("F12", "s", b"\x1b[24;2~"), ("F1", "c", b"\x1b[1;5P"), ("x", "", b"x"),
        ("é", "c", b""), ("Dead", "", b""), ("Shift", "s", b""), ("MediaPlay", "", b""), ("", "", b""),
    ],
)  # fmt: skip
def test_keys(key: str, mods: str, sent: bytes) -> None:
    assert pressed(key, ctrl="c" in mods, alt="a" in mods, shift="s" in mods) == sent


def test_cursor_keys_of_an_application() -> None:
    assert pressed("ArrowUp", application=True) == b"\x1bOA"
    assert pressed("ArrowUp", application=True, ctrl=True) == b"\x1b[1;5A"


def test_typed_lines_end_with_enter() -> None:
    assert typed("a\nb\r\nc\td") == b"a\rb\rc\td"


def test_pasted_text_cannot_end_its_brackets() -> None:
    sent = pasted("ls\x1b[201~\nrm -rf /\n\x03", bracketed=True, first=True, last=True)
    assert sent == b"\x1b[200~ls[201~\rrm -rf /\r\x1b[201~"
    assert pasted("a", bracketed=True, first=False, last=False) == b"a"
    assert pasted("a", bracketed=False, first=True, last=True) == b"a"


@given(st.text(max_size=200))
def test_nothing_pasted_is_a_control_character(text: str) -> None:
    sent = pasted(text, bracketed=False, first=True, last=True).decode()
    assert not {char for char in sent if ord(char) < 32 or 127 <= ord(char) < 160} - {"\t", "\r"}


@given(st.text(max_size=30), st.booleans(), st.booleans(), st.booleans())
def test_no_key_breaks_it(key: str, ctrl: bool, alt: bool, shift: bool) -> None:
    assert len(pressed(key, ctrl=ctrl, alt=alt, shift=shift)) < 12
