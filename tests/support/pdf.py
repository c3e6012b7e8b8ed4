"""What a PDF says: its text as a reader would find it, through the fonts' own tables."""

import io
import re

import pikepdf


def text(content: bytes) -> str:
    """The text of every page, a line for each stretch that is shown at once, every space a plain one; an error when it
    is no sound PDF."""
    with pikepdf.open(io.BytesIO(content)) as document:
        said = "\n".join(_page(page) for page in document.pages)
    return said.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def _page(page: pikepdf.Page) -> str:
    fonts = {name: _unicode(font) for name, font in page.resources.Font.items()}
    lines, reading = [], {}
    for operands, operator in pikepdf.parse_content_stream(page):
        if str(operator) == "Tf":
            reading = fonts[str(operands[0])]
        elif str(operator) in {"Tj", "TJ"}:
            shown = operands[0] if str(operator) == "TJ" else operands
            glyphs = b"".join(bytes(part) for part in shown if isinstance(part, pikepdf.String))
            lines.append("".join(reading.get(glyphs[at : at + 2], "?") for at in range(0, len(glyphs), 2)))
    return "\n".join(lines)


def _unicode(font: pikepdf.Object) -> dict[bytes, str]:
    """Glyph -> text, from a font's ToUnicode table (bfchar, and bfrange with a first value)."""
    table, found = bytes(font.ToUnicode.read_bytes()), {}
    for kind, body in re.findall(rb"begin(bfchar|bfrange)(.*?)end", table, re.DOTALL):
        for line in body.splitlines():
            if codes := [bytes.fromhex(code) for code in re.findall(r"<([0-9A-Fa-f]+)>", line.decode())]:
                meant = codes[-1].decode("utf-16-be")
                first, last = codes[0], codes[1] if kind == b"bfrange" else codes[0]
                for offset in range(int.from_bytes(last) - int.from_bytes(first) + 1):
                    glyph = (int.from_bytes(first) + offset).to_bytes(len(first))
                    found[glyph] = meant[:-1] + chr(ord(meant[-1]) + offset)
    return found
