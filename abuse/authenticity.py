"""Is this really from that reporter? Only then may a report start a clock by itself (ABU-1).

Two proofs count: a DKIM signature of the reporter's own domain over the whole message, or the secret address that was
given to that reporter alone (`abuse+<token>@`). Everything else is unknown and waits for staff; a name server that does
not answer proves nothing either way, and staff is told.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dkim

from domains.dns import Resolver
from panel.core.errors import ProviderError
from tickets.letters import Letter

MAX_SIGNATURES = 5
TOKEN_BYTES = 15
_TOKEN = re.compile(r"[a-z2-7]{24}")
_WEAK = {b"rsa-sha1"}


@dataclass(frozen=True)
class Proof:
    """`kind` is "dkim", "token" or "unknown"; `domain` is what DKIM vouched for."""

    kind: str
    domain: str = ""
    reporter_id: int | None = None
    problem: str = ""

    @property
    def proven(self) -> bool:
        return self.kind != "unknown"


UNKNOWN = Proof("unknown")


def new_token() -> str:
    """A secret for one reporter's own address; shown once, kept as `digest_of` it."""
    return base64.b32encode(secrets.token_bytes(TOKEN_BYTES)).decode().lower()


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(b"abuse-reporter:" + token.encode()).hexdigest()


def tokens_in(recipients: Iterable[str]) -> list[str]:
    """The tokens in the addresses a message came to (`abuse+<token>@...`)."""
    tags = (address.partition("@")[0].partition("+")[2] for address in recipients)
    return [tag for tag in tags if _TOKEN.fullmatch(tag)]


def prove(letter: Letter, recipients: Iterable[str], digests: Mapping[str, int], resolver: Resolver) -> Proof:
    """Who this is from, as far as it can be proven. Asks name servers: never inside a transaction.

    `recipients` are the addresses of the envelope, which the sender's headers cannot fake; `digests` maps the digest of
    each reporter's token to the reporter's id.
    """
    for token in tokens_in(recipients):
        for digest, reporter_id in digests.items():
            if hmac.compare_digest(digest, digest_of(token)):
                return Proof("token", reporter_id=reporter_id)
    try:
        domain = signed_domain(letter, resolver)
    except ProviderError as error:
        return Proof("unknown", problem=f"the sender's signature could not be checked: {error}")
    return Proof("dkim", domain=domain) if domain else UNKNOWN


def signed_domain(letter: Letter, resolver: Resolver) -> str:
    """The domain that signed the whole message and that the one From address belongs to; "" when there is none.

    A signature over a part only (`l=`), with SHA-1, or beside a second From is none.
    """
    if letter.senders != 1 or not letter.sender:
        return ""

    def txt(name: bytes | str, timeout: int = 5) -> bytes | None:  # dkimpy's own shape
        text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        records = resolver.txt(text.rstrip("."))
        return records[0] if records else None

    try:
        message = dkim.DKIM(letter.raw, timeout=5)
    except (dkim.DKIMException, ValueError):
        return ""
    count = sum(1 for name, _ in message.headers if name.lower() == b"dkim-signature")
    for index in range(min(count, MAX_SIGNATURES)):
        try:
            valid = message.verify(idx=index, dnsfunc=txt)
        except (dkim.DKIMException, ValueError, UnicodeError, KeyError, IndexError, TypeError):
            continue
        fields = message.signature_fields
        domain = (message.domain or b"").decode("ascii", "replace").lower().rstrip(".")
        if valid and b"l" not in fields and fields.get(b"a") not in _WEAK and belongs(letter.sender, domain):
            return domain
    return ""


def is_signed(letter: Letter, resolver: Resolver) -> bool:
    """Whether its sender's domain signed the whole message; False too when no name server answers."""
    try:
        return bool(signed_domain(letter, resolver))
    except ProviderError:
        return False


def belongs(address: str, domain: str) -> bool:
    """Whether an e-mail address is of `domain` or of a subdomain of it."""
    host = address.rpartition("@")[2].lower().rstrip(".")
    return bool(domain) and "." in domain and (host == domain or host.endswith("." + domain))
