"""`make prove`: changes each number of the terms in turn and demands that a story of that rule fails.

A number that can be changed without anybody noticing is a number nobody proves. Stories whose text names the rule are
asked, then tests of the pure law: of each those that read the number (tests/support/reading.py), the quickest first;
and when none of them minds, all that name the rule. Rules with an empty last column in docs/contract.md, and numbers
that column names after "not yet", are listed but not demanded.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from queue import Queue
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TERMS = ROOT / "panel" / "terms" / "say_digital"
STORIES, LAW = ROOT / "tests" / "stories", ROOT / "tests" / "rules"
NOT_NUMBERS = ("version", "automatic")
QUICK = "not postgres and not redis and not local and not browser and not crash and not long"
FAILED, NOTHING = 1, 5  # pytest: tests ran and some failed; no test was there


@dataclass(frozen=True)
class Change:
    """One number, and what it is changed to."""

    rule: str
    key: str
    value: str

    @property
    def number(self) -> str:
        return f"{self.rule}.{self.key}"

    @property
    def override(self) -> str:
        return f"{self.number}={self.value}"


@dataclass(frozen=True)
class Readings:
    """What every test took when nothing was changed: seconds, and the numbers it read."""

    of: dict[str, tuple[float, list[str]]]

    def readers(self, number: str, files: list[str]) -> list[str]:
        """Tests of these files that read the number, the quickest first."""
        found = [(took, test) for test, (took, read) in self.of.items() if number in read and _file(test) in files]
        return [test for _, test in sorted(found)]


def _file(test: str) -> str:
    return test.partition("::")[0]


def other(value: Any) -> Iterator[str]:
    """Other values of the same kind; none for what is not a number."""
    if isinstance(value, bool):
        yield "false" if value else "true"
    elif isinstance(value, int):
        yield str(value + 1)
    elif isinstance(value, str):
        try:
            yield str(Decimal(value) + 1)
        except InvalidOperation:
            return
    elif isinstance(value, list) and all(type(part) is int for part in value):
        for place in range(len(value)):
            yield ",".join(str(part + (index == place)) for index, part in enumerate(value))


def changes() -> list[Change]:
    """Every number of the newest version."""
    table = tomllib.loads(max(TERMS.glob("*.toml")).read_text(encoding="utf-8"))
    return [
        Change(rule, key, value)
        for rule, numbers in table.items()
        if rule not in NOT_NUMBERS
        for key, old in numbers.items()
        for value in other(old)
    ]


def demanded(change: Change) -> bool:
    """Whether docs/contract.md says that this number is carried out."""
    for line in (ROOT / "docs" / "contract.md").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"| {change.rule} |"):
            carried_out = line.rsplit("|", 2)[1].strip()
            later = carried_out.partition("not yet")[2]
            return bool(carried_out) and f"`{change.key}`" not in later
    return False


def naming(rule: str, folder: Path) -> list[str]:
    """Test files whose text names the rule, the shortest first."""
    word = re.compile(rf"\b{re.escape(rule)}\b")
    texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("test_*.py")}
    found = sorted((len(text), path) for path, text in texts.items() if word.search(text))
    return [str(path.relative_to(ROOT)) for _, path in found]


def run(asked: list[str], data: Path, **more: str) -> tuple[int, str]:
    """Runs tests on SQLite in a data directory that keeps its database; the return code and the last lines."""
    environment = {
        **os.environ, "CLAUSE_DATA": str(data), "CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": "",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(data / "hypothesis"), **more,
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "--reuse-db", "-p", "no:cacheprovider"]
    command += ["-p", "tests.support.reading"] if "CLAUSE_READINGS" in more else []
    command += ["-m", QUICK, *asked]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout[-2000:] or done.stderr[-2000:]


def judged(change: Change, readings: Readings, places: "Queue[Path]") -> tuple[Change, str, str]:
    """The change, the verdict, and the test that noticed: a story, or for want of one a test of the pure law."""
    stories, law = naming(change.rule, STORIES), naming(change.rule, LAW)
    rounds = [
        (readings.readers(change.number, stories), "proved"), (readings.readers(change.number, law), "proved in law"),
        (stories, "proved"), (law, "proved in law"),
    ]  # fmt: skip
    for asked, verdict in rounds:
        if not asked:
            continue
        place = places.get()
        try:
            code, said = run(asked, place, CLAUSE_TERMS_OVERRIDE=change.override)
        finally:
            places.put(place)
        noticed = re.search(r"^FAILED (\S+)", said, re.MULTILINE)
        if code == FAILED:
            by = noticed[1].rpartition("/")[2] if noticed else said.strip().splitlines()[-1]
            return change, verdict if noticed else "broken", by
    if not demanded(change):
        return change, "not carried out", ""
    return change, "unnoticed" if stories or law else "nobody asks", ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="rules (ABU-3) or numbers (ABU-3.fee); all without it")
    wanted = parser.parse_args().only
    todo = [c for c in changes() if not wanted or c.rule in wanted or c.number in wanted]
    started, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="clause-prove-"))
    verdicts = []
    try:
        for change, verdict, by in proved(todo, folder):
            verdicts.append((change, verdict, by))
            print(f"{change.override:44} {verdict:16} {by}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    count = {verdict: sum(1 for _, each, _ in verdicts if each == verdict) for _, verdict, _ in verdicts}
    summary = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
    print(f"{len(verdicts)} changes: {summary}, in {time.monotonic() - started:.0f} s")
    return 1 if {"unnoticed", "nobody asks", "broken"} & set(count) else 0


def proved(todo: list[Change], folder: Path) -> Iterator[tuple[Change, str, str]]:
    """Judges every change, some at a time. The same tests must pass before anything is changed."""
    workers = min(4, os.cpu_count() or 1)
    files = sorted({file for change in todo for where in (STORIES, LAW) for file in naming(change.rule, where)})
    folders = [folder / str(number) for number in range(workers)]
    places: Queue[Path] = Queue()
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(unchanged, (files[number::workers] for number in range(workers)), folders)
        readings = Readings({test: read for part in parts for test, read in part.items()})
        for place in folders:
            places.put(place)
        yield from pool.map(lambda change: judged(change, readings, places), todo)


def unchanged(files: list[str], place: Path) -> dict[str, Any]:
    """Runs test files with the terms as they are; what each of their tests took and read."""
    place.mkdir()
    notes = place / "readings.json"
    code, said = run(files, place, CLAUSE_READINGS=str(notes)) if files else (NOTHING, "")
    if code not in (0, NOTHING):
        raise SystemExit(f"these tests must pass before a number is changed:\n{said}")
    return dict(json.loads(notes.read_text(encoding="utf-8"))) if notes.exists() else {}


if __name__ == "__main__":
    sys.exit(main())
