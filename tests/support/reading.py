"""A plugin of pytest that notes which numbers of the terms each test reads, and how long it takes: `make prove` then
asks only those tests about a number. Written as JSON to CLAUSE_READINGS: test -> [seconds, ["INV-6.smallest_top_up"]].
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_read: set[str] = set()
_notes: dict[str, tuple[float, list[str]]] = {}


class _Noted(dict[str, Any]):
    """The numbers of one rule; each that is read is noted."""

    rule = ""

    def __getitem__(self, key: str) -> Any:
        _read.add(f"{self.rule}.{key}")
        return super().__getitem__(key)


def pytest_configure() -> None:
    import panel.terms.versions  # noqa: F401

    versions = sys.modules["panel.terms.versions"]  # the package has a function of that name
    plain = versions._overridden

    def noted(table: dict[str, Any]) -> dict[str, Any]:
        table = plain(table)
        for rule, numbers in table.items():
            table[rule] = _Noted(numbers)
            table[rule].rule = rule
        return table

    versions._overridden = noted


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Every test begins with versions that nobody has read, so that what it reads is its own."""
    from panel.terms import versions

    versions.cache_clear()
    _read.clear()
    yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds, _ = _notes.get(report.nodeid, (0.0, []))
    _notes[report.nodeid] = (seconds + report.duration, sorted(_read))


def pytest_sessionfinish() -> None:
    Path(os.environ["CLAUSE_READINGS"]).write_text(json.dumps(_notes), encoding="utf-8")
