"""IP addresses as reporters write them: plain, defanged (192[.]0[.]2[.]1), IPv6, mapped."""

from __future__ import annotations

import ipaddress
import re

_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
_IPV4 = re.compile(rf"(?<![\w.])\d{{1,3}}(?:{_DOT}\d{{1,3}}){{3}}(?![\w]|\.\d)", re.IGNORECASE)
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?![\w:])")
_DEFANGED = re.compile(r"\[\.\]|\(\.\)|\[dot\]|\(dot\)", re.IGNORECASE)


def canonical(text: object) -> str | None:
    """The one way to write the address of one host, or None when `text` is none (0.0.0.0, a network, "999.1.1.1")."""
    if not isinstance(text, str) or not 2 <= len(text) <= 64:
        return None
    try:
        address = ipaddress.ip_address(_DEFANGED.sub(".", text.strip().strip("[]")))
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    if address.is_unspecified or address.is_multicast or address.is_loopback or str(address) == "255.255.255.255":
        return None
    return str(address)


def addresses_in(text: str, *, limit: int = 100) -> list[str]:
    """Every address in `text`, canonical, each once, in the order in which they stand there."""
    hits = [(m.start(), m.group()) for pattern in (_IPV4, _IPV6) for m in pattern.finditer(text)]
    found: dict[str, None] = {}
    for _, written in sorted(hits):
        address = canonical(written)
        if address is not None:
            found.setdefault(address)
        if len(found) >= limit:
            break
    return list(found)
