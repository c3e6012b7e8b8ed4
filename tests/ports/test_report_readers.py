"""Abuse reports of every kind, hostile ones too, are read as far as they can be and never stop the desk (ABU-1)."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from abuse.reports import Category, Confidence, Precision, read, times
from abuse.reports.xarf import strict_json

MOMENT = datetime(2026, 11, 3, 7, 15, 42, tzinfo=UTC)


def xarf_report(**changes: Any) -> dict[str, Any]:
    report = {
        "xarf_version": "4.2.0",
        "report_id": "6f1d2c34-7b7e-4b8c-9f55-0a1b2c3d4e5f",
        "timestamp": "2026-11-03T07:15:42Z",
        "reporter": {"org": "Harbour Rights Desk", "contact": "Notices@Rights.example", "domain": "rights.example"},
        "sender": {"org": "Harbour Rights Desk", "contact": "notices@rights.example", "domain": "rights.example"},
        "source_identifier": "203.0.113.77",
        "source_port": 51413,
        "category": "copyright",
        "type": "p2p",
        "work_title": "The Lighthouse Keeper's Almanac",
        "rights_holder": "Harbour Pictures",
        "evidence": [
            {
                "content_type": "text/plain",
                "description": "Tracker line",
                "payload": base64.b64encode(b"peer 203.0.113.77").decode(),
            }
        ],
    }
    return {key: value for key, value in {**report, **changes}.items() if value is not ...}


def mail(body: str = "Please see the attached report.", *, subject: str = "Notice", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Harbour Rights Desk <notices@rights.example>"
    message["To"] = "abuse@clause.example"
    message["Subject"] = subject
    message["Date"] = "Tue, 03 Nov 2026 08:00:00 +0000"
    message["Message-ID"] = "<notice-1@rights.example>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def xarf_mail(report: Any) -> bytes:
    message = mail()
    data = report if isinstance(report, bytes) else json.dumps(report).encode()
    message.add_attachment(data, maintype="application", subtype="json", filename="xarf.json")
    return message.as_bytes()


# XARF


def test_xarf_in_a_mail_is_read_exactly() -> None:
    reading = read(xarf_mail(xarf_report()))
    (draft,) = reading.drafts
    assert (reading.reader, reading.problems) == ("XARF", ())
    assert draft.category == Category.COPYRIGHT
    assert draft.confidence == Confidence.CERTAIN
    assert [(s.address, s.port) for s in draft.sources] == [("203.0.113.77", 51413)]
    assert draft.happened is not None
    assert (draft.happened.start, draft.happened.end) == (MOMENT, MOMENT)
    assert draft.reporter_email == "notices@rights.example"
    assert draft.reporter_ref == "6f1d2c34-7b7e-4b8c-9f55-0a1b2c3d4e5f"
    assert (draft.work, draft.right_holder) == ("The Lighthouse Keeper's Almanac", "Harbour Pictures")
    assert draft.evidence[0].excerpt == "peer 203.0.113.77"
    assert draft.explanation == "Please see the attached report."


def test_xarf_by_itself_is_read_without_a_mail_around_it() -> None:
    assert read(json.dumps(xarf_report()).encode()).drafts[0].sources[0].address == "203.0.113.77"


def test_xarf_inside_a_forwarded_message_is_found() -> None:
    outer = mail("fyi")
    inner = mail()
    inner.add_attachment(json.dumps(xarf_report()).encode(), maintype="application", subtype="json")
    outer.add_attachment(inner)
    assert read(outer.as_bytes()).reader == "XARF"


def test_one_report_given_twice_in_one_mail_counts_once_and_two_reports_stay_two() -> None:
    message = mail()
    for report in (xarf_report(), xarf_report(), xarf_report(report_id="other", source_identifier="2001:db8:7::1")):
        message.add_attachment(json.dumps(report).encode(), maintype="application", subtype="json")
    drafts = read(message.as_bytes()).drafts
    assert [draft.sources[0].address for draft in drafts] == ["203.0.113.77", "2001:db8:7::1"]


def test_seen_over_a_stretch_of_time_even_written_the_wrong_way_round() -> None:
    report = xarf_report(first_seen="2026-11-03T08:00:00+01:00", last_seen="2026-11-03T06:00:00Z")
    happened = read(xarf_mail(report)).drafts[0].happened
    assert happened is not None
    assert (happened.start, happened.end) == (datetime(2026, 11, 3, 6, tzinfo=UTC), MOMENT)


@pytest.mark.parametrize(
    "timestamp", ["yesterday", "2026-11-03T07:15:42", "2026-13-03T07:15:42Z", 1762154142, None, ...]
)
def test_a_time_that_is_no_instant_leaves_the_report_unsure(timestamp: Any) -> None:
    reading = read(xarf_mail(xarf_report(timestamp=timestamp)))
    assert reading.drafts[0].confidence == Confidence.UNSURE
    assert reading.problems


@pytest.mark.parametrize(
    "source",
    [
        "999.1.1.1",
        "",
        "0.0.0.0",  # noqa: S104
        "127.0.0.1",
        "192.0.2.0/24",
        "224.0.0.1",
        "example.org",
        None,
        3232235777,
        ["192.0.2.1"],
        ...,
    ],
)
def test_without_a_real_source_address_it_is_no_report(source: Any) -> None:
    reading = read(xarf_mail(xarf_report(source_identifier=source)))
    assert reading.drafts == ()
    assert any("not the address of one host" in problem for problem in reading.problems)


def test_a_mapped_address_is_the_ipv4_one() -> None:
    assert (
        read(xarf_mail(xarf_report(source_identifier="::ffff:203.0.113.77"))).drafts[0].sources[0].address
        == "203.0.113.77"
    )


@pytest.mark.parametrize("port", [0, 65536, -1, True, "80", 80.5])
def test_a_port_that_is_none_is_told_and_left_out(port: Any) -> None:
    reading = read(xarf_mail(xarf_report(source_port=port)))
    assert reading.drafts[0].sources[0].port is None
    assert any("port" in problem for problem in reading.problems)


@pytest.mark.parametrize(
    "data",
    [
        b'{"xarf_version": "4.2.0", "xarf_version": "4.2.0"}',
        b'{"xarf_version": "4.2.0", "x": NaN}',
        b'{"xarf_version": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"xarf_version": "4.2.0", "x": ' + b"9" * 10_000 + b"}",
        b'{"xarf_version": "4.2.0"',
        b'\xff\xfe{"xarf_version"',
    ],
)
def test_json_that_cheats_is_refused_and_told(data: bytes) -> None:
    reading = read(xarf_mail(data))
    assert reading.drafts == ()
    assert any("not valid" in problem for problem in reading.problems)


def test_braces_inside_strings_are_no_depth() -> None:
    assert strict_json(b'{"a": "' + b"[{" * 50 + b'\\""}') == {"a": "[{" * 50 + '"'}


def test_wrong_evidence_is_told_and_the_report_stays() -> None:
    reading = read(xarf_mail(xarf_report(evidence=[{"content_type": "text/plain", "payload": "%%%"}, "x", None])))
    assert reading.drafts[0].evidence == ()
    assert sum("base64" in problem for problem in reading.problems) == 3


@pytest.mark.parametrize(
    "report", [[], "x", 4, {"xarf_version": 4}, {"xarf_version": ["4"]}, xarf_report(reporter=["a"], evidence={})]
)
def test_strange_shapes_are_never_an_error(report: Any) -> None:
    read(xarf_mail(report))


@pytest.mark.parametrize(
    ("category", "kind", "expected"),
    [
        ("messaging", "spam", Category.SPAM),
        ("reputation", "blocklist", Category.BLOCKLIST),
        ("connection", "login_attack", Category.GENERAL),
        ("content", "brand_infringement", Category.GENERAL),
    ],
)
def test_only_copyright_is_copyright(category: str, kind: str, expected: Category) -> None:
    assert read(xarf_mail(xarf_report(category=category, type=kind))).drafts[0].category == expected


def test_an_unknown_category_is_unsure() -> None:
    assert read(xarf_mail(xarf_report(category="astrology"))).drafts[0].confidence == Confidence.UNSURE


# plain text


def test_labelled_text_is_likely() -> None:
    body = """Dear provider,

