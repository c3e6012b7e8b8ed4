"""Calls that come in quick succession, made as few."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

PAUSE = 0.2  # seconds


class Gathered:
    """Calling it calls through, and whatever comes within a pause after that is one more call at its end, by a thread
    of its own. Nothing that was called for before the process ends in peace is lost."""

    def __init__(self, call: Callable[[], None], pause: float = PAUSE) -> None:
        self._call, self._pause = call, pause
        self._lock = threading.Lock()
        self._free_at = 0.0  # on the monotonic clock
        self._owed: threading.Timer | None = None

    def __call__(self) -> None:
        with self._lock:
            if self._owed is not None and self._owed.is_alive():  # of this process: a fork has no threads
                return
            wait = self._free_at - time.monotonic()
            if wait > 0:
                self._owed = threading.Timer(wait, self._late)
                self._owed.start()
                return
            self._free_at = time.monotonic() + self._pause
        self._call()

    def _late(self) -> None:
        with self._lock:
            self._owed = None
            self._free_at = time.monotonic() + self._pause
        try:
            self._call()
        except Exception:  # there is nobody to tell
            log.exception("a gathered call")
