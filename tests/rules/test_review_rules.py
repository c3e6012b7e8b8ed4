"""Which signs hold an order (SUB-4): what is unknown never speaks against it, what was accepted does not hold again."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.reviewing.review_rules import Evidence, Sign, Verdict, findings, is_disposable, reasons
from panel.terms.numbers import ReviewTerms

LAW = ReviewTerms(frozenset(Sign), 5, timedelta(hours=24), timedelta(hours=24), timedelta(hours=4))
PLAIN = Evidence("FR", "FR", "FR", "FR")
COUNTRIES = st.sampled_from(["", "FR", "DE", "fr"])


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"connection_country": "NL"}, Sign.CONNECTION),
        ({"card_country": "US"}, Sign.CARD),
        ({"telephone_country": "DE"}, Sign.TELEPHONE),
        ({"orders": 6}, Sign.VELOCITY),
        ({"disposable_mail": True}, Sign.DISPOSABLE),
        ({"unpaid_invoices": 1}, Sign.DEBT),
        ({"rejected": True}, Sign.DEBT),
        ({"disputes": 1}, Sign.DISPUTE),
        ({"restrictions": 1}, Sign.MISUSE),
        ({"competitor": True}, Sign.COMPETITOR),
        ({"card_street": "fail"}, Sign.STREET),
        ({"card_postcode": "fail"}, Sign.POSTCODE),
    ],
)
def test_each_sign_by_itself(change: dict[str, object], sign: Sign) -> None:
    known = replace(PLAIN, **change)  # type: ignore[arg-type]
    assert reasons(known, LAW) == (sign,)
    assert reasons(known, replace(LAW, holds=LAW.holds - {sign})) == (), "shown, but by these terms it holds nothing"
    assert reasons(known, LAW, accepted=frozenset({str(sign)})) == ()


@given(COUNTRIES, COUNTRIES, COUNTRIES, COUNTRIES)
def test_an_unknown_country_is_said_to_be_unknown(billing: str, connection: str, telephone: str, card: str) -> None:
    for one in findings(Evidence(billing, connection, telephone, card), LAW)[:3]:
        country = {Sign.CONNECTION: connection, Sign.CARD: card, Sign.TELEPHONE: telephone}[one.sign]
        assert (one.verdict is Verdict.UNKNOWN) == (not country or not billing)
        assert one.holds == (bool(country and billing) and country.upper() != billing.upper())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a@yopmail.com", True), ("a@MAIL.Yopmail.com", True), ("a@notyopmail.com", False), ("a@fine.example", False),
        ("a@allowed.grr.la", False), ("a@grr.la", True), ("a@mine.example", True), ("", False), ("a@com", False),
    ],
)  # fmt: skip
def test_throw_away_addresses(address: str, expected: bool) -> None:
    own = {"mine.example": True, "allowed.grr.la": False}
    assert is_disposable(address, listed=frozenset({"yopmail.com", "grr.la"}), own=own) is expected
