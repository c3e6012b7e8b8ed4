"""Whatever strangers send to the abuse mailbox, reading it ends, soon, and never in an error (ABU-1)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse.reports import read
from abuse.reports.addresses import addresses_in, canonical
from tests.ports.test_report_readers import mail, xarf_mail, xarf_report
from tickets import letters


def nested(levels: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(levels))
    return head + b"Content-Type: text/plain\n\nIP: 203.0.113.77\n"


HOSTILE = {
    "empty": b"",
    "nothing but zeros": b"\0" * 1000,
    "every byte": bytes(range(256)) * 500,
    "nested 3000 deep": nested(3000),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 3000,
    "3 million parts": b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n\nx\n" * 3_000_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 50_000 + b"\n\nhi",
    "open parentheses": b"From: " + b"(" * 100_000 + b"\nTo: " + b"(" * 100_000 + b"\n\nhi",
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 50_000 + b"\n\nhi",
    "continued parameters": b"Content-Type: text/plain" + b"".join(b"; a*%d*=x" % n for n in range(20_000)) + b"\n\nhi",
    "no boundary": b"Content-Type: multipart/mixed\n\nIP: 203.0.113.77",
    "unknown charset": b'Content-Type: text/plain; charset="ISO-8859-1; format=flowed"\n\nIP: 203.0.113.77 \xe9',
    "utf-7": b"Content-Type: text/plain; charset=utf-7\n\n+ADw-script+AD4-",
    "broken base64": b"Content-Transfer-Encoding: base64\n\n!!!" + b"A" * 10_001,
    "one long line": b"Subject: x\n\n" + b"1.2.3.4 " * 500_000,
    "colons": b"Subject: x\n\n" + b":" * 1_000_000,
    "dates": b"Subject: x\n\n" + b"2026-11-03 07:15:42 " * 100_000,
    "html": b"Content-Type: text/html\n\n" + b"<" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_ends_soon_and_is_never_an_error(name: str) -> None:
    began = time.monotonic()
    reading = read(HOSTILE[name])
    assert reading.letter is not None
    assert time.monotonic() - began < 10


def test_a_charset_that_lies_still_gives_the_words() -> None:
    assert read(HOSTILE["unknown charset"]).drafts[0].sources[0].address == "203.0.113.77"
    assert read(HOSTILE["no boundary"]).letter.text == "IP: 203.0.113.77"  # type: ignore[union-attr]


def test_too_long_a_message_is_read_to_its_limit_and_says_so() -> None:
    raw = mail("IP: 203.0.113.77\n").as_bytes() + b"x" * letters.MAX_BYTES
    reading = read(raw)
    assert any("longer than" in problem for problem in reading.problems)
    assert reading.letter is not None
    assert len(reading.letter.raw) == letters.MAX_BYTES


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_can_be_read(raw: bytes) -> None:
    read(raw)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=30),
        lambda c: st.lists(c) | st.dictionaries(st.text(max_size=9), c),
        max_leaves=8,
    )
)
def test_any_value_in_any_field_is_never_an_error(value: Any) -> None:
    for name in (
        "timestamp",
        "source_identifier",
        "evidence",
        "reporter",
        "category",
        "type",
        "report_id",
        "source_port",
    ):
        read(xarf_mail(xarf_report(**{name: value})))


# addresses and letters


def test_addresses_are_found_in_every_dress() -> None:
    text = "a 192[.]0[.]2[.]7, 192.0.2.8. and 2001:db8::5 (::ffff:192.0.2.9) 10.1.2.3.4 1.2.3 version 1.2.3.4a 12:30:45"
    assert addresses_in(text) == ["192.0.2.7", "192.0.2.8", "2001:db8::5", "192.0.2.9"]


@given(st.ip_addresses())
def test_what_is_canonical_stays_so(address: Any) -> None:
    once = canonical(str(address))
    assert once is None or canonical(once) == once


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ({}, False),
        ({"Auto_Submitted": "no"}, False),
        ({"Auto_Submitted": "auto-replied (vacation)"}, True),
        ({"Precedence": "bulk"}, True),
        ({"Return_Path": "<>"}, True),
        ({"X_Autoreply": "yes"}, True),
    ],
)
def test_what_a_machine_wrote_is_seen(headers: dict[str, str], automatic: bool) -> None:
    assert letters.parse(mail(**headers).as_bytes()).automatic is automatic


def test_a_bounce_names_its_recipients() -> None:
    raw = b"""From: MAILER-DAEMON@mx.example
To: abuse+case@clause.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

It did not go through.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; Owner@Customer.example
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; other@customer.example
Action: delayed
--b--
"""
    letter = letters.parse(raw)
    assert letter.automatic
    assert letter.bounced == ("owner@customer.example",)
