"""Parts of the frame that are the same on the next page of the same person: drawn once in a process, then filled in.

What does change from page to page (the form token, the address, the time) is left as a hole in the kept text. All else
that a part shows must stand in `Shell.identity`, which names the person first: nobody is shown another one's part.
"""

import re
from typing import Any

from django.template import Context
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from panel.core.shell import Shell

MOST = 1000  # parts kept in a process
TOKEN, PATH, CLOCK, INSTANT = (f"\0{name}\0" for name in ("token", "path", "clock", "instant"))
HOLES = re.compile("(\0(?:token|path|clock|instant)\0)")
_kept: dict[tuple[Any, ...], list[str]] = {}  # text and hole in turn


class Blank:
    """A frame with holes where each page differs."""

    path, clock_word, instant = PATH, CLOCK, INSTANT

    def __init__(self, frame: Shell) -> None:
        self._frame = frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._frame, name)


def draw(context: Context, name: str) -> SafeString:
    """`ui/<name>.html` for this request."""
    frame: Shell = context["shell"]
    key = (name, *frame.identity)
    drawn = _kept.get(key)
    if drawn is None:
        engine = context.template.engine  # type: ignore[union-attr]  # set while a template is being rendered
        with context.push(shell=Blank(frame), csrf_token=TOKEN):
            drawn = HOLES.split(engine.get_template(f"ui/{name}.html").render(context))
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = drawn
    if len(drawn) == 1:
        return mark_safe(drawn[0])
    filled = list(drawn)
    filled[1::2] = [_fill(hole, frame, context) for hole in drawn[1::2]]
    return mark_safe("".join(filled))


def _fill(hole: str, frame: Shell, context: Context) -> str:
    if hole == TOKEN:
        return str(context.get("csrf_token", ""))
    return escape(frame.path if hole == PATH else frame.clock_word if hole == CLOCK else frame.instant)
