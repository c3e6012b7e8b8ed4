"""As the provider I count the readings of thousands of servers at once, and to the byte as if they came one by one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from panel.core.models import Event, MailMessage
from servers import handing_over, metering
from servers.models import DoubtfulReading, Meter, Server, TrafficHour, TrafficMonth, TrafficReading
from servers.providers import Counters
from servers.providers.simulated.control import Control
from servers.traffic import in_bulk
from servers.traffic.in_bulk import Taken
from tests.support.machines import GB, server_of
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
LINK = 10**9


@dataclass(frozen=True)
class Look:
    """One reading: after how many seconds (fewer than none: late), what was carried, and what befell the counter."""

    server: int
    seconds: int
    rx: int
    tx: int
    fate: str


@dataclass(frozen=True)
class Turn:
    """Something that happens between two batches."""

    what: str
    server: int


class Life:
    """Counters as a script of looks has them, and how they are brought in."""

    def __init__(self, servers: list[Server], bob: Customer, began: datetime) -> None:
        self.servers, self.bob, self.now = [row.pk for row in servers], bob, began
        self.at = dict.fromkeys(self.servers, began)
        self.counter = dict.fromkeys(self.servers, (0, 0))
        self.epoch = dict.fromkeys(self.servers, 0)

    def looked_at(self, look: Look) -> tuple[int, Counters]:
        pk = self.servers[look.server]
        rx, tx = (held + more for held, more in zip(self.counter[pk], (look.rx, look.tx), strict=True))
        at = self.at[pk] + timedelta(seconds=look.seconds, microseconds=look.rx % 1000)
        width, from_zero = 64, True
        match look.fate:
            case "reset":
                rx, tx, from_zero = look.rx, look.tx, look.rx % 2 == 0
            case "new epoch" | "strange epoch":
                self.epoch[pk] += 1
                rx, tx, from_zero = look.rx, look.tx, look.fate == "new epoch"
            case "wrap":
                rx, width = rx % 2**20, 32
            case "absurd":
                rx += 10**15
            case "glitch" | "glitch of one side":  # its counter is not there at the next look
                if at > self.at[pk]:
                    self.at[pk], self.counter[pk] = at, (rx, tx)
                rx, tx = rx + 2**50, tx + 2**50 * (look.fate == "glitch")
            case "again":
                at = self.at[pk]
        if at > self.at[pk]:
            self.at[pk], self.counter[pk] = at, (rx, tx)
        self.now = max(self.now, at)
        return pk, Counters(f"one\\{self.epoch[pk]}", rx, tx, at, link_bps=LINK, width=width, from_zero=from_zero)

    def happens(self, turn: Turn) -> None:
        server = Server.objects.select_related("subscription").get(pk=self.servers[turn.server])
        match turn.what:
            case "handed over":
                server.subscription.account = self.bob.account
                server.subscription.save(update_fields=["account"])
                handing_over.hand_over(server.subscription, now=self.now)
            case "closed":
                Meter.objects.filter(server=server).update(closed_at=self.now)
            case "own warning":
                Server.objects.filter(pk=server.pk).update(warn_percent=7)
            case "other anchor":
                day = server.subscription.anchor_on + timedelta(days=9)
                type(server.subscription).objects.filter(pk=server.subscription_id).update(anchor_on=day)


Bring = Callable[[list[tuple[int, Counters]], datetime], None]


def singly(some: list[tuple[int, Counters]], now: datetime) -> None:
    for pk, read in sorted(some, key=lambda one: one[1].at):
        metering.record(Server.objects.select_related("subscription", "account").get(pk=pk), read, now=now)


def by_the_set(some: list[tuple[int, Counters]], now: datetime) -> None:
    said = {
        row.pk: (row.subscription.anchor_on, row.subscription.terms_version, row.warn_percent)
        for row in Server.objects.select_related("subscription")
    }
    report = in_bulk.ingest([Taken(pk, *said[pk], read) for pk, read in some], now=now)
    assert (report.done, report.failed) == (len(some), {})


def rows() -> dict[str, list[Any]]:
    """Everything that readings leave behind, without what numbers it."""

    def all_of(model: Any, *left_out: str) -> list[Any]:
        names = [field.attname for field in model._meta.concrete_fields if field.name not in {"id", *left_out}]
        return sorted(model.objects.values_list(*names), key=repr)

    told = Event.objects.filter(kind__in=("servers.traffic.warned", "servers.meter.implausible"))
    return {
        "meters": all_of(Meter), "readings": all_of(TrafficReading), "hours": all_of(TrafficHour),
        "months": all_of(TrafficMonth), "doubts": all_of(DoubtfulReading),
        "events": sorted(
            (row.at, row.kind, row.account_id, row.subject_id, row.data.get("percent"), row.data.get("claimed"))
            for row in told
        ),
        "mails": sorted(MailMessage.objects.filter(template="servers/traffic").values_list("key", "account_id")),
    }  # fmt: skip


def lived(batches: Iterable[tuple[list[Look], list[Turn]]], life: Life, bring: Bring) -> dict[str, list[Any]]:
    """What is left of a script; taken back afterwards."""
    with transaction.atomic():
        for looks, turns in batches:
            bring([life.looked_at(look) for look in looks], life.now)
            for turn in turns:
                life.happens(turn)
        found = rows()
        transaction.set_rollback(True)
    return found


amounts = st.one_of(st.just(0), st.integers(0, 10**6), st.integers(0, 3 * GB))
befalls = ["reset", "new epoch", "strange epoch", "wrap", "absurd", "glitch", "glitch of one side", "again"]
fates = st.sampled_from([*["grows"] * 8, *befalls])
gaps = st.one_of(st.integers(300, 2400), st.integers(300, 2400), st.integers(-900, 4000), st.integers(3600, 90_000))
looks = st.builds(Look, st.integers(0, 2), gaps, amounts, amounts, fates)
turns = st.builds(
    Turn, st.sampled_from(["handed over", "closed", "own warning", "other anchor", "nothing"]), st.integers(0, 2)
)
scripts = st.lists(st.tuples(st.lists(looks, min_size=1, max_size=6), st.lists(turns, max_size=1)), max_size=4)


def test_to_the_byte_as_one_by_one(cloud: Control) -> None:
    world = World("2026-03-02 09:00")
    alice, bob = world.customer(), world.customer("Bob")
    servers = [server_of(world, alice, name=f"web-{number}") for number in range(3)]
    Server.objects.filter(pk=servers[1].pk).update(included_bytes=20 * GB)
    Server.objects.filter(pk=servers[2].pk).update(included_bytes=0)
    world.until(paris("2026-04-01 23:40"))  # the anchor day's midnight lies ahead

    @settings(
        max_examples=20,
        suppress_health_check=[HealthCheck.too_slow],
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @example(
        [([Look(0, 300, 5000, 5000, "grows")], []), ([Look(0, 300, 1000, 7, "reset"), Look(0, 600, 9, 9, "grows")], [])]
    )
    @example(
        [([Look(0, 300, 5000, 5000, "grows")], []), ([Look(0, 300, 9, 9, "glitch"), Look(0, 600, 9, 9, "grows")], [])]
    )
    @given(scripts)
    def same(script: list[tuple[list[Look], list[Turn]]]) -> None:
        one, other = (lived(script, Life(servers, bob, world.now), bring) for bring in (singly, by_the_set))
        assert one == other

    same()


def brought(world: World, server: Server, rx: int, *, seconds: int) -> in_bulk.Ingested:
    read = Counters("one", rx, 0, world.now + timedelta(seconds=seconds), link_bps=LINK)
    row = Server.objects.select_related("subscription").get(pk=server.pk)
    said = (row.subscription.anchor_on, row.subscription.terms_version, row.warn_percent)
    return in_bulk.ingest([Taken(server.pk, *said, read)], now=read.at)


@pytest.mark.parametrize("bring", [singly, by_the_set])
def test_a_glitch_is_not_charged_by_either_way(cloud: Control, bring: Bring) -> None:
    """30 GB, then an absurd value, then one kilobyte more: what was counted is not counted again as a reset."""
    world = World("2026-03-02 09:00")
    server = server_of(world, world.customer())
    steps = [(0, 0), (30 * GB, 30 * GB), (2**50, 30 * GB), (30 * GB + 1000, 30 * GB + 5), (900, 30 * GB + 10)]
    for number, (rx, tx) in enumerate(steps):
        at = world.now + timedelta(hours=number + 1)
        bring([(server.pk, Counters("one", rx, tx, at, link_bps=LINK))], at)
    month = TrafficMonth.objects.get(server=server)
    assert (month.rx_bytes, month.tx_bytes) == (30 * GB + 1000 + 900, 30 * GB + 10)
    assert DoubtfulReading.objects.count() == 1


def test_what_is_ordinary_takes_as_many_questions_for_many_as_for_few(cloud: Control, count_of: Any) -> None:
    world = World("2026-03-02 09:00")
    alice = world.customer()
    servers = [server_of(world, alice, name=f"web-{number}") for number in range(6)]
    for server in servers:
        brought(world, server, 0, seconds=60)

    def batch(many: int, seconds: int) -> list[Taken]:
        at = world.now + timedelta(seconds=seconds)
        rows = Server.objects.select_related("subscription").filter(pk__in=[one.pk for one in servers[:many]])
        return [
            Taken(row.pk, row.subscription.anchor_on, row.subscription.terms_version, None,
                  Counters("one", seconds, seconds, at, link_bps=LINK))
            for row in rows
        ]  # fmt: skip

    asked = [
        count_of(partial(in_bulk.ingest, batch(many, 60 + 60 * many), now=world.now)) for many in (2, 6)
    ]  # fmt: skip
    assert asked[0] == asked[1]
    assert TrafficMonth.objects.filter(rx_bytes=420).count() == 6


@pytest.fixture
def count_of() -> Callable[[Callable[[], Any]], int]:
    from django.test.utils import CaptureQueriesContext

    def count(deed: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert deed().singly == 0
        return len(captured)

    return count
