"""The pure law of updates: what waits, what is installed now, what is late (SRV-9), and SUB-11's working days."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from panel.core import calendars
from panel.core.money import Cents, round_cents
from panel.terms.numbers import PatchTerms, UpdateTerms

MOST = 5_000  # of one report
LONGEST_WORD = 120
_PACKAGE = r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9]+)?"
_VERSION, _SOURCES = r"[A-Za-z0-9.+:~-]+", r"[A-Za-z0-9 .,:/+~_-]*"
_INSTALLED_ANEW = re.compile(rf"Inst ({_PACKAGE}) \[({_VERSION})\] \(({_VERSION}) ({_SOURCES})\[[a-z0-9-]+\]\)[^\n]*")
"""What is no such line is left out: its words come from a machine whose root is a customer, and are said to others."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An update of a package that a server could install: its version there, and the one on offer."""

    package: str
    installed: str
    available: str
    security: bool


def parse(text: str) -> list[Waiting]:
    """What `apt-get --simulate dist-upgrade` says it would upgrade; packages that would come anew are none."""
    found = []
    for line in text.splitlines():
        if (match := _INSTALLED_ANEW.fullmatch(line)) is not None:
            name, installed, available, sources = match.groups()
            if max(map(len, (name, installed, available))) <= LONGEST_WORD:
                found.append(Waiting(name, installed, available, "security" in sources.lower()))
    return found[:MOST]


def is_package(name: str) -> bool:
    """Whether a package can have this name, alone or with its architecture."""
    return len(name) <= LONGEST_WORD and re.fullmatch(_PACKAGE, name) is not None


@dataclass(frozen=True, slots=True)
class Known:
    """An update with the instant at which it was first seen: where its clock began."""

    package: str
    security: bool
    first_seen: datetime


def to_install(waiting: Iterable[Known], now: datetime, law: PatchTerms) -> list[str]:
    """Security updates at once; others after some days, so that a bad release is found out by somebody else."""
    return sorted(
        one.package for one in waiting
        if one.security or calendars.same_paris_time_later(one.first_seen, law.install_after_days) <= now
    )  # fmt: skip


def late_after(first_seen: datetime, law: PatchTerms) -> datetime:
    """SRV-9: the end of the last day on which it is installed in time."""
    return calendars.days_later(first_seen, law.within_days)


def late(waiting: Iterable[Known], now: datetime, law: PatchTerms) -> list[str]:
    """Packages that ought to have been updated by now."""
    return sorted(one.package for one in waiting if calendars.is_missed(now, late_after(one.first_seen, law)))


# ---------------------------------------------------------------- SUB-11


def until(told_at: datetime, law: UpdateTerms) -> datetime:
    """The end of the working days that begin with the e-mail: French holidays and week-ends do not count."""
    return calendars.end_of_paris_day(calendars.working_days_after(calendars.paris_date(told_at), law.working_days))


def reminders(told_at: datetime, law: UpdateTerms) -> Sequence[datetime]:
    """When the customer is reminded: the beginning of the day from which so many working days are left."""
    first = calendars.paris_date(told_at)
    return [
        calendars.end_of_paris_day(calendars.working_days_after(first, law.working_days - left))
        for left in sorted(law.remind_working_days, reverse=True)
        if left < law.working_days
    ]  # fmt: skip


def fee(minutes: int, law: UpdateTerms) -> Cents:
    """The hourly rate for the minutes it took, rounded once."""
    return round_cents(Decimal(law.hourly) * minutes / 60 / 100)
