"""The port to the domain name system: the few questions that the panel asks, and the shape of their answers."""

from __future__ import annotations

from typing import Protocol


class Resolver(Protocol):
    """Asks the domain name system.

    An answer is a list, empty when the name or the record does not exist. When there is no answer (time-out, server
    failure, refused) every method raises `panel.core.errors.ProviderError`: "unknown" is never mistaken for "no".
    """

    def txt(self, name: str) -> list[bytes]:
        """The TXT records of `name`, each with its strings joined."""
        ...

    def addresses(self, name: str) -> list[str]:
        """The IPv4 and IPv6 addresses of `name`."""
        ...

    def names_of(self, address: str) -> list[str]:
        """The reverse (PTR) names of an IPv4 or IPv6 address, without the final dot."""
        ...
