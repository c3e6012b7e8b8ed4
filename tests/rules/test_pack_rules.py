"""What packs pay for, for any sequence of uses (OPR-9), and what remains to be billed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from invoicing.consuming import pack_rules, usage_rules
from invoicing.consuming.pack_rules import Held
from panel.core.calendars import paris_date, start_of_paris_day

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
LEFT = st.integers(0, 10**9)
INSTANTS = st.integers(0, 900 * 24).map(lambda hours: START + timedelta(hours=hours))


@st.composite
def held(draw: st.DrawFn) -> list[Held]:
    found = []
    for key in range(draw(st.integers(0, 5))):
        bought = draw(INSTANTS)
        found.append(
            Held(key, draw(LEFT), bought, bought + timedelta(days=draw(st.integers(0, 300))), draw(st.integers(1, 24)))
        )
    return found


@given(held(), INSTANTS, st.integers(0, 4 * 10**9))
def test_shares_take_what_there_is_and_no_more(packs: list[Held], at: datetime, wanted: int) -> None:
    parts = pack_rules.shares(packs, at, wanted)
    there = [one for one in packs if one.bought_at <= at <= one.expires_at]
    assert sum(parts.values()) == min(wanted, sum(one.left for one in there))
    by_key = {one.key: one for one in packs}
    assert all(0 < part <= by_key[key].left for key, part in parts.items())
    if parts:  # none that ends sooner holds anything back
        last = max(by_key[key].expires_at for key in parts)
        assert all(parts.get(one.key, 0) == one.left for one in there if one.expires_at < last)


@given(held(), INSTANTS)
def test_a_use_never_shortens_a_pack(packs: list[Held], at: datetime) -> None:
    for before, after in zip(packs, pack_rules.used(packs, at), strict=True):
        assert after.expires_at >= before.expires_at
        assert (after.used_at == max(before.used_at, at)) if before.covers(at) else after == before


def test_a_year_after_the_last_use() -> None:
    """To 24:00 Paris of the same day of the month a year later; of 29 February on the 28th."""
    assert pack_rules.expires_on(datetime(2026, 3, 10, 22, 59, tzinfo=UTC), 12) == date(2027, 3, 11)
    assert pack_rules.expires_on(datetime(2026, 3, 10, 23, 1, tzinfo=UTC), 12) == date(2027, 3, 12)  # Paris: the 11th
    assert pack_rules.expires_on(datetime(2028, 2, 29, 12, tzinfo=UTC), 12) == date(2029, 3, 1)


@given(st.integers(-400, 40), st.sets(st.sampled_from([30, 7])))
def test_each_notice_comes_once_and_none_is_left_out(ahead: int, told: set[int]) -> None:
    expires = date(2027, 3, 11)
    now = start_of_paris_day(date(2027, 3, 10) - timedelta(days=ahead)) + timedelta(hours=12)
    due = pack_rules.notice_due(expires, (30, 7), told, now)
    assert due is None or due not in told
    if ahead > 30:
        assert due is None
    if ahead <= 30 and not told:
        assert due == (30 if ahead > 7 else 7)
        kept = pack_rules.kept_until(expires, (30, 7), now)
        least = paris_date(max(start_of_paris_day(expires), kept or start_of_paris_day(expires)))
        assert least - paris_date(now) > timedelta(days=7)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=12), st.integers(0, 800),
    st.booleans(),
)  # fmt: skip
def test_what_packs_paid_for_takes_nothing_of_the_allowance(
    months: list[tuple[int, int]], allowance: int, carries: bool
) -> None:
    """OPR-8 and OPR-9 together: a month is billed as if only what no pack paid for had been used."""
    steps = usage_rules.tiers([{"up_to": "1000", "unit_price": "0.06"}, {"up_to": None, "unit_price": "0.045"}])
    quantities = [Decimal(max(pair)) for pair in months]
    prepaid = [Decimal(min(pair)) for pair in months]
    rest = [quantity - paid for quantity, paid in zip(quantities, prepaid, strict=True)]
    got = usage_rules.months(quantities, Decimal(allowance), steps, carries=carries, prepaid=prepaid)
    plain = usage_rules.months(rest, Decimal(allowance), steps, carries=carries)
    assert [one.net for one in got] == [one.net for one in plain]
    assert [(one.quantity, one.prepaid) for one in got] == list(zip(quantities, prepaid, strict=True))


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.lists(st.integers(0, 10**9), max_size=6))
def test_however_a_packs_price_is_cut_its_parts_add_up(price: int, bought: int, cuts: list[int]) -> None:
    steps = sorted({0, bought, *(one for one in cuts if one < bought)})
    parts = [pack_rules.price_of(price, bought, one, other - one) for one, other in pairwise(steps)]
    assert sum(parts) == price
    assert min(parts) >= 0


@given(st.integers(1, 10**9), st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_a_bank_takes_back_had_paid_for_as_many_units(units: int, price: int, returned: int) -> None:
    gone = pack_rules.lost(units, price, min(price, returned))
    assert 0 <= gone <= units
    assert pack_rules.lost(units, price, price) == units
    assert pack_rules.lost(units, 0, 0) == 0
