"""Prices, VAT and credit notes, for any amounts (SUB-1, INV-2, INV-10, SRV-5)."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing import rules
from invoicing.consuming import usage_rules
from invoicing.rules import Creditable, Wanted
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import OssRate, SellerVat, VatFacts, VatTreatment
from panel.core.money import vat_of

TREATMENTS = st.sampled_from(
    [
        VatTreatment("S", Decimal(20), "FR", "france"),
        VatTreatment("S", Decimal("25.5"), "FI", "oss"),
        VatTreatment("AE", Decimal(0), "DE", "reverse_charge"),
        VatTreatment("O", Decimal(0), "CH", "outside_eu"),
    ]
)
WANTED = st.lists(
    st.builds(
        Wanted,
        code=st.just("x"),
        description=st.just("x"),
        unit_cents=st.integers(0, 10_000_000),
        quantity=st.integers(1, 99),
    ),
    min_size=1,
    max_size=20,
)
RATED_LINES = st.lists(
    st.tuples(
        st.sampled_from([("S", Decimal(20)), ("S", Decimal("5.5")), ("AE", Decimal(0))]), st.integers(0, 1_000_000)
    ),
    min_size=1,
    max_size=8,
)


@given(WANTED, TREATMENTS)
def test_a_quotation_adds_up_exactly(wanted: list[Wanted], treatment: VatTreatment) -> None:
    quotation = rules.quote("month", wanted, treatment)
    assert quotation.totals.net == sum(line.net for line in quotation.lines)
    assert quotation.totals.vat == vat_of(quotation.totals.net, treatment.rate)
    assert quotation.totals.total == quotation.totals.net + quotation.totals.vat


@given(WANTED, TREATMENTS)
def test_the_lines_of_a_preview_come_to_its_totals(wanted: list[Wanted], treatment: VatTreatment) -> None:
    preview = rules.quote("month", wanted, treatment)
    assert rules.total_of(preview.lines) == preview.totals


@given(RATED_LINES)
def test_vat_is_rounded_once_per_rate_group(lines: list[tuple[tuple[str, Decimal], int]]) -> None:
    totals = tax_rules.totals((code, rate, net) for (code, rate), net in lines)
    for group in totals.groups:
        assert group.net == sum(net for key, net in lines if key == (group.code, group.rate))
        assert group.vat == vat_of(group.net, group.rate)
    assert totals.total == totals.net + totals.vat == totals.net + sum(group.vat for group in totals.groups)


def test_vat_by_line_would_drift() -> None:
    """Three lines of 0.13 at 20 %: 0.08, not three times 0.03."""
    assert tax_rules.totals([("S", Decimal(20), 13)] * 3).vat == 8


@given(RATED_LINES, st.data())
def test_credit_notes_of_any_cut_mirror_their_invoice(
    lines: list[tuple[tuple[str, Decimal], int]], data: st.DataObject
) -> None:
    invoice = tax_rules.totals((code, rate, net) for (code, rate), net in lines)
    credited, net, vat = [0] * len(lines), 0, 0
    for last in (False, False, True):
        left = [total - done for (_, total), done in zip(lines, credited, strict=True)]
        wanted = left if last else [data.draw(st.integers(0, cents)) for cents in left]
        creditable = [
            Creditable(total, done, code, rate) for ((code, rate), total), done in zip(lines, credited, strict=True)
        ]
        note = rules.credit(creditable, wanted)
        assert note.net == sum(wanted)
        assert note.vat >= 0
        assert note.vat == sum(group.vat for group in note.groups)
        credited = [done + cents for done, cents in zip(credited, wanted, strict=True)]
        net, vat = net + note.net, vat + note.vat
    assert (net, vat) == (invoice.net, invoice.vat)


def test_a_credit_note_never_gives_more_than_was_taken() -> None:
    line = Creditable(net=9000, credited=1, vat_code="S", vat_rate=Decimal(20))
    with pytest.raises(rules.TooMuch):
        rules.credit([line], [9000])
    with pytest.raises(rules.TooMuch):
        rules.credit([line], [-1])


SELLER = SellerVat(
    home_rate=Decimal(20),
    uses_oss=True,
    oss_rates=(OssRate("DE", Decimal(19), date(2021, 1, 1)), OssRate("EE", Decimal(22), date(2024, 1, 1)),
               OssRate("EE", Decimal(24), date(2025, 7, 1)), OssRate("RE", Decimal("8.5"), date(2000, 4, 1))),
)  # fmt: skip
DAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (VatFacts("FR", True, "FR44732829320", True), ("S", Decimal(20), "france")),
        (VatFacts("FR", False), ("S", Decimal(20), "france")),
        (VatFacts("MC", True), ("S", Decimal(20), "france")),
        (VatFacts("DE", True, "DE811569869", True), ("AE", Decimal(0), "reverse_charge")),
        (VatFacts("DE", True, "DE811569869", False), ("S", Decimal(19), "oss")),
        (VatFacts("DE", True, "", True), ("S", Decimal(19), "oss")),
        (VatFacts("DE", False), ("S", Decimal(19), "oss")),
        (VatFacts("EE", False), ("S", Decimal(24), "oss")),
        (VatFacts("CH", True, "CHE123", True), ("O", Decimal(0), "outside_eu")),
        (VatFacts("us", False), ("O", Decimal(0), "outside_eu")),
        (VatFacts("RE", True, "FR44732829320"), ("S", Decimal("8.5"), "france_overseas")),
        (VatFacts("re", False), ("S", Decimal("8.5"), "france_overseas")),
        (VatFacts("GF", True), ("O", Decimal(0), "not_applied")),
        (VatFacts("YT", False), ("O", Decimal(0), "not_applied")),
        (VatFacts("NC", True), ("O", Decimal(0), "outside_eu")),
    ],
)
def test_each_customer_has_one_treatment(facts: VatFacts, expected: tuple[str, Decimal, str]) -> None:
    """INV-10."""
    found = tax_rules.treatment(facts, SELLER, DAY)
    assert (found.code, found.rate, found.reason) == expected


def test_the_rate_of_the_day_counts() -> None:
    found = tax_rules.treatment(VatFacts("EE", False), SELLER, date(2025, 6, 30))
    assert found.rate == Decimal(22)


def test_under_the_threshold_consumers_abroad_pay_the_home_rate() -> None:
    seller = SellerVat(home_rate=Decimal(20), uses_oss=False)
    found = tax_rules.treatment(VatFacts("DE", False), seller, DAY)
    assert (found.rate, found.country, found.reason) == (Decimal(20), "FR", "below_threshold")


def test_a_sale_without_a_known_rate_is_refused_rather_than_untaxed() -> None:
    with pytest.raises(tax_rules.UnknownRate):
        tax_rules.treatment(VatFacts("SE", False), SELLER, DAY)
    with pytest.raises(tax_rules.UnknownRate):
        tax_rules.treatment(VatFacts("GP", True), SELLER, DAY)


def test_the_table_on_file_knows_every_member_state() -> None:
    from invoicing.tax_tables import oss_rates

    for country in tax_rules.EU - {"FR"}:
        assert Decimal(15) <= tax_rules.oss_rate(country, oss_rates(), DAY) <= Decimal(27)
    for department in tax_rules.OVERSEAS:
        assert tax_rules.oss_rate(department, oss_rates(), DAY) == Decimal("8.5")


GB = Decimal(10) ** 9
BYTES = st.integers(0, 10**15)


@given(BYTES, BYTES, st.decimals("0.0001", "10", places=4))
def test_traffic_is_charged_to_the_byte_and_rounded_once(used: int, included: int, price: Decimal) -> None:
    """SRV-5: nothing below the allowance; beyond it exactly bytes x price, rounded at the end."""
    rated = usage_rules.overage(used / GB, included / GB, price)
    over = max(0, used - included)
    assert rated.billable == over / GB
    exact = Decimal(over) * price / GB
    assert abs(Decimal(rated.net) / 100 - exact) <= Decimal("0.005")
    if used <= included:
        assert rated.net == 0


def test_each_gigabyte_begun_is_a_switch() -> None:
    used, included = Decimal("1000.000000001"), Decimal(1000)
    assert usage_rules.overage(used, included, Decimal("1.30")).net == 0
    assert usage_rules.overage(used, included, Decimal("1.30"), whole_units=True).net == 130
