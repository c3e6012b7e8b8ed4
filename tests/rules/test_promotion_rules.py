"""What a promotional code takes off, for any amounts (SUB-2)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.offering import promotion_rules
from invoicing.offering.promotion_rules import ALWAYS, Asked, Promise
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import ItemVat, VatTreatment
from panel.core.money import euros, round_cents

NETS = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=6)
PROMISES = st.one_of(
    st.builds(Promise, code=st.just("X"), percent=st.decimals(Decimal("0.01"), 100, places=2), cents=st.just(0)),
    st.builds(Promise, code=st.just("X"), percent=st.none(), cents=st.integers(1, 10_000_000)),
)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
FINE = Asked(
    now=START, starts=START, ends=START + timedelta(days=1), switched_off=False, uses=0, most_uses=1, own_uses=0,
    most_own_uses=1, new_only=True, is_new=True, minimum=500, net=500, covers=True,
)  # fmt: skip


@given(PROMISES, NETS)
def test_never_more_than_there_is_and_rounded_once(promise: Promise, nets: list[int]) -> None:
    off = promotion_rules.taken_off(promise, nets)
    assert all(0 <= part <= net for part, net in zip(off, nets, strict=True))
    base = sum(nets)
    wanted = promise.cents if promise.percent is None else round_cents(euros(base) * promise.percent / 100)
    assert sum(off) == min(wanted, base)


@given(PROMISES)
def test_a_promise_survives_being_kept(promise: Promise) -> None:
    assert promotion_rules.promise(promise.as_dict()) == promise


@pytest.mark.parametrize(("periods", "covered"), [(1, [0]), (3, [0, 1, 2]), (ALWAYS, [0, 1, 2, 3, 400])])
def test_how_many_periods_it_covers(periods: int, covered: list[int]) -> None:
    promise = Promise("X", Decimal(10), 0, periods)
    found = [number for number in (0, 1, 2, 3, 400) if promotion_rules.holds(promise, "vps-s", "month", number)]
    assert found == covered


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, None), ({"switched_off": True}, "not_now"), ({"now": START - timedelta(microseconds=1)}, "not_now"),
        ({"now": START + timedelta(days=1)}, "not_now"), ({"covers": False}, "not_here"), ({"uses": 1}, "used_up"),
        ({"own_uses": 1}, "used_by_you"), ({"is_new": False}, "new_only"), ({"net": 499}, "minimum"),
        ({"ends": None, "most_uses": None, "most_own_uses": None, "new_only": False, "is_new": False}, None),
    ],
)  # fmt: skip
def test_who_may_use_it(changed: dict[str, object], why: str | None) -> None:
    asked = {name: getattr(FINE, name) for name in FINE.__dataclass_fields__} | changed
    assert promotion_rules.refusal(Asked(**asked)) == why  # type: ignore[arg-type]


FRANCE = VatTreatment("S", Decimal(20), "FR", "france")
GERMANY = VatTreatment("S", Decimal(19), "DE", "oss")
ABROAD = VatTreatment("O", Decimal(0), "US", "outside_eu")
REVERSE = VatTreatment("AE", Decimal(0), "DE", "reverse_charge")


@pytest.mark.parametrize(
    ("general", "item", "code", "rate"),
    [
        (FRANCE, ItemVat(), "S", 20), (FRANCE, ItemVat("reduced", Decimal("5.5")), "S", Decimal("5.5")),
        (GERMANY, ItemVat("reduced", Decimal("5.5")), "S", 19), (REVERSE, ItemVat("reduced", Decimal("5.5")), "AE", 0),
        (FRANCE, ItemVat("exempted", reason="VATEX-EU-132-1I"), "E", 0), (FRANCE, ItemVat("outside"), "O", 0),
        (ABROAD, ItemVat("exempted", reason="VATEX-EU-132-1I"), "O", 0), (REVERSE, ItemVat("outside"), "O", 0),
    ],
)  # fmt: skip
def test_the_vat_of_a_thing(general: VatTreatment, item: ItemVat, code: str, rate: object) -> None:
    own = tax_rules.of_item(general, item)
    assert (own.code, own.rate) == (code, rate)
    assert bool(tax_rules.exemption(own)) == (item.category in ("exempted", "outside") and own is not general)


def test_what_is_outside_vat_stands_alone() -> None:
    assert tax_rules.inseparable(["S", "E", "AE"])
    assert tax_rules.inseparable(["O", "O"])
    assert not tax_rules.inseparable(["O", "S"])
