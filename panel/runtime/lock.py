"""One process on one data directory."""

import fcntl
import os
from pathlib import Path
from typing import IO


class Running(Exception):
    """Another process has this data directory; the message says which."""


class DataLock:
    """Held while the process lives: the kernel frees it, after kill -9 too, so it is never stale."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def take(self, note: str) -> None:
        """Takes the lock and leaves `note` for whoever comes second. Raises Running."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.parent.chmod(0o700)  # it holds people's data, and the key
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise Running(f"already running on {self._path.parent}: {holder or 'it is just starting'}") from None
        file.truncate(0)
        file.write(f"pid {os.getpid()}, {note}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
