"""What the journal holds is read by people: every kind of entry has a sentence, and no sentence has a hole."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from panel.core import wording
from panel.core.models import Event
from servers.providers.simulated.control import Control
from tests.architecture import source
from tests.support.machines import simulated_place
from tests.support.personas import scene

# The first text of a call that writes into the journal: record("..."), told(server, "..."), tell("...")
KIND = re.compile(
    r'\b_?(?:record|told|tell)\(\s*(?:[\w.]+(?:\([^()"]*(?:\([^()"]*\))?[^()"]*\))?,\s*)?f?"([a-z_]+\.[a-z_]+\.[a-z_]+)"'
)
HOLE = "\u2013"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


def written() -> set[str]:
    """Every kind that stands in the code as it is (those made of parts are found by the story below)."""
    found: set[str] = set()
    for path in source.files(".py"):
        found |= set(KIND.findall(path.read_text(encoding="utf-8")))
    return found


def test_every_kind_in_the_code_has_a_sentence() -> None:
    assert sorted(kind for kind in written() if kind not in wording.WORDINGS) == []


@pytest.mark.django_db
def test_what_really_happens_is_told_without_a_hole(cloud: Control) -> None:
    scene()
    events = list(Event.objects.all())
    assert sorted({event.kind for event in events} - set(wording.WORDINGS)) == []
    assert [f"{e.kind}: {s}" for e in events if HOLE in (s := wording.sentence(e.kind, e.data))] == []


def test_a_kind_nobody_described_says_its_own_name() -> None:
    assert wording.sentence("later.thing.was_done", {}) == "Thing was done"


def test_cents_are_shown_as_money_and_what_is_missing_as_a_dash() -> None:
    wording.WORDINGS["test.fee.charged"] = wording.Wording("%(fee)s for %(what)s")
    try:
        assert wording.sentence("test.fee.charged", {"fee_cents": 9000}) == f"EUR\u00a090.00 for {HOLE}"
    finally:
        del wording.WORDINGS["test.fee.charged"]


def test_a_day_is_written_as_people_write_it() -> None:
    wording.WORDINGS["test.day.told"] = wording.Wording("until %(until)s for %(order)s")
    try:
        said = wording.sentence("test.day.told", {"until": "2026-11-24", "order": "F2026-000001"})
    finally:
        del wording.WORDINGS["test.day.told"]
    assert said == "until 24 Nov 2026 for F2026-000001"
