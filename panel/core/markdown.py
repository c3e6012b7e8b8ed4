"""A small Markdown for our own legal texts: headings, paragraphs, lists, tables, emphasis, links. Everything else is
text.

All of the source is escaped before a single tag is made, so no HTML of the source can come through.
"""

import re
from collections.abc import Iterator

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import slugify

_HEADING = re.compile(r"(#{1,5})\s+(.+)")
_BULLET = re.compile(r"[-*]\s+(.+)")
_NUMBER = re.compile(r"\d+[.)]\s+(.+)")
_RULE = re.compile(r"(-{3,}|\*{3,}|_{3,})$")
_TABLE_LINE = re.compile(r"\|?[\s:|-]+\|[\s:|-]*$")
_LINK = re.compile(r"\[([^\]]+)\]\((https?://[^\s)]+|mailto:[^\s)]+|/[^\s)]*)\)")
_BARE = re.compile(r"&lt;((?:https?://|mailto:)[^\s&]+)&gt;")


def render(source: str, *, top: int = 2) -> SafeString:
    """`source` as HTML; its first heading level becomes `<h{top}>`, and each heading can be linked to."""
    return mark_safe("\n".join(_blocks(source, top)))


def title(source: str) -> str:
    """The text of the first heading; "" when there is none."""
    return next((found[2].strip() for line in source.splitlines() if (found := _HEADING.match(line))), "")


def _blocks(source: str, top: int) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", source.replace("\r\n", "\n").strip()):
        yield from _block([line.rstrip() for line in block.split("\n")], top)


def _block(lines: list[str], top: int) -> Iterator[str]:
    """One block, or several where a heading stands directly above its text."""
    heading = _HEADING.match(lines[0])
    if heading:
        level = min(len(heading[1]) + top - 1, 6)
        yield f'<h{level} id="{slugify(heading[2])}">{_inline(heading[2])}</h{level}>'
        if len(lines) > 1:
            yield from _block(lines[1:], top)
    elif _RULE.match(lines[0].strip()):
        yield "<hr>"
    elif _BULLET.match(lines[0].lstrip()):
        yield _list("ul", _BULLET, lines)
    elif _NUMBER.match(lines[0].lstrip()):
        yield _list("ol", _NUMBER, lines)
    elif lines[0].startswith(">"):
        yield f"<blockquote><p>{_inline(' '.join(line.lstrip('> ') for line in lines))}</p></blockquote>"
    elif len(lines) > 1 and "|" in lines[0] and _TABLE_LINE.match(lines[1]):
        yield _table(lines)
    else:
        yield from _paragraph(lines, top)


def _paragraph(lines: list[str], top: int) -> Iterator[str]:
    """A paragraph; a list that begins right under it is its own block."""
    for index, line in enumerate(lines):
        if index and (_BULLET.match(line.lstrip()) or _NUMBER.match(line.lstrip())):
            yield f"<p>{_inline(' '.join(lines[:index]))}</p>"
            yield from _block(lines[index:], top)
            return
    yield f"<p>{_inline(' '.join(lines))}</p>"


def _list(tag: str, item: re.Pattern[str], lines: list[str]) -> str:
    entries: list[str] = []
    for line in lines:
        found = item.match(line.lstrip())
        if found:
            entries.append(found[1])
        elif entries:
            entries[-1] += " " + line.strip()
    return f"<{tag}>" + "".join(f"<li>{_inline(entry)}</li>" for entry in entries) + f"</{tag}>"


def _table(lines: list[str]) -> str:
    rows = [[_inline(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in [lines[0], *lines[2:]]]
    head = "".join(f'<th scope="col">{cell}</th>' for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows[1:])
    table = f'<table class="table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="table-box" role="region" tabindex="0" aria-label="{rows[0][0]}">{table}</div>'


def _inline(text: str) -> str:
    text = str(escape(text.strip()))
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    text = re.sub(r"(?<![\w*])[*_]([^*_\s][^*_]*?)[*_](?![\w*])", r"<em>\1</em>", text)
    text = _LINK.sub(r'<a href="\2">\1</a>', text)
    return _BARE.sub(r'<a href="\1">\1</a>', text)
