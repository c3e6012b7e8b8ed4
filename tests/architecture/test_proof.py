"""docs/proof.md names a test for each invariant and for each bug of others, and what it names is there."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.support import suite

ROOT = Path(__file__).resolve().parents[2]
STORIES = "tests/stories/invoicing/"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows(heading: str) -> dict[int, list[tuple[str, str]]]:
    """The numbered rows under a heading, each with the (file, test) it names."""
    text = (ROOT / "docs/proof.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return {int(number): NAMED.findall(row) for number, row in re.findall(r"^\| (\d+) \|(.*)$", text, re.MULTILINE)}


@cache
def named_in(file: str) -> set[str]:
    path = ROOT / (file if "/" in file else STORIES + file)
    return set(re.findall(r"^\s*def (test_\w+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize(("heading", "count"), [("Invariants", 25), ("Bugs of other programs", 32)])
def test_every_row_names_tests_that_are_there(heading: str, count: int) -> None:
    found = rows(heading)
    assert sorted(found) == list(range(1, count + 1))
    assert all(found.values())
    missing = [f"{file}::{test}" for named in found.values() for file, test in named if test not in named_in(file)]
    assert not missing


def test_postgresql_carries_every_invariant() -> None:
    """It carries no test of these folders, nor pages."""
    left_out = tuple(f"tests/{folder}/" for folder in (*suite.PURE, "pages"))
    assert not [file for named in rows("Invariants").values() for file, _test in named if file.startswith(left_out)]


def test_what_is_named_beside_them_is_there() -> None:
    text = (ROOT / "docs/proof.md").read_text()
    assert all(test in named_in(file) for file, test in NAMED.findall(text))
