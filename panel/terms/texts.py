"""The texts of the legal documents, with the numbers of their version in them (LEG-1): what is read is what is
carried out."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panel.terms.versions import ROOT, Terms

_NUMBER = re.compile(r"\{([A-Z]+-\d+)\.(\w+)\}")


@dataclass(frozen=True)
class Text:
    """One document of a version in one language. `authentic`: this language is the binding one."""

    document: str
    language: str
    authentic: bool
    source: str


def read(terms: Terms, document: str, language: str) -> Text:
    """The text in `language`, else the authentic one. KeyError: the version has no such document."""
    if document not in terms.documents:
        raise KeyError(document)
    binding = str(terms.table["version"]["authentic"])
    for code in (language[:2], binding):
        path = _path(terms, document, code)
        if path.is_file():
            return Text(document, code, code == binding, fill(path.read_text(), terms))
    raise KeyError(document)


def fill(source: str, terms: Terms) -> str:
    """`{ABU-2.response_hours}` becomes the version's number; KeyError when it has none."""
    return _NUMBER.sub(lambda found: _words(terms.number(found[1], found[2]).value), source)


def _path(terms: Terms, document: str, language: str) -> Path:
    return ROOT / terms.name.partition("/")[0] / "texts" / f"{document}.{language}.md"


def _words(value: Any) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
