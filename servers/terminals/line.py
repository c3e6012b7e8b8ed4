"""The shell behind one terminal: a thread that reads it into the screen, one that writes what is typed.

Nothing gathers without bound: the screen holds the latest state alone, the server may send a window ahead, and what is
typed or pasted beyond `MOST_WAITING` is refused.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from panel.core.errors import ProviderError
from servers import remote
from servers.remote import Target, Terminal
from servers.terminals import keyboard
from servers.terminals.screen import Screen, bounded
from servers.terminals.terminal_rules import Ending

PIECE = 4096  # bytes read at a time: how long the screen is held
MOST_WAITING = 512 * 1024  # bytes typed or pasted that the server has not taken yet
PATIENCE = 10.0  # seconds for the log-in
ENDINGS = {"host_key": Ending.HOST_KEY, "refused": Ending.REFUSED}


class Line:
    """`changed` is called from the line's own threads whenever there is something new, `ended` among it."""

    def __init__(self, target: Target, *, columns: int, rows: int, history: int, changed: Callable[[], None]) -> None:
        self.ending: Ending | None = None
        self.connected = False
        self._target, self._changed = target, changed
        self._size = bounded(columns, rows)
        self._screen = Screen(*self._size, history=history, answer=self._answer)
        self._lock = threading.Lock()  # of the screen
        self._waiting: deque[tuple[bytes, bool]] = deque()  # and whether it was pasted
        self._bytes = 0
        self._typed = threading.Condition()
        self._shell: Terminal | None = None
        self._closed = False

    def start(self) -> None:
        threading.Thread(target=self._live, name="terminal", daemon=True).start()

    def changes(self) -> dict[str, Any] | None:
        """See the screen."""
        with self._lock:
            return self._screen.changes()

    def press(self, key: str, *, ctrl: bool, alt: bool, shift: bool) -> bool:
        """False: too much is waiting already. Ctrl-C passes over what was pasted and is not taken yet."""
        data = keyboard.pressed(key, ctrl=ctrl, alt=alt, shift=shift, application=self._screen.application_keys)
        if data == keyboard.INTERRUPT:
            self._drop_pasted()
        return self._put(data)

    def type(self, text: str) -> bool:
        """False: too much is waiting already."""
        return self._put(keyboard.typed(text))

    def paste(self, text: str, *, first: bool, last: bool) -> bool:
        """One piece of it; False: too much is waiting already."""
        bracketed = self._screen.bracketed_paste
        return self._put(keyboard.pasted(text, bracketed=bracketed, first=first, last=last), pasted=True)

    def resize(self, columns: int, rows: int) -> None:
        with self._typed:
            self._size = bounded(columns, rows)
            self._typed.notify()

    def close(self, ending: Ending) -> None:
        """It is over, if it was not."""
        with self._typed:
            self.ending = self.ending or ending
            self._closed = True
            self._typed.notify()
        shell = self._shell
        if shell is not None:
            threading.Thread(target=shell.close, name="terminal-close", daemon=True).start()

    # ------------------------------------------------------------ below

    def _answer(self, data: bytes) -> None:
        self._put(data)

    def _put(self, data: bytes, *, pasted: bool = False) -> bool:
        if not data:
            return True
        with self._typed:
            if self._bytes + len(data) > MOST_WAITING:
                return False
            self._waiting.append((data, pasted))
            self._bytes += len(data)
            self._typed.notify()
        return True

    def _drop_pasted(self) -> None:
        with self._typed:
            kept = [(data, pasted) for data, pasted in self._waiting if not pasted]
            if len(kept) == len(self._waiting):
                return
            ends = [(keyboard.PASTE_ENDS, False)] if self._screen.bracketed_paste else []
            self._waiting = deque([*ends, *kept])
            self._bytes = sum(len(data) for data, _pasted in self._waiting)

    def _live(self) -> None:
        try:
            columns, rows = size = self._size
            shell = remote.open_terminal(self._target, columns=columns, rows=rows, timeout=PATIENCE)
        except ProviderError as error:
            self.close(ENDINGS.get(error.code, Ending.UNREACHABLE))
            self._changed()
            return
        with self._typed:
            self._shell, gone = shell, self._closed
        if gone:  # the browser went while the log-in was under way
            shell.close()
            return
        with self._lock:
            self._screen.resize(lines=size[1], columns=size[0])
        self.connected = True
        self._changed()
        threading.Thread(target=self._write, args=(shell, size), name="terminal-write", daemon=True).start()
        self._read(shell)

    def _read(self, shell: Terminal) -> None:
        while data := shell.read(PIECE):
            began = time.monotonic()
            with self._lock:
                self._screen.feed(data)
            self._changed()
            if len(data) == PIECE:  # a flood: other terminals and pages have their turn
                time.sleep(time.monotonic() - began)
        self.close(Ending.EXITED if shell.exited() else Ending.BROKEN)
        self._changed()

    def _write(self, shell: Terminal, size: tuple[int, int]) -> None:
        try:
            while True:
                with self._typed:
                    self._typed.wait_for(lambda: self._waiting or self._closed or self._size != size)  # noqa: B023
                    if self._closed:
                        return
                    data, _pasted = self._waiting.popleft() if self._waiting else (b"", False)
                    self._bytes -= len(data)
                    resized, size = self._size != size, self._size
                if resized:
                    with self._lock:
                        self._screen.resize(lines=size[1], columns=size[0])
                    shell.resize(*size)
                    self._changed()
                if data:
                    shell.write(data)
        except ProviderError:
            self.close(Ending.BROKEN)
            self._changed()
