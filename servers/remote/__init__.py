"""The port to the inside of a server: commands over a connection whose other end is known (SRV-2, SRV-12).

`connect(target)` opens one; use it as a context manager. The host key always comes from the provider
(`CloudProvider.host_key`), never from the network: another key at that address is an error and nothing is sent. Called
from Operation handlers and pollers only. Every failure is a `ProviderError`; `permanent` where asking again is useless
(wrong host key, key refused).
"""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from panel.core.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Target:
    """Where to go and how to be sure of it."""

    address: str
    host_key: str
    """The server's own public key, "ssh-ed25519 AAAA..."."""
    private_key: str
    """Ours, Ed25519, in OpenSSH's PEM form."""
    user: str = "root"
    port: int = 22


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did."""

    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running server says of itself: to look at, never to bill by."""

    hostname: str
    uptime_seconds: int
    load: tuple[float, float, float]
    memory_total_kb: int
    memory_available_kb: int
    disk_total_kb: int
    disk_used_kb: int


class Remote(Protocol):
    """An open connection to one server."""

    def run(self, command: Sequence[str], *, stdin: str = "", timeout: float = 30) -> Result:
        """Run a program with its arguments (each quoted for the shell); any exit status is a result, not an error."""

    def facts(self) -> Facts: ...

    def install_key(self, key: str) -> None:
        """Let `key` (one line, OpenSSH's form) log in as the connection's user; there already is fine."""

    def remove_key(self, key: str) -> None:
        """Every line with this key goes, whatever its options and comment; not there is fine."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Terminal(Protocol):
    """An open shell with a terminal (SRV-8). Reading and writing may be done by one thread each."""

    def read(self, most: int) -> bytes:
        """What it has written, waiting for it; empty once it is over."""

    def write(self, data: bytes) -> None:
        """Keys; waits while the server takes none."""

    def resize(self, columns: int, rows: int) -> None: ...

    def exited(self) -> bool:
        """Whether the shell has ended by itself."""

    def close(self) -> None: ...


def open_terminal(target: Target, *, columns: int, rows: int, timeout: float = 10) -> Terminal:
    """A log-in shell of the target's user; fails as `connect` does."""
    from servers.remote import terminal

    return terminal.connect(target, columns=columns, rows=rows, timeout=timeout)


def new_key() -> tuple[str, str]:
    """A key pair for log-ins of the panel's own: the private one in OpenSSH's PEM form, the public one on one line."""
    from servers.remote import ssh

    private = ssh.new_private_key()
    return private, ssh.public_key(private)


def connect(target: Target, *, timeout: float = 10) -> Remote:
    """Open a connection within `timeout` seconds; ProviderError (code "host_key", "refused" or "unreachable")."""
    from servers.remote import ssh

    return ssh.SshRemote(target, timeout=timeout)


def shown_host_key(address: str, *, kind: str, port: int = 22, timeout: float = 5) -> str:
    """The host key of `kind` ("ssh-ed25519") that the SSH server at `address` shows, "ssh-ed25519 AAAA..."; no log-in.
    To be compared, never to be believed. ProviderError (code "unreachable") when it shows none."""
    from servers.remote import ssh

    return ssh.shown_host_key(address, kind=kind, port=port, timeout=timeout)


class Met(StrEnum):
    """What a try to open a TCP connection met: somebody listens, nobody does, or no answer came."""

    OPEN = "open"
    CLOSED = "closed"
    FILTERED = "filtered"


def met_at(address: str, port: int, *, timeout: float = 3) -> Met:
    """Try to open a connection and close it at once. ProviderError (code "unreachable") where this machine has no way
    to `address` at all, so that nothing was tried."""
    try:
        socket.create_connection((address, port), timeout).close()
    except ConnectionRefusedError:
        return Met.CLOSED
    except TimeoutError:
        return Met.FILTERED
    except OSError as error:
        if error.errno in (errno.EHOSTUNREACH, errno.ECONNRESET):
            return Met.FILTERED
        raise ProviderError(f"no way to {address}: {error}", code="unreachable") from error
    return Met.OPEN


def who_greets(addresses: Sequence[str], *, port: int = 22, timeout: float = 3) -> set[str]:
    """Those of `addresses` at which an SSH server greets: no log-in, only its first line; many at once (SRV-12)."""
    from servers.remote import greeting

    return greeting.who_greets(addresses, port=port, timeout=timeout)
