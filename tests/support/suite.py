"""`make test`: the whole suite on SQLite, then again on PostgreSQL and Redis; one closing line for all of it.

Plain tests first; then what starts programs, makes hosts or counts seconds, a file of it always with the same worker; a
browser alone. Nothing is asked twice that answers the same: where there is a PostgreSQL, it carries every story, and
SQLite the first of each file; pages, browsers and real hosts are seen on SQLite. What is marked `long` is lived through
on PostgreSQL alone.
"""

import contextlib
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
HERE = "not postgres and not redis"
SQLITE = {"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": ""}
PURE = ("architecture", "rules")  # no database is asked there: once is enough
SAMPLED = ["-p", "tests.support.sampling"]
NOTHING_COLLECTED = 5
CLOSING = re.compile(r"^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s")


def run(title: str, marks: str, spread: str, environment: dict[str, str], rest: list[str], total: Counter[str]) -> bool:
    """One run of pytest, its tests `spread` over workers by this rule of xdist (none: one process); adds its closing
    line to `total` and says whether all went well."""
    environment = {**os.environ, **environment}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or every program of a test compiles the panel anew
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks]
    if spread:
        command += [
            "-n",
            str(min(4, os.cpu_count() or 1)),
            "--dist",
            spread,
            "--no-loadscope-reorder",
        ]  # ours: long ones first
    print(f"\n--- {title}", flush=True)
    with subprocess.Popen(
        [*command, *rest], env=environment, stdout=subprocess.PIPE, text=True, errors="replace"
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
    with contextlib.ExitStack() as stack:
        if "--fast" in sys.argv:
            passed &= run("SQLite", f"{HERE} and not ({ALONE})", "loadfile", SQLITE, rest, total)
        else:
            services = found(stack)
            once, some = ("", []) if isinstance(services, cluster.Missing) else (" and not long", SAMPLED)
            passed &= run("SQLite", f"{HERE} and not ({ALONE}){once}", "loadfile", SQLITE, [*some, *rest], total)
            passed &= run("SQLite, whole programs", f"{HERE} and (crash or local)", "loadfile", SQLITE, rest, total)
            passed &= run("Headless Chromium", f"{HERE} and browser", "", SQLITE, rest, total)
            passed &= on_postgresql(services, rest, total)
    total.pop("deselected", 0)
    words = ", ".join(f"{count} {word}" for word, count in total.items()) or "no tests ran"
    print(f"\n{'=' * 20} {words} in {time.monotonic() - started:.2f}s {'=' * 20}")
    return 0 if passed else 1


def found(stack: contextlib.ExitStack) -> dict[str, str] | cluster.Missing:
    """What points the panel at PostgreSQL and Redis, or why it cannot be had."""
    try:
        return stack.enter_context(cluster.services())
    except cluster.Missing as missing:
        return missing


def on_postgresql(services: dict[str, str] | cluster.Missing, rest: list[str], total: Counter[str]) -> bool:
    """The second pass; without the services it fails if they are required, and is loudly left out if not."""
    if isinstance(services, cluster.Missing):
        print(f"\n{'!' * 100}\n!! NOT RUN on PostgreSQL and Redis, for want of {services}\n{'!' * 100}", flush=True)
        return os.environ.get("CLAUSE_REQUIRE_SERVICES") != "1"
    touching = [*rest, *(f"--ignore=tests/{folder}" for folder in PURE)]
    plain = f"not ({ALONE}) and (postgres or not page)"
    passed = run("PostgreSQL and Redis", plain, "loadfile", services, touching, total)
    alone = "crash and (postgres or redis)"
    return run("PostgreSQL and Redis, whole programs", alone, "loadfile", services, rest, total) and passed


if __name__ == "__main__":
    sys.exit(main())
