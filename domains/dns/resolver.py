"""The domain name system through dnspython."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

from panel.core.errors import ProviderError


class DnsResolver:
    """A `domains.dns.Resolver` that asks real name servers: those of the machine, or those given.

    `lifetime` is the number of seconds a call may take in all, over every server and retry.
    """

    def __init__(self, nameservers: Sequence[str] = (), *, port: int = 53, lifetime: float = 5.0) -> None:
        self._nameservers = list(nameservers)
        self._port = port
        self._lifetime = lifetime

    def txt(self, name: str) -> list[bytes]:
        return [b"".join(record.strings) for record in self._ask(name, "TXT")]

    def addresses(self, name: str) -> list[str]:
        until = monotonic() + self._lifetime
        return [record.address for kind in ("A", "AAAA") for record in self._ask(name, kind, until - monotonic())]

    def names_of(self, address: str) -> list[str]:
        try:
            name = dns.reversename.from_address(address)
        except (dns.exception.DNSException, ValueError) as error:
            raise ProviderError(f"{address!r} is not an IP address", permanent=True, code="dns-name") from error
        return [str(record.target).rstrip(".") for record in self._ask(str(name), "PTR")]

    def _ask(self, name: str, kind: str, lifetime: float | None = None) -> list[Any]:
        seconds = self._lifetime if lifetime is None else max(lifetime, 0.0)
        try:
            return list(self._resolver().resolve(name, kind, lifetime=seconds))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise ProviderError(f"no answer for {kind} of {name}: {error}", code="dns-unanswered") from error

    def _resolver(self) -> dns.resolver.Resolver:
        resolver = dns.resolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = list(self._nameservers)
            resolver.port = self._port
        return resolver
