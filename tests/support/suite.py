"""`make test`: the whole suite on SQLite, then again on PostgreSQL and Redis; one closing line for all of it.

Plain tests first; then what starts programs, makes hosts or counts seconds, a file of it always with the same worker; a
browser alone. Pages look the same on both engines, so browsers and real hosts are driven once, on SQLite.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import cluster

ALONE = "crash or local or browser"
PURE = ("architecture", "rules")  # no database is asked there: once is enough
NOTHING_COLLECTED = 5
CLOSING = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s")


def run(title: str, marks: str, spread: str, environment: dict[str, str], rest: list[str], total: Counter[str]) -> bool:
    """One run of pytest, its tests `spread` over workers by this rule of xdist (none: one process); adds its closing
    line to `total` and says whether all went well."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks]
    if spread:
        command += ["-n", str(min(4, os.cpu_count() or 1)), "--dist", spread]
    print(f"\n--- {title}", flush=True)
    with subprocess.Popen(
        [*command, *rest], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if found := CLOSING.match(line.strip()):
                for count, word in re.findall(r"(\d+) ([a-z]+)", found[1]):
                    total[word] += int(count)
    return process.returncode in (0, NOTHING_COLLECTED)


def main() -> int:
    rest = [word for word in sys.argv[1:] if word != "--fast"]
    started, total, passed = time.monotonic(), Counter[str](), True
    sqlite = {"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": ""}
    here = "not postgres and not redis"
    passed &= run("SQLite", f"{here} and not ({ALONE})", "loadfile", sqlite, rest, total)
    if "--fast" not in sys.argv:
        passed &= run("SQLite, whole programs", f"{here} and (crash or local)", "loadfile", sqlite, rest, total)
        passed &= run("Headless Chromium", f"{here} and browser", "", sqlite, rest, total)
        passed &= on_postgresql(rest, total)
    total.pop("deselected", 0)
    words = ", ".join(f"{count} {word}" for word, count in total.items()) or "no tests ran"
    print(f"\n{'=' * 20} {words} in {time.monotonic() - started:.2f}s {'=' * 20}")
    return 0 if passed else 1


def on_postgresql(rest: list[str], total: Counter[str]) -> bool:
    """The second pass; without the services it fails if they are required, and is loudly left out if not."""
    try:
        with cluster.services() as environment:
            touching = [*rest, *(f"--ignore=tests/{folder}" for folder in PURE)]
            plain = run("PostgreSQL and Redis", f"not ({ALONE})", "loadfile", environment, touching, total)
            marks = "crash and (postgres or redis)"
            alone = run("PostgreSQL and Redis, whole programs", marks, "loadfile", environment, rest, total)
            return plain and alone
    except cluster.Missing as missing:
        required = os.environ.get("CLAUSE_REQUIRE_SERVICES") == "1"
        print(f"\n{'!' * 100}\n!! NOT RUN on PostgreSQL and Redis, for want of {missing}\n{'!' * 100}", flush=True)
        return not required


if __name__ == "__main__":
    sys.exit(main())
