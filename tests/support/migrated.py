"""The embedded database as it is after every migration, made once and then copied: migrating takes most of the time of
a short run. It is made anew whenever a migration or the terms change."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parents[2]
KEPT = 24 * 3600.0  # seconds a database of other migrations stays


def copy_to(target: Path) -> None:
    """Put a migrated database at `target`."""
    made = Path(tempfile.gettempdir()) / f"clause-migrated-{_digest()}.sqlite3"
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made)
    for left in ("-wal", "-shm"):  # of a run on the same data that was killed
        Path(f"{target}{left}").unlink(missing_ok=True)
    shutil.copyfile(made, target)


def _digest() -> str:
    found = hashlib.sha256(f"{django.__version__} {sys.version}".encode())
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("panel/*/migrations/*.py"),
                        *ROOT.glob("panel/terms/**/*.toml"), *ROOT.glob("panel/core/*.py")]):  # fmt: skip
        found.update(path.read_bytes())
    return found.hexdigest()[:24]


def _make(made: Path) -> None:
    for old in made.parent.glob("clause-migrated-*"):
        if time.time() - old.stat().st_mtime > KEPT:
            old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="clause-migrating-") as folder:
        nothing = {"CLAUSE_DATABASE_URL": "", "CLAUSE_REDIS_URL": "", "PYTEST_CURRENT_TEST": ""}
        subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0"], check=True, cwd=ROOT,
            env={**os.environ, **nothing, "CLAUSE_DATA": folder},
        )  # fmt: skip
        database = Path(folder) / "clause.sqlite3"
        shutil.copyfile(database, made.with_suffix(".new")).replace(made)
