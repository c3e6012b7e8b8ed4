"""What a terminal shows: pyte's screen with an alternate one, what has scrolled off, and only the lines that changed.

A line is a list of text and classes in turn: ["root", "f2 bold", "@web-1:~# ", ""]. Classes are of a fixed vocabulary
(`f0`..`f255`, `b0`..`b255` colours, `fd` and `bd` the other way round, `bold`, `wide`, `cur`, ...).
"""

import copy
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import pyte
from pyte import charsets, graphics, modes
from pyte.screens import Char, Margins, wcwidth

from servers.terminals.escapes import Reader

Line: TypeAlias = list[str]
SMALLEST, LARGEST = (20, 5), (300, 120)  # columns, rows
MOST_SAVED = 16
MOST_COMBINED = 6
_APPLICATION_KEYS = 1 << 5
_BRACKETED_PASTE = 2004 << 5
_ALTERNATE = frozenset({47 << 5, 1047 << 5, 1049 << 5})
_IGNORED = frozenset({modes.DECCOLM})
_BLANK = Char(" ")


def bounded(columns: int, rows: int) -> tuple[int, int]:
    """A size that a terminal here can have."""
    return (
        max(SMALLEST[0], min(LARGEST[0], columns)),
        max(SMALLEST[1], min(LARGEST[1], rows)),
    )


