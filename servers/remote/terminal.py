"""An interactive shell on a server over SSH, for the terminal in the browser (SRV-8)."""

import paramiko

from panel.core.errors import ProviderError
from servers.remote import Target, Terminal
from servers.remote.ssh import SshRemote

KIND = "xterm-256color"
LANGUAGE = "C.UTF-8"
WINDOW = 64 * 1024
"""Bytes that the server may send ahead: what Ctrl-C must still be waited for after a flood of output."""
KEEPALIVE = 15  # seconds


class SshTerminal(Terminal):
    """One connection with one shell. `read` and `write` may be called by one thread each."""

    def __init__(self, target: Target, *, columns: int, rows: int, timeout: float) -> None:
        self._remote = SshRemote(target, timeout=timeout)
        try:
            with self._remote.talking("open a shell"):
                transport = self._remote.transport()
                transport.set_keepalive(KEEPALIVE)
                self._channel = transport.open_session(window_size=WINDOW, timeout=timeout)
                self._channel.settimeout(timeout)
                self._channel.get_pty(KIND, width=columns, height=rows)
                self._channel.set_environment_variable("LANG", LANGUAGE)  # as far as the server takes it
                self._channel.invoke_shell()
                self._channel.settimeout(None)
        except BaseException:
            self._remote.close()
            raise

    def read(self, most: int) -> bytes:
        try:
            return self._channel.recv(most)
        except (paramiko.SSHException, OSError, EOFError):
            return b""

    def write(self, data: bytes) -> None:
        with self._remote.talking("write"):
            self._channel.sendall(data)

    def resize(self, columns: int, rows: int) -> None:
        with self._remote.talking("resize"):
            self._channel.resize_pty(width=columns, height=rows)

    def exited(self) -> bool:
        return self._channel.exit_status_ready()

    def close(self) -> None:
        self._channel.close()
        self._remote.close()


def connect(target: Target, *, columns: int, rows: int, timeout: float) -> SshTerminal:
    """See the port."""
    try:
        return SshTerminal(target, columns=columns, rows=rows, timeout=timeout)
    except paramiko.SSHException as error:
        raise ProviderError(f"no shell at {target.address}: {error}", code="unreachable") from error
