"""The remote port over SSH with paramiko: pinned host key, key login only, a time limit on everything."""

import base64
import binascii
import contextlib
import io
import shlex
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from types import TracebackType
from typing import Self

import paramiko
from paramiko.pkey import UnknownKeyType

from panel.core.errors import ProviderError
from servers.remote import Facts, Remote, Result, Target

AUTHORIZED = ".ssh/authorized_keys"
OUTPUT_LIMIT = 4_000_000
"""Bytes of output kept from one command; a server that says more is cut off."""
FACTS = (
    "cat /proc/sys/kernel/hostname /proc/uptime /proc/loadavg; grep -E '^Mem(Total|Available):' /proc/meminfo; df -Pk /"
)


class SshRemote(Remote):
    """One SSH connection; not to be shared between threads."""

    def __init__(self, target: Target, *, timeout: float = 10) -> None:
        self._where = f"{target.user}@{target.address}"
        self._client = paramiko.SSHClient()
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        name = target.address if target.port == 22 else f"[{target.address}]:{target.port}"
        known = _host_key(target.host_key)
        self._client.get_host_keys().add(name, known.get_name(), known)
        with self.talking("connect"):
            self._client.connect(
                target.address,
                port=target.port,
                username=target.user,
                pkey=_private_key(target.private_key),
                look_for_keys=False,
                allow_agent=False,
                timeout=timeout,
                banner_timeout=timeout,
                auth_timeout=timeout,
                channel_timeout=timeout,
            )

    def run(self, command: Sequence[str], *, stdin: str = "", timeout: float = 30) -> Result:
        return self._shell(shlex.join(command), stdin=stdin, timeout=timeout)

    def facts(self) -> Facts:
        with self.talking("facts"):
            result = self._shell(FACTS, timeout=5)
            try:
                return parse_facts(result.output)
            except (ValueError, IndexError, KeyError) as error:
                raise ProviderError(f"{self._where} gave no facts: {result.errors[:200]}", code="failed") from error

    def install_key(self, key: str) -> None:
        wanted = _material(key)
        lines = self._keys()
        if not any(_has(line, wanted) for line in lines):
            self._write_keys([*lines, key.strip()])

    def remove_key(self, key: str) -> None:
        wanted = _material(key)
        lines = self._keys()
        left = [line for line in lines if not _has(line, wanted)]
        if left != lines:
            self._write_keys(left)

    def close(self) -> None:
        self._client.close()

    def transport(self) -> paramiko.Transport:
        """What runs below; ProviderError when it is closed."""
        transport = self._client.get_transport()
        if transport is None:
            raise ProviderError(f"{self._where}: the connection is closed", code="unreachable")
        return transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ below

    def _keys(self) -> list[str]:
        with self.talking("read keys"), self._client.open_sftp() as sftp:
            sftp.get_channel().settimeout(10)  # type: ignore[union-attr]
            try:
                with sftp.open(AUTHORIZED) as file:
                    return file.read(OUTPUT_LIMIT).decode(errors="surrogateescape").splitlines()
            except FileNotFoundError:
                return []

    def _write_keys(self, lines: list[str]) -> None:
        """Replace the file in one move, so that a broken connection leaves the old or the new one."""
        text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
        with self.talking("write keys"), self._client.open_sftp() as sftp:
            sftp.get_channel().settimeout(10)  # type: ignore[union-attr]
            with contextlib.suppress(OSError):  # it is there: sftp has no "unless it exists"
                sftp.mkdir(".ssh", 0o700)
            with sftp.open(f"{AUTHORIZED}.new", "w") as file:
                file.chmod(0o600)
                file.write(text)
            sftp.posix_rename(f"{AUTHORIZED}.new", AUTHORIZED)

    def _shell(self, line: str, *, stdin: str = "", timeout: float) -> Result:
        """Run `line` in the user's shell and gather what it says; ProviderError after `timeout` seconds."""
        with self.talking(f"run {line[:60]}"), self.transport().open_session(timeout=timeout) as channel:
            channel.settimeout(timeout)
            channel.exec_command(line)
            if stdin:
                channel.sendall(stdin.encode())
            channel.shutdown_write()
            return self._gather(channel, time.monotonic() + timeout)

    def _gather(self, channel: paramiko.Channel, until: float) -> Result:
        output, errors = bytearray(), bytearray()
        while True:
            over = channel.exit_status_ready()
            while channel.recv_ready() and (piece := channel.recv(65_536)):
                output += piece
            while channel.recv_stderr_ready() and (piece := channel.recv_stderr(65_536)):
                errors += piece
            if over and channel.eof_received and not channel.recv_ready() and not channel.recv_stderr_ready():
                return Result(
                    channel.recv_exit_status(), output.decode(errors="replace"), errors.decode(errors="replace")
                )
            if len(output) + len(errors) > OUTPUT_LIMIT:
                raise ProviderError(f"{self._where} says more than {OUTPUT_LIMIT} bytes", permanent=True, code="failed")
            if channel.closed and not over:
                raise ProviderError(f"{self._where}: the connection broke", code="unreachable")
            if time.monotonic() > until:
                raise ProviderError(f"{self._where}: no end in time", code="timeout")
            if not over:
                channel.status_event.wait(0.01)
            else:
                time.sleep(0.002)

    @contextmanager
    def talking(self, what: str) -> Iterator[None]:
        """Turn what paramiko and sockets throw into our one error."""
        try:
            yield
        except paramiko.BadHostKeyException as error:
            self._client.close()
            message = f"{self._where} shows another host key than the provider's"
            raise ProviderError(message, permanent=True, code="host_key") from error
        except paramiko.AuthenticationException as error:
            self._client.close()
            raise ProviderError(f"{self._where} refuses our key", permanent=True, code="refused") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            message = f"{self._where}: {what}: {str(error) or type(error).__name__}"
            raise ProviderError(message, code="unreachable") from error


