"""What a key press means to a program in a terminal: the bytes xterm sends for it. Pure."""

import re
from collections.abc import Mapping

ESC = "\x1b"
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
INTERRUPT = b"\x03"
_CURSOR: Mapping[str, str] = {
    "ArrowUp": "A", "ArrowDown": "B", "ArrowRight": "C", "ArrowLeft": "D", "Home": "H", "End": "F"
}  # fmt: skip
_FIRST_FOUR: Mapping[str, str] = {"F1": "P", "F2": "Q", "F3": "R", "F4": "S"}
_NUMBERED: Mapping[str, int] = {
    "Insert": 2, "Delete": 3, "PageUp": 5, "PageDown": 6, "F5": 15, "F6": 17, "F7": 18, "F8": 19, "F9": 20, "F10": 21,
    "F11": 23, "F12": 24,
}  # fmt: skip
_PLAIN: Mapping[str, str] = {"Enter": "\r", "Backspace": "\x7f", "Tab": "\t", "Escape": ESC}
_WITH_CTRL: Mapping[str, str] = {
    "Enter": "\r", "Backspace": "\x08", "Tab": "\t", "Escape": ESC, " ": "\0", "@": "\0", "2": "\0", "[": "\x1b",
    "3": "\x1b", "\\": "\x1c", "4": "\x1c", "]": "\x1d", "5": "\x1d", "^": "\x1e", "6": "\x1e", "_": "\x1f",
    "-": "\x1f", "/": "\x1f", "7": "\x1f", "?": "\x7f", "8": "\x7f",
}  # fmt: skip
_LINE_ENDS = re.compile(r"\r\n|\n|\u2028|\u2029")
_NOT_FROM_A_CLIPBOARD = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def pressed(
    key: str, *, ctrl: bool = False, alt: bool = False, shift: bool = False, application: bool = False
) -> bytes:
    """The bytes of a key by its DOM name ("ArrowUp", "F5", "c"); none for one that has no meaning here. `application`:
    the program asked for the cursor keys of an application (DECCKM)."""
    mods = 1 + shift + 2 * alt + 4 * ctrl
    if key in _CURSOR:
        if mods > 1:
            return f"{ESC}[1;{mods}{_CURSOR[key]}".encode()
        return f"{ESC}{'O' if application else '['}{_CURSOR[key]}".encode()
    if key in _FIRST_FOUR:
        return f"{ESC}[1;{mods}{_FIRST_FOUR[key]}".encode() if mods > 1 else f"{ESC}O{_FIRST_FOUR[key]}".encode()
    if key in _NUMBERED:
        return f"{ESC}[{_NUMBERED[key]};{mods}~".encode() if mods > 1 else f"{ESC}[{_NUMBERED[key]}~".encode()
    if key == "Tab" and shift:
        return f"{ESC}[Z".encode()
    return _character(key, ctrl=ctrl, alt=alt)


def _character(key: str, *, ctrl: bool, alt: bool) -> bytes:
    if ctrl:
        text = chr(ord(key.lower()) - 96) if len(key) == 1 and key.isascii() and key.isalpha() else _WITH_CTRL.get(key)
    else:
        text = _PLAIN.get(key) or (key if len(key) == 1 and key.isprintable() else None)
    if text is None:
        return b""
    return ((ESC if alt else "") + text).encode(errors="ignore")


def typed(text: str) -> bytes:
    """Text that the browser composed, of an input method or a telephone's keyboard: its line ends are Enter, and of
    control characters only the tabulator is kept."""
    return _NOT_FROM_A_CLIPBOARD.sub("", _LINE_ENDS.sub("\r", text)).encode()


def pasted(text: str, *, bracketed: bool, first: bool, last: bool) -> bytes:
    """A piece of what is pasted. Control characters are dropped, above all the escape that would end the brackets
    early and let the rest count as typed."""
    begins, ends = (PASTE_BEGINS if first else b"", PASTE_ENDS if last else b"") if bracketed else (b"", b"")
    return begins + typed(text) + ends
