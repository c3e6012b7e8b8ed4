"""INV-10: each document has one channel and one way out; what is reported adds up."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.taxing import channel_rules, platform_rules, report_rules
from invoicing.taxing.channel_rules import E_INVOICING, E_REPORTING, NOWHERE
from invoicing.taxing.report_rules import Collected, Sold

DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(
    ("country", "is_business", "siren", "code", "net", "channel", "way"),
    [
        ("FR", True, "732829320", "S", 590, "B2B", E_INVOICING),
        ("MC", True, "732829320", "S", 590, "B2B", E_INVOICING),
        ("FR", True, "", "S", 590, "B2C", E_REPORTING),
        ("FR", False, "", "S", 590, "B2C", E_REPORTING),
        ("DE", True, "", "AE", 590, "B2BINT", E_REPORTING),
        ("DE", True, "", "S", 590, "B2CINT", E_REPORTING),
        ("DE", False, "", "S", 590, "B2CINT", E_REPORTING),
        ("CH", True, "", "O", 590, "B2BINT", E_REPORTING),
        ("CH", False, "", "O", 590, "B2CINT", E_REPORTING),
        ("FR", True, "732829320", "S", 0, "OUTOFSCOPE", NOWHERE),
    ],
)
def test_who_buys_decides_the_channel(
    country: str, is_business: bool, siren: str, code: str, net: int, channel: str, way: str
) -> None:
    found = channel_rules.channel(country=country, is_business=is_business, siren=siren, code=code, net=net)
    assert (found, channel_rules.way(found)) == (channel, way)


def test_the_channels_are_the_five_of_the_french_rules() -> None:
    assert set(channel_rules.WAYS) == {"B2B", "B2BINT", "B2C", "B2CINT", "OUTOFSCOPE"}
    ways = [channel_rules.of_way(way) for way in (E_INVOICING, E_REPORTING, NOWHERE)]
    assert sorted(sum(ways, ())) == sorted(channel_rules.WAYS)


@given(DAYS)
def test_ten_day_periods_tile_the_calendar(day: date) -> None:
    span = report_rules.period_of(day)
    assert span.start <= day < span.end
    assert span.start.day in (1, 11, 21)
    assert report_rules.period_of(span.last) == span
    assert report_rules.period_of(span.end).start == span.end
    assert (span.end - span.start).days in (8, 9, 10, 11)


@given(DAYS, st.integers(0, 100))
def test_every_period_is_found_once_however_late(first: date, days: int) -> None:
    until = first + timedelta(days=days)
    found = report_rules.periods(first, until)
    assert [span.start for span in found[1:]] == [span.end for span in found[:-1]]
    assert all(span.end <= until for span in found)
    if found:
        assert found[0] == report_rules.period_of(first)
        assert report_rules.period_of(found[-1].end).end > until


@given(
    st.lists(st.tuples(st.sampled_from([20, 10, 5]), st.integers(0, 10**7)), min_size=1, max_size=4),
    st.lists(st.integers(0, 100), min_size=1, max_size=6),
)
def test_instalments_of_a_document_add_up_to_its_rates(groups: list[tuple[int, int]], shares: list[int]) -> None:
    rows = [(Decimal(rate), total) for rate, total in groups]
    whole = sum(total for _rate, total in rows)
    cuts = sorted({whole * share // 100 for share in shares} | {0, whole})
    sums: dict[Decimal, int] = {}
    for before, after in pairwise(cuts):
        parts = report_rules.by_rate(rows, before, after - before)
        assert sum(parts.values()) == after - before
        for rate, part in parts.items():
            sums[rate] = sums.get(rate, 0) + part
    for rate in {rate for rate, _total in rows}:
        assert sums.get(rate, 0) == sum(total for found, total in rows if found == rate)


def test_sales_abroad_are_listed_and_private_ones_summed() -> None:
    day = date(2026, 3, 2)
    told = report_rules.sales([
        Sold("F1", day, "B2C", "S", Decimal(20), "FR", 590, 118),
        Sold("F2", day, "B2C", "S", Decimal(20), "FR", 1000, 200),
        Sold("A1", day, "B2C", "S", Decimal(20), "FR", -590, -118),
        Sold("F3", day, "B2CINT", "S", Decimal(19), "DE", 590, 112),
        Sold("F4", day, "B2BINT", "AE", Decimal(0), "DE", 590, 0, "DE136695976"),
    ])  # fmt: skip
    assert [(row["country"], row["documents"], row["net_cents"], row["vat_cents"]) for row in told["days"]] == [
        ("FR", 3, 1000, 200), ("DE", 1, 590, 112),
    ]  # fmt: skip
    assert [(row["number"], row["vat_number"], row["net_cents"]) for row in told["invoices"]] == [
        ("F4", "DE136695976", 590)
    ]


def test_collections_are_summed_by_day_and_rate() -> None:
    day = date(2026, 3, 2)
    told = report_rules.collections([
        Collected("F1", day, "B2C", {Decimal(20): 708, Decimal(10): 110}),
        Collected("F2", day, "B2C", {Decimal(20): -708}),
        Collected("F3", day, "B2BINT", {Decimal(20): 1200}),
    ])  # fmt: skip
    assert told["days"] == [
        {"day": "2026-03-02", "rate": "10", "cents": 110}, {"day": "2026-03-02", "rate": "20", "cents": 0},
    ]  # fmt: skip
    assert told["invoices"] == [{"number": "F3", "day": "2026-03-02", "rate": "20", "cents": 1200}]


@given(st.permutations([200, 201, 202, 203, 205]), st.lists(st.sampled_from([200, 201, 202]), max_size=3))
def test_order_and_repetition_of_statuses_do_not_matter(codes: list[int], again: list[int]) -> None:
    one_by_one = platform_rules.SENT
    for code in [*codes, *again]:
        one_by_one = platform_rules.state_after(one_by_one, [code])
    assert one_by_one == platform_rules.state_after(platform_rules.SENT, [*again, *codes]) == "accepted"


def test_what_is_final_stays() -> None:
    assert platform_rules.state_after("rejected", [200, 205]) == "rejected"
    assert platform_rules.state_after("delivered", [210]) == "refused"
    assert platform_rules.state_after("sent", [213]) == "rejected"
    assert platform_rules.state_after("sent", []) == "sent"
