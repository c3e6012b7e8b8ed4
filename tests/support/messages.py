"""The words of the program and their catalogues: what stands in the sources, read without GNU gettext.

`make messages` runs it as a program: each catalogue gets what is new, untranslated, and loses what is gone.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize
from jinja2.ext import babel_extract

from tests.architecture import source

CATALOGUES = source.ROOT / "panel" / "locale"
ROWS = source.ROOT / "panel" / "rows"  # Jinja2; all other templates are Django's

CALLS = {"_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3)}
KEYWORDS = {**CALLS, **{f"{name}_lazy": where for name, where in CALLS.items()}, "gettext_noop": None}
LITERAL = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
IN_TEMPLATE = re.compile(rf"\b(_|n?p?gettext)\({LITERAL}(?:, ?{LITERAL})?(?:, ?{LITERAL})?")
DATED = tuple(f'"{name}' for name in ("POT-", "PO-", "Last-", "Language-Team", "Report-", "Generated-", "Project-"))


@dataclass(frozen=True)
class Message:
    """One text of the sources, with its plural and its context where it has them."""

    text: str
    plural: str = ""
    context: str = ""
    file: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.text


def _message(function: str, texts: list[str], file: str) -> Message:
    context = texts.pop(0) if function.removesuffix("_lazy") in ("pgettext", "npgettext") else ""
    return Message(texts[0], texts[1] if len(texts) > 1 else "", context, file)


def of_template(text: str, file: str) -> Iterator[Message]:
    """Of a Django template: `translate`, `blocktranslate` and `_("...")` in any tag."""
    for call in IN_TEMPLATE.finditer(templatize(text, origin=file)):
        yield _message(call[1], [ast.literal_eval(one) for one in call.groups()[1:] if one], file)


def _of_calls(calls: Iterator[tuple], file: str) -> Iterator[Message]:
    for call in calls:  # (line, function, arguments, comments), or with Babel's own reader the same four
        function, arguments = call[1], call[2]
        texts = [arguments] if isinstance(arguments, str) else list(arguments)
        wanted = KEYWORDS[function]
        texts = [text for text in texts[: len(wanted or (1,))] if isinstance(text, str) and text]
        if len(texts) == len(wanted or (1,)):
            yield _message(function, texts, file)


def messages() -> Iterator[Message]:
    """Every text of every source, in the order of the files."""
    for path in source.files(".py", ".html", ".txt"):
        text, file = path.read_text(encoding="utf-8"), source.name(path)
        if path.suffix == ".py":
            yield from _of_calls(extract_python(BytesIO(text.encode()), KEYWORDS, (), {}), file)
        elif path.is_relative_to(ROWS):
            yield from _of_calls(babel_extract(BytesIO(text.encode()), list(KEYWORDS), (), {}), file)
        else:
            yield from of_template(text, file)


def template() -> Catalog:
    """The sources' texts as a catalogue without translations."""
    made = Catalog(project="Clause", charset="utf-8")
    for one in messages():
        made.add(
            (one.text, one.plural) if one.plural else one.text, context=one.context or None, locations=[(one.file, 0)]
        )
    return made


def catalogue(language: str) -> Catalog:
    """The translations of a language as they stand in its file."""
    with path(language).open("rb") as file:
        return read_po(file, locale=language)


def path(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / "django.po"


def write(language: str, made: Catalog) -> None:
    """Sorted by text and without dates, so that a change shows in few lines."""
    made.fuzzy = False
    file = BytesIO()
    write_po(file, made, width=110, include_lineno=False, sort_output=True, ignore_obsolete=True)
    head, gap, rest = file.getvalue().decode().partition("\n\n")
    lines = [line for line in head.splitlines() if not line.startswith(DATED)]
    path(language).write_text("\n".join(lines) + gap + rest, encoding="utf-8")


def renew(language: str) -> int:
    """Bring a catalogue to what the sources say; answers how many texts wait for a translation."""
    made = catalogue(language)
    made.update(template(), no_fuzzy_matching=True, update_header_comment=False)
    for message in made:
        if message.id and message.fuzzy:  # it gained or lost a plural
            message.flags.discard("fuzzy")
            message.string = ""
    write(language, made)
    return sum(not (all(m.string) if isinstance(m.string, tuple | list) else m.string) for m in made if m.id)


if __name__ == "__main__":
    for language in sorted(folder.name for folder in CATALOGUES.iterdir()):
        print(f"{source.name(path(language))}: {renew(language)} texts wait for a translation")
