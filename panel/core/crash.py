"""Kill points: where a worker may die, so that a test can kill it there.

`point(name)` does nothing in ordinary life. Under the crash harness every point reached is written to the file
CLAUSE_CRASH_LOG, and the process kills itself with signal 9 at CLAUSE_CRASH_AT = "<name>:<n>", the n-th time it gets
to that point. The harness also makes a point of every commit, so that no use case can forget one.
"""

import os
import signal
import sys
import threading
from collections import Counter

from django.db.backends.base.base import BaseDatabaseWrapper

_log = ""
_at = ""
_seen: Counter[str] = Counter()
_lock = threading.Lock()
_commit = BaseDatabaseWrapper.commit


def point(name: str) -> None:
    """A place to die at, named after what has just been made lasting ("servers.create:performed")."""
    if _log or _at:
        _reached(name)


def _reached(name: str) -> None:
    with _lock:
        _seen[name] += 1
        here = f"{name}:{_seen[name]}"
        if _log:
            with open(_log, "a", encoding="utf-8") as log:
                log.write(here + "\n")
        if here == _at:
            os.kill(os.getpid(), signal.SIGKILL)


def _where() -> str:
    """The nearest function of ours above the commit."""
    frame = sys._getframe(2)
    while frame.f_back is not None:
        module = frame.f_globals.get("__name__", "")
        if module.split(".")[0] not in ("django", "contextlib"):
            return f"{module}.{frame.f_code.co_qualname}"
        frame = frame.f_back
    return "start"


def _committed(connection: BaseDatabaseWrapper) -> None:
    _commit(connection)
    _reached(f"commit {_where()}")


def arm(*, log: str = "", at: str = "") -> None:
    """Turns the harness on for this process, from here on."""
    global _log, _at
    _log, _at = log, at
    _seen.clear()
    following = _committed if log or at else _commit
    BaseDatabaseWrapper.commit = following  # type: ignore[method-assign,assignment]


arm(log=os.environ.get("CLAUSE_CRASH_LOG", ""), at=os.environ.get("CLAUSE_CRASH_AT", ""))
