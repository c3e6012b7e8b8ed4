"""A report starts a clock by itself only if it is proven to come from that reporter (ABU-1)."""

from __future__ import annotations

import base64
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from abuse import authenticity
from panel.core.errors import ProviderError
from tickets.letters import Letter, parse

MAIL = b"""From: Harbour Rights Desk <notices@rights.example>
To: abuse@clause.example
Subject: Notice
Date: Tue, 03 Nov 2026 08:00:00 +0000
Message-ID: <n1@rights.example>

Copyright. IP: 203.0.113.77
"""


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class Zone:
    """A resolver that knows one selector."""

    def __init__(self, domain: str = "rights.example", *, dead: bool = False) -> None:
        public = (
            key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        self.records = {f"s1._domainkey.{domain}": b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)}
        self.dead = dead

    def txt(self, name: str) -> list[bytes]:
        if self.dead:
            raise ProviderError("no answer")
        return [self.records[name]] if name in self.records else []

    def addresses(self, name: str) -> list[str]:
        return []

    def names_of(self, address: str) -> list[str]:
        return []


def signed(raw: bytes = MAIL, domain: bytes = b"rights.example", **options: object) -> bytes:
    pem = key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    signature: bytes = dkim.sign(raw, b"s1", domain, pem, include_headers=[b"from", b"subject"], **options)
    return signature.replace(b"\r\n", b"\n") + raw


def proof(raw: bytes, zone: Zone | None = None) -> authenticity.Proof:
    letter: Letter = parse(raw)
    return authenticity.prove(letter, letter.recipients, {}, zone or Zone())


def test_a_signature_of_the_reporters_domain_is_a_proof() -> None:
    assert proof(signed()) == authenticity.Proof("dkim", domain="rights.example")


def test_a_subdomains_sender_is_vouched_for_by_its_domain_but_not_the_other_way_round() -> None:
    below = MAIL.replace(b"notices@rights.example", b"notices@mail.rights.example")
    assert proof(signed(below)).domain == "rights.example"
    assert not proof(signed(MAIL, b"mail.rights.example"), Zone("mail.rights.example")).proven


def test_without_a_signature_it_is_unknown() -> None:
    assert proof(MAIL) == authenticity.UNKNOWN


@pytest.mark.parametrize(
    "raw",
    [
        signed().replace(b"203.0.113.77", b"203.0.113.78"),
        signed().replace(b"Subject: Notice", b"Subject: Other"),
        signed(MAIL, b"attacker.example"),
        signed(MAIL, length=True),
        b"From: else@rights.example\n" + signed(),
        signed().replace(b"v=1", b"v=9"),
        b"DKIM-Signature: \xff\xff\n" + MAIL,
        b"DKIM-Signature: v=1; a=rsa-sha256; d=rights.example; s=s1; h=from; bh=AA==; b=AA==\n" + MAIL,
        b"",
    ],
    ids=["body", "subject", "foreign", "part only", "two senders", "version", "rubbish", "false", "empty"],
)
def test_what_was_altered_or_is_foreign_is_unknown(raw: bytes) -> None:
    assert not proof(raw, Zone()).proven
    assert not proof(raw, Zone("attacker.example")).proven


def test_a_name_server_that_does_not_answer_proves_nothing_and_is_told() -> None:
    result = proof(signed(), Zone(dead=True))
    assert not result.proven
    assert "could not be checked" in result.problem


def test_the_secret_address_is_a_proof_of_that_reporter_alone() -> None:
    token, other = authenticity.new_token(), authenticity.new_token()
    digests = {authenticity.digest_of(token): 7}
    letter = parse(MAIL)
    found = authenticity.prove(letter, [f"abuse+{token}@clause.example"], digests, Zone())
    assert found == authenticity.Proof("token", reporter_id=7)
    assert not authenticity.prove(letter, [f"abuse+{other}@clause.example"], digests, Zone()).proven
    assert not authenticity.prove(letter, ["abuse+@clause.example", "abuse@clause.example"], digests, Zone()).proven


def test_a_faked_to_header_is_no_proof() -> None:
    token = authenticity.new_token()
    letter = parse(MAIL.replace(b"abuse@clause.example", f"abuse+{token}@clause.example".encode()))
    envelope = ["abuse@clause.example"]
    assert not authenticity.prove(letter, envelope, {authenticity.digest_of(token): 7}, Zone()).proven