def shown_host_key(address: str, *, kind: str, port: int, timeout: float) -> str:
    """See the port."""
    try:
        with socket.create_connection((address, port), timeout) as line, paramiko.Transport(line) as transport:
            transport.banner_timeout = timeout
            transport.get_security_options().key_types = (kind,)
            transport.start_client(timeout=timeout)
            key = transport.get_remote_server_key()
            return f"{key.get_name()} {key.get_base64()}"
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        message = f"{address} shows no host key of {kind}: {str(error) or type(error).__name__}"
        raise ProviderError(message, code="unreachable") from error


def parse_facts(text: str) -> Facts:
    """Facts from the output of FACTS; ValueError, IndexError or KeyError when it is something else."""
    hostname, uptime, load, *rest = text.splitlines()
    memory = {line.split(":")[0]: int(line.split()[1]) for line in rest if line.startswith("Mem")}
    disk = rest[-1].split()
    first, second, third = (float(value) for value in load.split()[:3])
    return Facts(
        hostname=hostname,
        uptime_seconds=int(float(uptime.split()[0])),
        load=(first, second, third),
        memory_total_kb=memory["MemTotal"],
        memory_available_kb=memory["MemAvailable"],
        disk_total_kb=int(disk[1]),
        disk_used_kb=int(disk[2]),
    )


def new_private_key() -> str:
    """A fresh Ed25519 key for the panel's own log-ins, in OpenSSH's PEM form."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_key(private_key: str) -> str:
    """The public half, "ssh-ed25519 AAAA..."; ProviderError when it is no Ed25519 key."""
    key = _private_key(private_key)
    return f"{key.get_name()} {key.get_base64()}"


def _private_key(text: str) -> paramiko.Ed25519Key:
    try:
        return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
    except (paramiko.SSHException, ValueError) as error:
        raise ProviderError("our private key is no Ed25519 key", permanent=True, code="configuration") from error


def _host_key(text: str) -> paramiko.PKey:
    try:
        kind, material = _material(text)
        return paramiko.PKey.from_type_string(kind, base64.b64decode(material, validate=True))
    except (paramiko.SSHException, UnknownKeyType, binascii.Error, ValueError, IndexError) as error:
        raise ProviderError("the provider gave no readable host key", permanent=True, code="host_key") from error


def _material(key: str) -> tuple[str, str]:
    """(type, base64) of one public key line; ProviderError when it is none."""
    words = key.split()
    if "\n" in key.strip() or len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise ProviderError("not an OpenSSH public key", permanent=True, code="refused")
    return words[0], words[1]


def _has(line: str, wanted: tuple[str, str]) -> bool:
    """Whether a line of authorized_keys, which may begin with options, carries the key."""
    words = line.split()
    return any(pair == wanted for pair in pairwise(words))
