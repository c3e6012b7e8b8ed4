"""What a program writes to a terminal, taken apart: text, control characters, sequences. Hostile output is bounded."""

import codecs
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from pyte.streams import Stream

LONGEST_STRING = 4096
_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<prefix>[<=>?]?)(?P<params>[0-9:;]{0,96})(?P<between>[ -/]{0,4})(?P<final>[@-~])"
    r"|(?P<string>\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c))"
    r"|\x1b(?P<set>[()*+])(?P<charset>[0-~])"
    r"|\x1b#(?P<sharp>[0-9])|\x1b(?P<escape>[0-Z\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
    r"|(?P<open>\x1b[\]PX^_][^\x07\x1b\x9c]*\x1b?\Z)"
    r"|(?P<partial>\x1b(?:\[[<=>?]?[0-9:;]{0,96}[ -/]{0,4}|[()*+#])?\Z)"
    r"|\x1b"
)
_BEGINS_STRING = re.compile(r"\x1b[\]PX^_]")
_STRING_ENDS = re.compile(r"\x07|\x1b\\|\x9c")
_UNDERLINED_NOT = "0"


class Listener(Protocol):
    """What it is read to: the names of pyte's screens, and a few more of our own."""

    def draw(self, data: str) -> None: ...

    def define_charset(self, code: str, mode: str) -> None: ...


_MORE: Mapping[str, str] = {
    "S": "scroll_up", "T": "scroll_down", "b": "repeat", "Z": "tab_back", "I": "tab_forward", "s": "save_cursor",
    "u": "restore_cursor",
}  # fmt: skip
_TAKES_PRIVATE = frozenset({"set_mode", "reset_mode"})
_TAKES_MANY = frozenset({"set_mode", "reset_mode", "select_graphic_rendition"})
_TAKES_TWO = frozenset({"cursor_position", "set_margins"})
_TAKES_NONE = frozenset({"save_cursor", "restore_cursor"})


class Reader:
    """Feeds a screen. Sequences it does not know are dropped whole, so that no remains of them are shown as text."""

    def __init__(self, screen: Listener) -> None:
        self._screen = screen
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._in_string = False

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decode(data)
        self._rest, place = "", 0
        if self._in_string:
            place = self._leave_string(text, 0)
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None:
                place += 1
                continue
            if token.lastgroup in ("open", "partial"):
                self._keep(token[0])
                return
            self._one(token)
            place = token.end()

    def _keep(self, rest: str) -> None:
        """Wait for the end; a string that has grown too long is passed over instead."""
        self._in_string = len(rest) > LONGEST_STRING and _BEGINS_STRING.match(rest) is not None
        self._rest = "\x1b" if self._in_string and rest.endswith("\x1b") else "" if self._in_string else rest

    def _leave_string(self, text: str, place: int) -> int:
        end = _STRING_ENDS.search(text, place)
        self._in_string = end is None
        if end is not None:
            return end.end()
        self._rest = "\x1b" if text.endswith("\x1b") else ""
        return len(text)

    def _one(self, token: re.Match[str]) -> None:
        found = token.groupdict()
        if found["text"] is not None:
            self._screen.draw(found["text"])
        elif found["final"] is not None:
            self._sequence(found["prefix"], found["params"], found["between"], found["final"])
        elif found["control"] is not None:
            self._call(Stream.basic.get(found["control"]))
        elif found["escape"] is not None:
            self._call(Stream.escape.get(found["escape"]))
        elif found["set"] in ("(", ")"):
            self._screen.define_charset(found["charset"], found["set"])
        elif found["sharp"] is not None:
            self._call(Stream.sharp.get(found["sharp"]))

    def _call(self, name: str | None, *params: int, **more: bool) -> None:
        deed: Callable[..., None] | None = getattr(self._screen, name) if name else None
        if deed is not None:
            deed(*params, **more)

    def _sequence(self, prefix: str, params: str, between: str, final: str) -> None:
        name = Stream.csi.get(final) or _MORE.get(final)
        if name is None or between or prefix not in ("", "?"):
            return
        private = prefix == "?"
        if private and name not in _TAKES_PRIVATE:
            return
        numbers = colours(params) if final == "m" else [_number(one) for one in params.split(";")]
        if name in _TAKES_NONE:
            self._call(name)
        elif name in _TAKES_MANY:
            self._call(name, *numbers, **({"private": True} if private else {}))
        else:
            self._call(name, *numbers[: 2 if name in _TAKES_TWO else 1])


def _number(text: str) -> int:
    digits = text.partition(":")[0]
    return min(int(digits[:6] or 0), 9999)


def colours(params: str) -> list[int]:
    """The numbers of an SGR sequence; of those with sub-parameters (38:2::r:g:b, 4:3) what pyte understands."""
    numbers: list[int] = []
    for part in params.split(";"):
        head, *subs = part.split(":")
        if not subs:
            numbers.append(_number(head))
        elif head == "4":
            numbers.append(24 if subs[0] == _UNDERLINED_NOT else 4)
        elif head in ("38", "48") and subs[0] == "5":
            numbers += [int(head), 5, *map(_number, subs[1:2])]
        elif head in ("38", "48") and subs[0] == "2":
            numbers += [int(head), 2, *map(_number, subs[-3:])]
    return numbers
