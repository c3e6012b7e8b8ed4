"""The port to abuse reports: one message in, drafts in our own words out (ABU-1).

Each reader knows one format and is asked in the order of `readers()`; the first that finds a valid source wins. What is
read here is written by strangers, some of them hostile: everything is bounded, and nothing that a message
contains can stop its being recorded. A reader never decides: who held an address, whether the reporter is
believed and whether a clock starts are questions for others (`matching`, `authenticity`, `intake`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tickets.letters import Letter

MAX_TEXT = 200_000
MAX_ITEMS = 100
MAX_EVIDENCE = 20
MAX_EXCERPT = 4_000


class Category(StrEnum):
    """What the report is about, in the terms of the contract's part 7."""

    COPYRIGHT = "copyright"
    BLOCKLIST = "blocklist"
    SPAM = "spam"
    GENERAL = "general"


class Confidence(StrEnum):
    """How sure the reader is that it understood. Only an unsure reading waits for staff whoever sent it."""

    CERTAIN = "certain"
    LIKELY = "likely"
    UNSURE = "unsure"


class Precision(StrEnum):
    """How exactly the event's time is known; the interval is as wide as the doubt."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"
    NO_ZONE = "no_zone"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Span:
    """When it happened: two aware UTC instants, the first not after the second, and the words it was written in."""

    start: datetime
    end: datetime
    precision: Precision
    written: str = ""


@dataclass(frozen=True)
class Source:
    """One offending address, in canonical form (an IPv4-mapped IPv6 address is the IPv4 one)."""

    address: str
    port: int | None = None
    url: str = ""


@dataclass(frozen=True)
class Evidence:
    """A piece of evidence: what it was, its size and SHA-256, and an excerpt that may be shown as plain text."""

    description: str
    content_type: str
    size: int
    sha256: str
    excerpt: str = ""


@dataclass(frozen=True)
class ReportDraft:
    """One report as understood. Several sources make several cases, each shown to its own customer only."""

    category: Category
    sources: tuple[Source, ...]
    happened: Span | None
    confidence: Confidence
    subtype: str = ""
    reporter_email: str = ""
    reporter_name: str = ""
    reporter_ref: str = ""
    explanation: str = ""
    work: str = ""
    right_holder: str = ""
    language: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What a message gave: drafts (maybe none), the reader that understood it, and what was odd, for staff."""

    drafts: tuple[ReportDraft, ...]
    reader: str
    problems: tuple[str, ...] = ()
    letter: Letter | None = field(default=None, compare=False)


class Reader(Protocol):
    """One format. `read` returns the drafts and what was wrong with what looked like its format.

    No drafts and no problems: the message is not in this format.
    """

    name: str

    def read(self, letter: Letter) -> tuple[Sequence[ReportDraft], Sequence[str]]: ...


def readers() -> tuple[Reader, ...]:
    """The readers, the most exact format first, the reading of free text last."""
    from abuse.reports.labelled import LabelledReader
    from abuse.reports.xarf import XarfReader

    return (XarfReader(), LabelledReader())


def read(raw: bytes) -> Reading:
    """Understand one message as far as possible (ABU-1). Never raises for what the message contains."""
    from tickets.letters import parse

    letter = parse(raw)
    problems = list(letter.problems)
    for reader in readers():
        try:
            drafts, odd = reader.read(letter)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            problems.append(f"{reader.name}: could not be read ({type(error).__name__})")
            continue
        problems.extend(f"{reader.name}: {sentence}" for sentence in odd)
        if any(draft.sources for draft in drafts):
            return Reading(tuple(drafts), reader.name, tuple(problems), letter)
    return Reading((), "", tuple(problems), letter)
