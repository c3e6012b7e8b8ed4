"""INV-10: two pieces of evidence that agree say where a private customer is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.taxing import location_rules
from invoicing.taxing.location_rules import Piece


@pytest.mark.parametrize(
    ("number", "country"),
    [("+49 40 1234", "DE"), ("0049 40 1234", "DE"), ("+33 1 23 45 67 89", "FR"), ("+351 21 1234567", "PT"),
     ("+35", ""), ("01 23 45 67 89", ""), ("+1 212 5550100", ""), ("+44 1534 000000", ""), ("", ""), ("+", "")],
)  # fmt: skip
def test_a_calling_code_speaks_for_its_country_alone(number: str, country: str) -> None:
    assert location_rules.of_telephone(number) == country


def test_two_that_agree_are_enough_and_one_is_not() -> None:
    assert location_rules.located("DE", location_rules.pieces("DE", "+49 40 1234", ""))
    assert location_rules.located("DE", location_rules.pieces("DE", "+33 1 23456789", "DE"))
    assert not location_rules.located("DE", location_rules.pieces("DE", "+33 1 23456789", ""))
    assert not location_rules.located("DE", location_rules.pieces("DE", "", "FR"))
    assert location_rules.located("DE", location_rules.pieces("DE", "", "FR", "DE"))


COUNTRIES = st.sampled_from(["DE", "FR", ""])


@given(st.text(max_size=20), st.sampled_from(["DE", "FR", "IT", ""]), COUNTRIES, COUNTRIES)
def test_no_evidence_is_invented(telephone: str, address: str, connection: str, card: str) -> None:
    found = location_rules.pieces(address, telephone, connection, card)
    assert all(piece.country for piece in found)
    assert {piece.kind for piece in found} <= {"address", "telephone", "connection", "card"}
    if location_rules.located("DE", found):
        assert [piece.country for piece in found].count("DE") >= 2
    assert not location_rules.located("IT", [Piece("address", "IT")])
