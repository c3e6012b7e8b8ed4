"""What works while nobody looks: threads on the operations, one for the clock, one that keeps the lease."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable

from django.db import connection, connections

from panel import schedule
from panel.core import clock, lease, operations, ticking

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two looks at what is due, should no wake come
RENEW = 5.0  # seconds between two heartbeats
RECOVER = 1.0  # seconds to wait after an error of the database
LAST = 4.0  # seconds that work in flight has to come to its end when the process stops


class Engine:
    """Worker and clock of this process. They run only while it holds the lease, so a second copy does nothing twice."""

    def __init__(self, workers: int) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = threading.Event()
        self._wakes = [threading.Event() for _ in range(workers)]
        self._mine = threading.Event()
        loops = [("clock", self._clock), ("lease", self._keep_lease)]
        loops += [(f"worker-{n}", self._worker(wake)) for n, wake in enumerate(self._wakes, start=1)]
        # Daemons: a call to the outside world that hangs must not hold the end up; it is asked "did it happen?" later.
        self._threads = [
            threading.Thread(target=self._guard, args=(loop,), name=name, daemon=True) for name, loop in loops
        ]

    def start(self) -> None:
        operations.on_wake(self.wake)
        self._renew(alone=connection.vendor == "sqlite")
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something was just enqueued."""
        for event in self._wakes:
            event.set()

    def stop(self) -> None:
        """Gives work in flight a few seconds to end; what is not done by then is taken up at the next start."""
        self._stop.set()
        self.wake()
        end = time.monotonic() + LAST
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        try:
            lease.release(self.holder)
        except Exception:
            log.exception("the lease could not be given back; it runs out by itself")

    def _guard(self, loop: Callable[[], None]) -> None:
        """An error of the database, say, must not end a thread."""
        while not self._stop.is_set():
            try:
                loop()
            except Exception:
                log.exception("%s", threading.current_thread().name)
                connections.close_all()
                self._stop.wait(RECOVER)
        connections.close_all()

    def _worker(self, wake: threading.Event) -> Callable[[], None]:
        def look() -> None:
            wake.wait(LOOK)
            wake.clear()
            if self._mine.is_set():
                operations.run_due(stop=self._is_stopping)

        return look

    def _is_stopping(self) -> bool:
        return self._stop.is_set() or not self._mine.is_set()

    def _clock(self) -> None:
        if self._mine.is_set():
            ticking.run_due(schedule.SWEEPS, now=clock.now(), stop=self._is_stopping)
        self._stop.wait(LOOK)

    def _keep_lease(self) -> None:
        self._stop.wait(RENEW)
        if not self._stop.is_set():
            self._renew(alone=False)

    def _renew(self, *, alone: bool) -> None:
        """Takes or renews the lease. `alone`: the lock on the data says that no other process can be alive."""
        now = clock.now()
        held = lease.heartbeat()
        gone = held is None or (held[0] != self.holder and (alone or self._is_dead(held[0])))
        if held and gone:
            lease.release(held[0])
        if not lease.take(self.holder, now=now):
            if self._mine.is_set():
                log.warning("another process runs worker and clock now")
            self._mine.clear()
        elif not self._mine.is_set():
            # Whoever is only silent may still be in the middle of a call: its operations keep their own leases.
            back = operations.take_back_running(now) if gone else 0
            if back:
                log.info("%d operations that were running are taken up again", back)
            self._mine.set()
            self.wake()

    def _is_dead(self, holder: str) -> bool:
        """Whether `holder` was a process of this machine that is no more."""
        host, _, pid = holder.rpartition(":")
        if host != socket.gethostname() or not pid.isdecimal():
            return False
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False