we act for the copyright owner.

Infringed Work: The Lighthouse Keeper's Almanac
Rights Holder: Harbour Pictures
Infringing IP: 203[.]0[.]113[.]77
Port: 51413
Timestamp: 2026-11-03 08:15:42 +0100
URL: hxxps://files[.]example/almanac.mkv
Case ID: HRD-2026-991
"""
    reading = read(mail(body).as_bytes())
    (draft,) = reading.drafts
    assert (reading.reader, draft.category, draft.confidence) == ("text", Category.COPYRIGHT, Confidence.LIKELY)
    source = draft.sources[0]
    assert (source.address, source.port, source.url) == ("203.0.113.77", 51413, "https://files.example/almanac.mkv")
    assert draft.happened is not None
    assert draft.happened.start == MOMENT
    assert (draft.work, draft.right_holder, draft.reporter_ref) == (
        "The Lighthouse Keeper's Almanac", "Harbour Pictures", "HRD-2026-991",
    )  # fmt: skip
    assert draft.reporter_email == "notices@rights.example"


def test_a_french_notice_is_read_and_its_language_seen() -> None:
    body = (
        "Bonjour,\nl'adresse de votre client diffuse une œuvre sans les droits d'auteur.\n"
        "Adresse IP: 203.0.113.77\nHorodatage (UTC): 03/11/2026\nDate (UTC): 2026-11-03 07:15\nOeuvre: La Jetée\n"
        "Merci de nous répondre pour que le titulaire soit informé.\n"
    )
    draft = read(mail(body).as_bytes()).drafts[0]
    assert (draft.language, draft.category, draft.confidence, draft.work) == ("fr", "copyright", "likely", "La Jetée")
    assert draft.happened is not None
    assert draft.happened.precision == Precision.MINUTE


def test_prose_is_unsure_and_a_victim_is_no_source() -> None:
    body = (
        "Your address 203.0.113.77 attacks us by SSH since 2026-11-03 07:15:42 UTC.\n"
        "Victim: 198.51.100.9\nTarget server 198.51.100.10"
    )
    draft = read(mail(body).as_bytes()).drafts[0]
    assert draft.confidence == Confidence.UNSURE
    assert [source.address for source in draft.sources] == ["203.0.113.77"]


def test_two_addresses_of_one_notice_stay_two_items_and_wait_for_staff() -> None:
    body = "Copyright notice\nSource: 203.0.113.77\nSource: 203.0.113.78\nDate: 2026-11-03T07:15:42Z\nCase ID: 7\n"
    draft = read(mail(body).as_bytes()).drafts[0]
    assert [source.address for source in draft.sources] == ["203.0.113.77", "203.0.113.78"]
    assert draft.confidence == Confidence.UNSURE


def test_a_time_without_zone_spans_every_zone_and_is_unsure() -> None:
    draft = read(mail("Copyright\nIP: 203.0.113.77\nDate: 2026-11-03 07:15:42").as_bytes()).drafts[0]
    assert draft.happened is not None
    assert draft.happened.end - draft.happened.start == timedelta(hours=28)
    assert draft.confidence == Confidence.UNSURE


def test_html_only_is_read_as_its_words() -> None:
    message = mail()
    message.set_content(
        "<style>p{}</style><script>1.2.3.4</script><p>Copyright</p><table><tr><td>IP: 203.0.113.77</td></tr>"
        "<tr><td>Date: 2026-11-03T07:15:42Z</td></tr></table>",
        subtype="html",
    )
    draft = read(message.as_bytes()).drafts[0]
    assert [source.address for source in draft.sources] == ["203.0.113.77"]
    assert draft.confidence == Confidence.LIKELY


def test_clear_signed_text_is_read() -> None:
    body = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nCopyright\nIP: 203.0.113.77\n- -- \n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
    )
    reading = read(mail(body).as_bytes())
    assert reading.letter is not None
    assert "PGP" not in reading.letter.text
    assert reading.drafts[0].sources[0].address == "203.0.113.77"


def test_no_address_no_draft_but_the_letter_is_there() -> None:
    reading = read(mail("Please stop this.").as_bytes())
    assert reading.drafts == ()
    assert reading.letter is not None
    assert reading.letter.text.strip() == "Please stop this."


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-03T07:15:42Z", MOMENT),
        ("2026-11-03 08:15:42 CET", MOMENT),
        ("Tue, 03 Nov 2026 07:15:42 -0000", MOMENT),
        ("03/Nov/2026:03:15:42 -0400", MOMENT),
        ("Nov 3, 2026 02:15:42 AM EST", MOMENT),
        ("03.11.2026 07:15:42 UTC", MOMENT),
        ("1793690142", datetime.fromtimestamp(1793690142, UTC)),
    ],
)
def test_times_as_they_are_written(written: str, expected: datetime) -> None:
    span = times.span_of(written)
    assert span is not None
    assert (span.start, span.end, span.precision) == (expected, expected, Precision.SECOND)


@pytest.mark.parametrize(
    "written", ["2026-02-30 10:00:00Z", "0001-01-01 00:00:00Z", "9999-12-31 23:59:59Z", "25:00", ""]
)
def test_times_that_are_none(written: str) -> None:
    assert times.span_of(written) is None
