"""The port to whoever answers for the names of a place's addresses, in our words (SRV-3).

`at("local-1")` gives what the place's configuration names, None where nobody does: names cannot be set there then.

    "reverse": {"server": "192.0.2.53", "port": 53, "zones": ["2.0.192.in-addr.arpa"], "key_name": "clause.",
                "key_secret": "<base64>", "key_algorithm": "hmac-sha256", "ttl": 3600}

is an authoritative server that takes dynamic updates (RFC 2136) signed by TSIG; the simulated cloud keeps its own.
Only Operation handlers call it. Every failure is a `ProviderError`, `permanent` where asking again is useless.
"""

from typing import Protocol, cast

from servers import providers


class ReverseNames(Protocol):
    """Answers for the reverse names of addresses."""

    def publish(self, ip: str, name: str) -> None:
        """`ip` has exactly this name, without a final dot, from now on; "" takes its name away. Returns only once it
        has been read back."""

    def published(self, ip: str) -> str:
        """The name that `ip` has there now; "" for none."""


def at(place: str) -> ReverseNames | None:
    """Who answers for the addresses of `place`."""
    config = providers.places().get(place, {})
    if config.get("reverse"):
        from servers.dns import rfc2136

        return rfc2136.connect(place, config["reverse"])
    if config.get("provider") == "simulated":
        return cast("ReverseNames", providers.get(place))
    return None


def can(place: str) -> bool:
    """Whether names can be set at `place`, for pages: nobody is connected to."""
    config = providers.places().get(place, {})
    return bool(config.get("reverse")) or config.get("provider") == "simulated"


def addresses_of(name: str) -> set[str]:
    """Where `name` leads now, by the machine's own resolver; empty where it leads nowhere. ProviderError (code
    "dns-unanswered") without an answer: "unknown" is never mistaken for "no"."""
    from servers.dns import forward

    return forward.addresses_of(name)
