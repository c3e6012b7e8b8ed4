"""The pure law of quotes, over many quotes."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.quoting import quote_rules
from invoicing.quoting.quote_rules import Offered
from invoicing.taxing.tax_rules import VatTreatment

FRANCE = VatTreatment("S", Decimal(20), "FR", "france")
SHARES = st.lists(st.integers(1, 100), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(net=st.integers(0, 10**9), weights=SHARES)
def test_stages_add_up_to_the_cent(net: int, weights: list[int]) -> None:
    nets = quote_rules.stage_nets(net, weights)
    assert sum(nets) == net
    assert all(part >= 0 for part in nets)


@given(percents=st.lists(st.integers(0, 100), max_size=5))
def test_stages_are_whole_exactly_at_a_hundred(percents: list[int]) -> None:
    assert quote_rules.stages_whole(percents) == (sum(percents) == 100 and 0 not in percents)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.decimals("0.001", 50, places=3), st.decimals(0, 900, places=4), st.sampled_from(("", "month"))),
        max_size=6,
    )
)
def test_sums_by_interval_are_the_sums_of_the_lines(rows: list[tuple[Decimal, Decimal, str]]) -> None:
    offered = [Offered("x", "x", quantity, price, interval) for quantity, price, interval in rows]
    sums = quote_rules.sums(offered, FRANCE)
    assert set(sums) == {interval for _, _, interval in rows}
    for interval, total in sums.items():
        nets = [quote_rules.line(one, FRANCE).net for one in offered if one.interval == interval]
        assert total.net == sum(nets)
        assert total.total == total.net + total.vat