class Screen(pyte.Screen):
    """Not to be shared between threads without a lock."""

    def __init__(self, columns: int, rows: int, *, history: int, answer: Callable[[bytes], None]) -> None:
        self._other: tuple[Any, ...] | None = None
        self._answer = answer
        self._sent: dict[int, Line] = {}
        self._past: deque[Mapping[int, Char]] = deque(maxlen=history)
        self._forget = self._whole = True
        self._last = " "
        self._cells: dict[str, Char] = {}
        self._cells_of: Char | None = None
        super().__init__(*bounded(columns, rows))
        self._reader = Reader(self)

    def feed(self, data: bytes) -> None:
        """The program wrote `data`."""
        self._reader.feed(data)

    @property
    def application_keys(self) -> bool:
        return _APPLICATION_KEYS in self.mode

    @property
    def bracketed_paste(self) -> bool:
        return _BRACKETED_PASTE in self.mode

    def changes(self) -> dict[str, Any] | None:
        """What the browser has to be told since the last call; None: nothing. Lines that changed, "past" what scrolled
        off above, and "size" with the first one and after a change of it, when every line is told."""
        told: dict[str, Any] = {}
        if self._whole:
            told["size"] = [self.columns, self.lines]
            self._sent = {}
        rows = {}
        for y in range(self.lines):
            if not (self._whole or y in self.dirty or y in (self.cursor.y, self._cursor_was)):
                continue
            line = self._line(y)
            if self._whole or self._sent.get(y) != line:
                rows[y] = self._sent[y] = line
        if self._forget and not self._whole:
            told["forget"] = True
        if self._past:
            told["past"] = [self._runs(row) for row in self._past]
        if rows:
            told["rows"] = rows
        self._past.clear()
        self.dirty.clear()
        self._whole = self._forget = False
        self._cursor_was = self.cursor.y
        return told or None

    _cursor_was = 0

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Lines go off at the top only as far as the cursor would otherwise be below the end."""
        columns, lines = bounded(columns or self.columns, lines or self.lines)
        gone = max(0, self.cursor.y - lines + 1)
        for _ in range(gone):
            self._scrolled_off()
            for y in range(self.lines - 1):
                self.buffer[y] = self.buffer[y + 1]
            self.buffer.pop(self.lines - 1, None)
        for y in [y for y in self.buffer if y >= lines]:
            del self.buffer[y]
        if columns < self.columns:
            for line in self.buffer.values():
                for x in [x for x in line if x >= columns]:
                    del line[x]
        self.lines, self.columns, self.margins = lines, columns, None
        self.cursor.y -= gone
        self.cursor.x = min(self.cursor.x, columns - 1)
        self.tabstops = set(range(8, columns, 8))
        self._whole = True

    # ------------------------------------------------------------ what programs ask, where pyte's way does not serve

    def draw(self, data: str) -> None:
        """As pyte's, but what has no width neither ends the text nor gathers without bound, and a wide character does
        not stand half outside."""
        table = self.g1_charset if self.charset else self.g0_charset
        if table is not charsets.LAT1_MAP:
            data = data.translate(table)
        cursor = self.cursor
        for char in data:
            width = 1 if char < "\x7f" else wcwidth(char)
            if width <= 0:
                self._combine(char)
                continue
            if cursor.x + width > self.columns:
                if modes.DECAWM in self.mode:
                    self.dirty.add(cursor.y)
                    self.carriage_return()
                    self.linefeed()
                else:
                    cursor.x = self.columns - width
            if modes.IRM in self.mode:
                self.insert_characters(width)
            line = self.buffer[cursor.y]
            if self._cells_of is not cursor.attrs:
                self._cells, self._cells_of = {}, cursor.attrs
            cell = self._cells.get(char)
            if cell is None:
                cell = self._cells[char] = cursor.attrs._replace(data=char)
            line[cursor.x] = cell
            if width == 2:
                line[cursor.x + 1] = cursor.attrs._replace(data="")
            cursor.x += width
        self._last = data[-1:] or self._last
        self.dirty.add(cursor.y)

    def _combine(self, char: str) -> None:
        if not unicodedata.combining(char) or not self.cursor.x:
            return
        line, x = self.buffer[self.cursor.y], self.cursor.x - 1
        while x and not line[x].data:
            x -= 1
        if len(line[x].data) <= MOST_COMBINED:
            line[x] = line[x]._replace(data=unicodedata.normalize("NFC", line[x].data + char))

    def repeat(self, count: int = 1) -> None:
        self.draw(self._last * min(count or 1, self.columns * self.lines))

    def index(self) -> None:
        top, bottom = self.margins or Margins(0, self.lines - 1)
        if self.cursor.y == bottom and top == 0:
            self._scrolled_off()
        super().index()

    def scroll_up(self, count: int = 1) -> None:
        self._scroll(count, super().index, to_bottom=True)

    def scroll_down(self, count: int = 1) -> None:
        self._scroll(count, self.reverse_index, to_bottom=False)

    def _scroll(self, count: int, deed: Callable[[], None], *, to_bottom: bool) -> None:
        top, bottom = self.margins or Margins(0, self.lines - 1)
        was, self.cursor.y = self.cursor.y, bottom if to_bottom else top
        for _ in range(min(count or 1, self.lines)):
            deed()
        self.cursor.y = was

    def tab_back(self, count: int = 1) -> None:
        for _ in range(min(count or 1, self.columns)):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def tab_forward(self, count: int = 1) -> None:
        for _ in range(min(count or 1, self.columns)):
            self.tab()

    def save_cursor(self) -> None:
        super().save_cursor()
        del self.savepoints[:-MOST_SAVED]

    def erase_in_display(self, how: int = 0, *args: Any, **more: Any) -> None:
        """3 clears what has scrolled off, and nothing else."""
        if how == 3:
            self._past.clear()
            self._forget = True
        elif how in (0, 1, 2):
            super().erase_in_display(how)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        if how in (0, 1, 2):
            super().erase_in_line(how)

    def set_mode(self, *asked: int, **more: Any) -> None:
        wanted, alternate = self._split(asked, more)
        if alternate and self._other is None:
            self._leave_for_alternate()
        if wanted:
            super().set_mode(*wanted, **more)

    def reset_mode(self, *asked: int, **more: Any) -> None:
        wanted, alternate = self._split(asked, more)
        if alternate and self._other is not None:
            self._come_back()
        if wanted:
            super().reset_mode(*wanted, **more)

    def reset(self) -> None:
        super().reset()
        self._other = None
        self.savepoints.clear()

    def report_device_attributes(self, mode: int = 0, **more: bool) -> None:
        self._answer(b"\x1b[?62;22c")

    def report_device_status(self, mode: int) -> None:
        if mode == 5:
            self._answer(b"\x1b[0n")
        elif mode == 6:
            self._answer(f"\x1b[{self.cursor.y + 1};{min(self.cursor.x, self.columns - 1) + 1}R".encode())

    # ------------------------------------------------------------ below

    @staticmethod
    def _split(asked: tuple[int, ...], more: Mapping[str, Any]) -> tuple[list[int], bool]:
        shift = 5 if more.get("private") else 0
        wanted = [one for one in asked if one << shift not in _ALTERNATE | _IGNORED]
        return wanted, any(one << shift in _ALTERNATE for one in asked)

    def _leave_for_alternate(self) -> None:
        self._other = (self.buffer, copy.copy(self.cursor), (self.columns, self.lines))
        self.buffer = type(self.buffer)(self.buffer.default_factory)  # type: ignore[attr-defined]
        self.margins = None
        self.dirty.update(range(self.lines))

    def _come_back(self) -> None:
        if self._other is None:
            return
        now = (self.columns, self.lines)
        self.buffer, self.cursor, (self.columns, self.lines) = self._other
        self._other, self.margins = None, None
        if now != (self.columns, self.lines):
            self.resize(columns=now[0], lines=now[1])
        self.dirty.update(range(self.lines))

    def _scrolled_off(self) -> None:
        if self._other is None:
            self._past.append(self.buffer.get(0, {}))

    def _line(self, y: int) -> Line:
        at = min(self.cursor.x, self.columns - 1) if y == self.cursor.y and not self.cursor.hidden else -1
        return self._runs(self.buffer.get(y, {}), at)

    def _runs(self, row: Mapping[int, Char], at: int = -1) -> Line:
        """A row's cells in runs of the same look, with the cursor at `at`; blanks at its end are left out."""
        length = min(max(row, default=-1) + 1, self.columns)
        while length and row.get(length - 1, _BLANK) == _BLANK:
            length -= 1
        length = max(length, at + 1)
        runs: Line = []
        x, before = 0, None
        while x < length:
            cell = row.get(x, _BLANK)
            if before is not None and x != at and cell.data.isascii() and cell.data and cell[1:] == before:
                runs[-2] += cell.data
                x += 1
                continue
            is_wide = bool(cell.data) and not cell.data.isascii() and wcwidth(cell.data[0]) == 2
            whole = is_wide and x + 1 < self.columns and not row.get(x + 1, _BLANK).data
            text = cell.data if cell.data and (whole or not is_wide) else " "
            look = _classes(cell._replace(data=""), x == at or (whole and x + 1 == at), whole)
            if runs and runs[-1] == look and not whole:
                runs[-2] += text
            else:
                runs += [text, look]
            before = None if whole or x == at else cell[1:]
            x += 2 if whole else 1
        return runs


