"""As the operator of a message platform I run on this panel by my terms and my catalogue alone: long messages count by
their parts (OPR-2), the year is paid in advance and what is left of a month is carried over (OPR-8), packs are used
first and end when my terms say (OPR-9)."""

from decimal import Decimal
from typing import Any

import pytest

from invoicing.consuming import usage
from invoicing.consuming.usage import Told
from invoicing.models import Consumption, UsageEvent
from panel import terms
from panel.core.errors import RuleViolation
from tests.support import relay
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TERMS: dict[str, dict[str, Any]] = {
    "OPR-2": {"source": "clause of long messages", "single": 160, "part": 153},
    "OPR-9": {"source": "clause of packs", "months": 6, "notice_days": [10]},
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    for version in terms.versions("say_digital"):
        for rule, numbers in TERMS.items():
            monkeypatch.setitem(version.table, rule, numbers)  # type: ignore[arg-type]
    return World("2026-01-31 10:00")


def test_messages_are_counted_by_their_parts_and_drawn_from_the_pack(world: World, shop: Shop) -> None:
    relay.messages(world, allowance=5, counter="sms", carries=True)
    relay.pack(6)
    alice = world.customer()
    sms = shop.buy(alice, "sms", "year")
    pack = shop.buy_pack(alice, "pack-6")
    world.advance(hours=1)
    lengths = [1, 160, 161, 306, 307, 459, 460]  # 1, 1, 2, 2, 3, 3, 4 units
    usage.record("relay", [Told(f"m{n}", sms.reference, "sms", Decimal(n), world.now) for n in lengths], now=world.now)
    assert list(UsageEvent.objects.order_by("quantity").values_list("millionths", flat=True)) == [
        one * 10**6 for one in (1, 1, 2, 2, 3, 3, 4)
    ]
    pack.refresh_from_db()
    assert pack.remaining == 0
    short = [Told(f"s{n}", sms.reference, "sms", Decimal(20), world.now) for n in range(10)]
    usage.record("relay", short, now=world.now)
    world.until(paris("2026-02-28 00:01"), sweeps=RENEW)
    assert relay.lines(sms) == [("invoice", "6", 0), ("invoice", "15", 90)]  # 26 - 6 - 5 at 0.06
    usage.record("relay", [Told("c", sms.reference, corrects="m460")], now=world.now)
    world.until(paris("2026-03-31 00:01"), sweeps=RENEW)
    pack.refresh_from_db()
    # what comes back returns to the pack as far as the pack had paid for it: m460 was told when it was empty
    assert (pack.remaining, relay.lines(sms)[-1]) == (0, ("credit_note", "1", 24))
    third = Consumption.objects.get(start=paris("2026-02-28 12:00").date(), number=0)
    assert third.allowance == 5  # the first month left nothing to carry


def test_a_pack_ends_when_these_terms_say(world: World, shop: Shop) -> None:
    relay.messages(world)
    relay.pack(6)
    alice = world.customer()
    pack = shop.buy_pack(alice, "pack-6")
    world.until(paris("2026-07-21 10:00"), sweeps=["invoicing.packs"])
    assert len(world.mails("pack_expires")) == 1
    world.until(paris("2026-08-01 00:01"), sweeps=["invoicing.packs"])
    pack.refresh_from_db()
    assert pack.closing == "expired"


def test_terms_that_do_not_count_parts_price_no_such_meter(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in terms.versions("say_digital"):
        monkeypatch.delitem(version.table, "OPR-2")  # type: ignore[arg-type]
    with pytest.raises(RuleViolation, match="do not say how a message is counted"):
        relay.messages(world, counter="sms")


def test_an_event_that_no_terms_can_count_is_refused(world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    relay.messages(world, counter="sms")
    sms = shop.buy(world.customer(), "sms")
    for version in terms.versions("say_digital"):
        monkeypatch.delitem(version.table, "OPR-2")  # type: ignore[arg-type]
    with pytest.raises(RuleViolation, match="do not say how a message is counted"):
        usage.record("relay", [Told("a", sms.reference, "sms", Decimal(5), world.now)], now=world.now)
