"""Hands that are processes of their own, for runs over thousands: threads of one process draw up one at a time.

Forked from a process that has loaded the panel, has no threads and holds no connection (multiprocessing's fork server),
so that a hand is there in a few milliseconds, and nothing that a worker's other threads hold is copied halfway.
"""

import gc
import multiprocessing
import os
import threading
from concurrent.futures import Executor, ProcessPoolExecutor

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["panel.runtime.apart_loaded"])


def pool(count: int) -> Executor:
    """`count` processes that speak to the database this one speaks to. Work and portions must be picklable."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    return ProcessPoolExecutor(count, mp_context=SERVER, initializer=_begin, initargs=(name,))


def _begin(database: str) -> None:
    """A hand: knows its database, and puts down its work the moment the process that asked for it is gone. What it was
    in the middle of is taken back by the database."""
    from django.db import connection

    from panel.runtime import apart_loaded  # noqa: F401 - where the server could not load it

    connection.settings_dict["NAME"] = database
    gc.disable()  # see `hands`
    threading.Thread(target=_end_with_it, daemon=True, name="parent").start()


def _end_with_it() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