_NAMES = (
    "black", "red", "green", "brown", "blue", "magenta", "cyan", "white", "brightblack", "brightred", "brightgreen",
    "brightbrown", "brightblue", "brightmagenta", "brightcyan", "brightwhite",
)  # fmt: skip
_NUMBERS: dict[str, int] = {name: number for number, name in enumerate(_NAMES)} | {"bfightmagenta": 13}
for _number, _hex in enumerate(graphics.FG_BG_256):
    _NUMBERS.setdefault(_hex, _number)
_STEPS = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)


@lru_cache(maxsize=4096)
def colour(name: str) -> int | None:
    """0..255 for a colour of pyte's, by name or as rrggbb, the nearest one; None for the terminal's own."""
    if name == "default":
        return None
    if name in _NUMBERS:
        return _NUMBERS[name]
    try:
        parts = [int(name[place : place + 2], 16) for place in (0, 2, 4)]
    except ValueError:
        return None
    nearest = [min(range(6), key=lambda step, part=part: abs(_STEPS[step] - part)) for part in parts]  # type: ignore[misc]
    return 16 + 36 * nearest[0] + 6 * nearest[1] + nearest[2]


@lru_cache(maxsize=4096)
def _classes(look: Char, at_cursor: bool, wide: bool) -> str:
    fore, back = colour(look.fg), colour(look.bg)
    words = []
    if look.reverse:
        words = ["fd" if back is None else f"f{back}", "bd" if fore is None else f"b{fore}"]
    else:
        words = [f"f{fore}"] * (fore is not None) + [f"b{back}"] * (back is not None)
    words += ["bold"] * look.bold + ["italic"] * look.italics + ["under"] * look.underscore
    words += ["through"] * look.strikethrough + ["wide"] * wide + ["cur"] * at_cursor
    return " ".join(words)
