"""As an operator of prepaid packs I lose no unit and give none away, whatever is bought, used, taken back or told late
(OPR-9, OPR-8): used, left and expired are what was bought, and what remains is billed as a plain reckoning says."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from invoicing.consuming import pack_expiry, usage
from invoicing.consuming.usage import Told
from invoicing.models import Invoice, Pack, PackMovement, Subscription
from invoicing.renewing import billing
from invoicing.subscribing import kinds
from invoicing.subscribing.period_rules import MONTH, period_of
from panel.core.calendars import add_months, paris_date, start_of_paris_day
from tests.support import relay
from tests.support.shop import open_shop
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.long]
SIZES = (50, 300)
ALLOWANCE = 40


@dataclass
class Plain:
    """The reckoning of somebody with a pencil: whole units, one list of packs, one dictionary of uses."""

    packs: list[dict[str, Any]] = field(default_factory=list)
    uses: dict[str, tuple[datetime, int, list[tuple[int, int]]]] = field(default_factory=dict)
    expired: int = 0

    def end_of(self, pack: dict[str, Any]) -> datetime:
        end = start_of_paris_day(add_months(paris_date(pack["last"]), 12) + timedelta(days=1))
        return max(end, pack["kept"]) if pack["kept"] else end

    def use(self, key: str, at: datetime, units: int) -> None:
        here = [one for one in self.packs if one["at"] <= at <= self.end_of(one)]
        for pack in here:
            if pack["lapsed"] is not None:
                self.expired -= pack["lapsed"]
                pack["left"], pack["lapsed"] = pack["lapsed"], None
            pack["last"] = max(pack["last"], at)
        took = []
        for pack in sorted(here, key=lambda one: (self.end_of(one), one["at"], one["no"])):
            part = min(units, pack["left"])
            pack["left"] -= part
            units -= part
            took.append((pack["no"], part))
        self.uses[key] = (at, units, took)

    def take_back(self, key: str) -> None:
        for number, part in self.uses.pop(key)[2]:
            pack = self.packs[number]
            if pack["lapsed"] is None:
                pack["left"] += part
            else:
                pack["lapsed"] += part
                self.expired += part

    def sweep(self, now: datetime) -> None:
        for pack in self.packs:
            if pack["lapsed"] is not None:
                continue
            end = start_of_paris_day(add_months(paris_date(pack["last"]), 12) + timedelta(days=1))
            days = (paris_date(end) - timedelta(days=1) - paris_date(now)).days
            if pack["left"] and days <= 30 and pack["told"].get(end) is None:
                pack["told"][end] = 7 if days <= 7 else 30
                late = start_of_paris_day(paris_date(now) + timedelta(days=8))
                pack["kept"] = late if late > end else None
                continue
            if pack["left"] and days <= 7 and pack["told"][end] == 30 and paris_date(now) < paris_date(end):
                pack["told"][end] = 7
                continue
            if now > self.end_of(pack):
                pack["lapsed"], pack["left"] = pack["left"], 0
                self.expired += pack["lapsed"]

    def months(self, anchor: date) -> dict[date, int]:
        """What no pack paid for, by month."""
        found: dict[date, int] = {}
        for at, units, _took in self.uses.values():
            month = period_of(anchor, MONTH, paris_date(at)).start
            found[month] = found.get(month, 0) + units
        return found


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.sampled_from(SIZES)),
        st.tuples(st.just("use"), st.integers(0, 250), st.sampled_from([0, 0, 0, 5, 40, 380])),  # told days later
        st.tuples(st.just("take back"), st.integers(0, 20)),
        st.tuples(st.just("repeat"), st.integers(0, 20)),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 200, 340, 366])),
    ),
    min_size=3, max_size=14,
)  # fmt: skip


@settings(
    max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(STEPS, st.booleans())
@example(steps=[("buy", 50)] * 7 + [("use", 106, 0), ("wait", 340)], carries=False)
def test_used_left_and_expired_are_what_was_bought(steps: list[Any], carries: bool) -> None:
    with transaction.atomic():
        _tell(steps, carries=carries)
        transaction.set_rollback(True)


def _tell(steps: list[Any], *, carries: bool) -> None:
    world, plain = World("2026-01-31 10:00"), Plain()
    shop = open_shop(world)
    kinds._kinds["vps"] = kinds._kinds.get("vps", shop.service)
    relay.messages(world, allowance=ALLOWANCE, carries=carries)
    for size in SIZES:
        relay.pack(size)
    alice = world.customer()
    sms = shop.buy(alice, "sms", "year" if carries else "month")
    begun, number, told = world.now, 0, {}
    for step in steps:
        world.now += timedelta(hours=1)
        match step:
            case ("buy", size) if sum(one["at"] > world.now - timedelta(days=1) for one in plain.packs) < 4:
                # a person looks at whoever orders more in a day (SUB-4)
                shop.buy_pack(alice, f"pack-{size}")
                plain.packs.append({"no": len(plain.packs), "at": world.now, "last": world.now, "left": size,
                                    "lapsed": None, "told": {}, "kept": None, "size": size})  # fmt: skip
            case ("use", units, late):
                number += 1
                at = max(begun, world.now - timedelta(days=late))
                told[f"e{number}"] = Told(f"e{number}", sms.reference, "sms", Decimal(units), at)
                usage.record("relay", [told[f"e{number}"]], now=world.now)
                plain.use(f"e{number}", at, units)
            case ("take back", which) if plain.uses:
                key = sorted(plain.uses)[which % len(plain.uses)]
                usage.record("relay", [Told(f"c{key}", sms.reference, corrects=key)], now=world.now)
                plain.take_back(key)
            case ("repeat", which) if told:
                key = sorted(told)[which % len(told)]
                usage.record("relay", [told[key]], now=world.now)
            case ("wait", days):
                world.now += timedelta(days=days)
                billing.renew(world.now)
                pack_expiry.run(world.now)
                plain.sweep(world.now)
        _adds_up(plain)
    hashes = dict(Invoice.objects.values_list("number", "hash"))
    world.now = start_of_paris_day(add_months(paris_date(world.now), 3))
    billing.renew(world.now)
    assert hashes.items() <= dict(Invoice.objects.values_list("number", "hash")).items()
    assert _billed(sms) == _due(plain, sms, paris_date(begun), carries=carries)


def _adds_up(plain: Plain) -> None:
    moved = dict(PackMovement.objects.order_by().values_list("kind").annotate(sum=Sum("millionths")))
    used = -moved.get("drawn", 0) - moved.get("back", 0)
    expired = -moved.get("expired", 0) - moved.get("reopened", 0)
    packs = list(Pack.objects.order_by("pk"))
    left, bought = sum(one.remaining for one in packs), sum(one.bought for one in packs)
    assert used + left + expired == bought
    assert all(0 <= one.remaining <= one.bought for one in packs)
    assert [one.remaining // 10**6 for one in packs] == [one["left"] for one in plain.packs]
    assert expired // 10**6 == plain.expired


def _billed(sms: Subscription) -> int:
    return sum(cents if kind == "invoice" else -cents for kind, _quantity, cents in relay.lines(sms))


def _due(plain: Plain, sms: Subscription, anchor: date, *, carries: bool) -> int:
    """Month by month with a pencil: the allowance, what is carried within the year, the two prices."""
    used, sum_, carried = plain.months(anchor), 0, 0
    for number in range(12 * 14):
        month = add_months(anchor, number)
        if not carries or number % 12 == 0:
            carried = 0
        units, free = used.get(month, 0), ALLOWANCE + carried
        beyond = max(0, units - free)
        carried = max(0, free - units)
        sum_ += 6 * min(beyond, 1000) + int(Decimal("4.5") * max(0, beyond - 1000) + Decimal("0.5"))
    return sum_


def test_a_pencil_reckons_what_a_story_says() -> None:
    """The reckoning itself, once by hand: 300 bought, 250 used, taken back in part, a year passes."""
    with transaction.atomic():
        steps = [
            ("buy", 300),
            ("use", 250, 0),
            ("use", 250, 0),
            ("take back", 0),
            ("wait", 340),
            ("wait", 20),
            ("wait", 20),
        ]
        _tell(steps, carries=False)
        moved = list(PackMovement.objects.order_by("pk").values_list("kind", "millionths"))
        assert moved == [("drawn", -250 * 10**6), ("drawn", -50 * 10**6), ("back", 250 * 10**6),
                         ("expired", -250 * 10**6)]  # fmt: skip
        # 250 used in February, 50 of it from the pack: 200 - 40 at 0.06
        assert _billed(Subscription.objects.get()) == 960
        transaction.set_rollback(True)
