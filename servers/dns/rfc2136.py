"""Reverse names on an authoritative server that takes signed dynamic updates: RFC 2136 with TSIG."""

import base64
import binascii
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.tsig
import dns.update

from panel.core.errors import ProviderError

PATIENCE = 5.0  # seconds
TTL = 3600
BUSY = frozenset({dns.rcode.SERVFAIL})


class SignedUpdates:
    """One server; the first of `zones` that an address is in is the one that is changed."""

    def __init__(
        self, server: str, port: int, zones: list[dns.name.Name], key: dns.tsig.Key, ttl: int = TTL
    ) -> None:  # fmt: skip
        self.server, self.port, self.zones, self.key, self.ttl = server, port, zones, key, ttl

    def publish(self, ip: str, name: str) -> None:
        owner = dns.reversename.from_address(ip)
        update = dns.update.UpdateMessage(self._zone(owner), keyring=self.key)
        update.delete(owner, "PTR")
        if name:
            update.add(owner, self.ttl, "PTR", f"{name}.")
        self._answer(update, f"update of {ip}")
        there = self.published(ip)
        if there != name:
            raise ProviderError(f"{self.server} still says {there!r} for {ip}", code="not_confirmed")

    def published(self, ip: str) -> str:
        owner = dns.reversename.from_address(ip)
        self._zone(owner)
        asked = dns.message.make_query(owner, "PTR")
        asked.use_tsig(self.key)
        answer = self._answer(asked, f"question for {ip}", fine=(dns.rcode.NOERROR, dns.rcode.NXDOMAIN))
        names = [str(item.target).rstrip(".") for found in answer.answer if found.rdtype == dns.rdatatype.PTR
                 for item in found]  # fmt: skip
        return ", ".join(sorted(names))

    def _zone(self, owner: dns.name.Name) -> dns.name.Name:
        zone = next((zone for zone in self.zones if owner.is_subdomain(zone)), None)
        if zone is None:
            raise ProviderError(f"{owner} is in no zone of {self.server}", permanent=True, code="no_zone")
        return zone

    def _answer(
        self, asked: dns.message.Message, what: str, fine: tuple[int, ...] = (dns.rcode.NOERROR,)
    ) -> dns.message.Message:  # fmt: skip
        try:
            answer = dns.query.tcp(asked, self.server, timeout=PATIENCE, port=self.port)
        except dns.tsig.PeerError as error:
            raise ProviderError(f"{what}: {self.server} refuses our key: {error}", permanent=True,
                                code="credentials") from error  # fmt: skip
        except (dns.exception.DNSException, OSError, EOFError) as error:
            raise ProviderError(f"{what}: {self.server}: {error}", code="unreachable") from error
        if answer.rcode() not in fine:
            code = dns.rcode.to_text(answer.rcode())
            raise ProviderError(f"{what}: {self.server} says {code}", permanent=answer.rcode() not in BUSY,
                                code="refused")  # fmt: skip
        return answer


def connect(place: str, config: Mapping[str, Any]) -> SignedUpdates:
    """The server that `config` names; ProviderError(permanent) where it cannot be one."""
    try:
        base64.b64decode(str(config["key_secret"]), validate=True)
        key = dns.tsig.Key(
            str(config["key_name"]), str(config["key_secret"]), str(config.get("key_algorithm", "hmac-sha256"))
        )
        zones = sorted((dns.name.from_text(str(zone)) for zone in config["zones"]), key=lambda zone: -len(zone))
        server = str(ip_address(str(config["server"])))
        return SignedUpdates(server, int(config.get("port", 53)), zones, key, int(config.get("ttl", TTL)))
    except (KeyError, ValueError, binascii.Error, dns.exception.DNSException) as error:
        raise ProviderError(f"the reverse names of {place} are not set up: {error}", permanent=True,
                            code="configuration") from error  # fmt: skip
