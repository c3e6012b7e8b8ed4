"""`make test`: the whole suite on SQLite, then again on PostgreSQL and Redis; one closing line for all of it.

Plain tests first; then what starts programs, makes hosts or counts seconds, a file of it always with the same worker; a
browser alone: each of them would wait for the others and be too late. Nothing is asked twice that answers the same:
where there is a PostgreSQL, it carries every story, and SQLite the first of each file; pages, browsers and real hosts
are seen on SQLite. What is marked `long` is lived through on PostgreSQL alone.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import cluster

ALONE = "crash or local or browser"
HERE = "not postgres and not redis"
SQLITE = {"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": ""}
PURE = ("architecture", "rules")  # no database is asked there: once is enough
SAMPLED = ("-p", "tests.support.sampling")
CORES = os.cpu_count() or 1
FEW, MORE = min(4, CORES), min(4, CORES + 1)  # workers; one more where each waits for a database half of its time
NOTHING_COLLECTED = 5
CLOSING = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s")


class Suite:
    """Runs of pytest, one after the other: what they add up to, and whether all went well. `rest`: words for all."""

    def __init__(self, rest: Sequence[str]) -> None:
        self._rest, self._total = rest, Counter[str]()
        self._started, self.passed = time.monotonic(), True

    def run(self, title: str, marks: str, environment: dict[str, str], *more: str, workers: int = 0) -> None:
        """One run, its files spread over `workers` (none: one process)."""
        environment = {**os.environ, **environment}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every program of a test compiles the panel anew
        command = [sys.executable, "-m", "pytest", "-q", "-m", marks]
        if workers:  # in our own order: long ones first
            command += ["-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder"]
        print(f"\n--- {title}", flush=True)
        with subprocess.Popen(
            [*command, *more, *self._rest], env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                if found := CLOSING.match(line.strip()):
                    self._total.update({word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", found[1])})
        if process.returncode not in (0, NOTHING_COLLECTED):
            self.passed = False

    def plain(self, title: str, marks: str, environment: dict[str, str], *more: str, workers: int = FEW) -> None:
        """What starts nothing and counts no seconds."""
        self.run(title, f"not ({ALONE}) and {marks}", environment, *more, workers=workers)

    def seen_on_sqlite(self) -> None:
        """Whole programs, then all that a browser sees."""
        self.run("SQLite, whole programs", f"{HERE} and (crash or local) and not browser", SQLITE, workers=FEW)
        where = [] if self._rest else ["tests/browser"]
        self.run("Headless Chromium", f"{HERE} and browser", SQLITE, *where)

    def whole(self) -> None:
        """On both engines, or on the one there is."""
        with contextlib.ExitStack() as stack:
            try:
                services = stack.enter_context(cluster.services())
            except cluster.Missing as missing:
                self.plain("SQLite", HERE, SQLITE)
                self.seen_on_sqlite()
                self._left_out(missing)
                return
            self.plain("SQLite", f"{HERE} and not long", SQLITE, *SAMPLED)
            self.seen_on_sqlite()
            touching = [f"--ignore=tests/{folder}" for folder in PURE]
            self.plain("PostgreSQL and Redis", "(postgres or not page)", services, *touching, workers=MORE)
            alone = "(crash or local) and (postgres or redis)"
            self.run("PostgreSQL and Redis, whole programs", alone, services, workers=FEW)

    def _left_out(self, missing: cluster.Missing) -> None:
        """Without the services it fails if they are required, and is loudly left out if not."""
        print(f"\n{'!' * 100}\n!! NOT RUN on PostgreSQL and Redis, for want of {missing}\n{'!' * 100}", flush=True)
        self.passed &= os.environ.get("CLAUSE_REQUIRE_SERVICES") != "1"

    def closing(self) -> str:
        self._total.pop("deselected", 0)
        words = ", ".join(f"{count} {word}" for word, count in self._total.items()) or "no tests ran"
        return f"\n{'=' * 20} {words} in {time.monotonic() - self._started:.2f}s {'=' * 20}"


def main() -> int:
    suite = Suite([word for word in sys.argv[1:] if word != "--fast"])
    if "--fast" in sys.argv:
        suite.plain("SQLite", HERE, SQLITE)
    else:
        suite.whole()
    print(suite.closing())
    return 0 if suite.passed else 1


if __name__ == "__main__":
    sys.exit(main())
