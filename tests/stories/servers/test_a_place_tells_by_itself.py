"""As a customer I see at once what happened to my server where its place tells of it; whatever it tells, twice, late,
forged, replayed, before its own answer or never, the panel believes only what it then reads there (SRV-12)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from panel.core import clock, operations
from panel.core.models import Event, Operation
from servers import monitoring, reconcile
from servers.models import CloudPush, Discrepancy, Server
from servers.providers.simulated.control import Control
from servers.pushes import push_rules, pushes
from tests.support.machines import server_of, simulated_place, subscribe
from tests.support.world import World

pytestmark = pytest.mark.django_db

SECRET = "s3cret-of-the-place"
URL = "/hooks/cloud/sim-1/"


@pytest.fixture
def cloud(tmp_path: Path) -> Any:
    with simulated_place(tmp_path, push_secret=SECRET) as control:
        yield control


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(clock, "now", lambda: world.now)
    return world


def sent(world: World, raw: bytes, *, secret: str = SECRET, ago: int = 0, url: str = URL) -> int:
    header = push_rules.signature(secret, raw, world.now - timedelta(seconds=ago))
    return int(
        Client().post(url, raw, content_type="application/json", headers={push_rules.HEADER: header}).status_code
    )  # fmt: skip


def of(server: Server, event: str = "e1", **more: Any) -> bytes:
    return json.dumps({"id": event, "ref": server.provider_ref, "kind": "machine.off", **more}).encode()


def running(world: World, cloud: Control) -> Server:
    server = server_of(world, world.customer())
    monitoring.watch(world.now)
    cloud.pushes()
    return server


def now(server: Server) -> Server:
    return Server.objects.get(pk=server.pk)


def test_a_power_cut_shows_as_soon_as_its_place_tells_of_it(world: World, cloud: Control) -> None:
    server = running(world, cloud)
    cloud.cut_power(server.provider_ref)
    (message,) = cloud.pushes()
    assert cloud.pushes() == [], "each is told once"
    assert sent(world, message) == 200
    assert now(server).power == "on", "it is acknowledged before anything is done"
    world.work()
    assert (now(server).power, now(server).state) == ("off", "stopped")
    assert Event.objects.filter(kind="servers.server.went_off", account_id=server.account_id).count() == 1


def test_twice_and_replayed_it_is_kept_and_acted_upon_once(world: World, cloud: Control) -> None:
    server = running(world, cloud)
    cloud.cut_power(server.provider_ref)
    (message,) = cloud.pushes()
    assert [sent(world, message) for _ in range(2)] == [200, 200]
    world.work()
    world.advance(minutes=4)
    assert sent(world, message, ago=240) == 200
    world.work()
    assert CloudPush.objects.count() == Operation.objects.filter(kind="servers.pushed").count() == 1
    world.advance(minutes=4)
    assert sent(world, message, ago=480) == 400, "the signature is of then"


def test_one_that_comes_late_changes_nothing_that_is_not_so(world: World, cloud: Control) -> None:
    server = running(world, cloud)
    assert sent(world, of(server)) == 200, "it was off, says the message; it is on, says the place"
    world.work()
    assert (now(server).power, now(server).state) == ("on", "running")
    assert Event.objects.filter(kind="servers.server.went_off").count() == 0


@pytest.mark.parametrize("why", ["signature", "secret", "age", "future", "bytes", "nothing", "words"])
def test_a_message_that_is_not_the_places_is_refused_and_staff_sees_it_once(
    world: World, cloud: Control, why: str
) -> None:
    server = running(world, cloud)
    cloud.cut_power(server.provider_ref)
    raw = of(server)
    header = {
        "signature": "t=1,v1=00", "secret": push_rules.signature("another", raw, world.now),
        "age": push_rules.signature(SECRET, raw, world.now - timedelta(seconds=301)),
        "future": push_rules.signature(SECRET, raw, world.now + timedelta(seconds=302)),
        "bytes": push_rules.signature(SECRET, raw + b" ", world.now), "nothing": "",
        "words": push_rules.signature(SECRET, b"[]", world.now),
    }[why]  # fmt: skip
    body = b"[]" if why == "words" else raw
    for _ in range(3):
        answer = Client().post(
            URL, body, content_type="application/json", headers={push_rules.HEADER: header}
        )  # fmt: skip
        assert answer.status_code == 400
    world.work()
    assert (now(server).power, CloudPush.objects.count()) == ("on", 0)
    finding = Discrepancy.objects.get()
    assert (finding.kind, finding.ref) == ("push", "sim-1")
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    reconcile.reconcile(world.now)
    assert Discrepancy.objects.get(pk=finding.pk).resolved_at is None, "no comparison of machines ends it"
    pushes.forget(world.now + timedelta(days=1, seconds=1))
    assert Discrepancy.objects.get(pk=finding.pk).resolved_at is not None


def test_however_many_are_refused_their_finding_is_written_once_a_minute(world: World, cloud: Control) -> None:
    def forged(word: bytes = b"{}") -> None:
        with pytest.raises(push_rules.Refused):
            pushes.receive("sim-1", word, {}, now=world.now)

    forged()
    first = Discrepancy.objects.get()
    for _ in range(5):
        world.advance(seconds=10)
        with CaptureQueriesContext(connection) as asked:
            forged(b'{"other": "words"}')
        assert [one["sql"].split()[0] for one in asked.captured_queries] == ["SELECT"]
    assert Discrepancy.objects.get().last_seen == first.last_seen
    world.advance(seconds=10)
    forged()
    assert Discrepancy.objects.get().last_seen == world.now, "after a minute it is seen again"
    Discrepancy.objects.update(resolved_at=world.now)
    forged()
    assert Discrepancy.objects.filter(resolved_at=None).count() == 1, "one that is over is no reason to be silent"


@pytest.mark.parametrize("where", ["id", "ref", "kind"])
@pytest.mark.parametrize("words", ["a\0b", "\ud800"])
def test_words_that_no_database_keeps_are_refused_and_not_asked_for_again(
    world: World, cloud: Control, where: str, words: str
) -> None:
    assert sent(world, json.dumps({"id": "e1", "ref": "m1", "kind": "on", where: words}).encode()) == 400
    assert (CloudPush.objects.count(), Discrepancy.objects.get().kind) == (0, "push")


def test_it_may_come_before_the_answer_to_the_creation(world: World, cloud: Control) -> None:
    cloud.plan("create", "lost")
    subscription = subscribe(world, world.customer())
    operations.run_due(world.now)
    server = Server.objects.get(subscription=subscription)
    assert (server.state, server.provider_ref) == ("creating", "")
    creation = Operation.objects.get(kind="servers.create")
    assert creation.due_at is not None
    assert creation.due_at > world.now
    raw = json.dumps({"id": "e1", "ref": cloud.refs()[0], "kind": "machine.on"}).encode()
    assert sent(world, raw) == 200
    world.work()
    assert now(server).state == "running", "without waiting for the pause after the error"
    assert len(cloud.refs()) == 1


def test_one_that_never_comes_costs_only_time(world: World, cloud: Control) -> None:
    server = running(world, cloud)
    cloud.cut_power(server.provider_ref)
    cloud.pushes()  # lost
    world.advance(seconds=15)
    monitoring.watch(world.now)
    assert now(server).state == "stopped"


def test_while_something_is_under_way_it_disturbs_nothing(world: World, cloud: Control) -> None:
    from servers.rules import Verb
    from servers.verbs import power

    world_customer = world.customer()
    server = server_of(world, world_customer)
    power.request(server, Verb.CUT, actor=world_customer.actor, now=world.now)
    cloud.cut_power(server.provider_ref)
    for number in range(3):
        assert sent(world, of(server, f"e{number}")) == 200
    world.work()
    assert (now(server).state, server.actions.get(verb="cut").state) == ("stopped", "done")
    assert world.failed_operations() == []


def test_machines_and_places_that_nobody_knows(world: World, cloud: Control) -> None:
    assert sent(world, b'{"id": "e1", "ref": "nobody"}') == 200
    world.work()
    assert Operation.objects.get(kind="servers.pushed").result == {"nobody": True}
    assert sent(world, b"{}", url="/hooks/cloud/elsewhere/") == 404
    assert Client().get(URL).status_code == 405
    assert sent(world, b"x" * (push_rules.LARGEST + 1)) == 413
    assert Discrepancy.objects.count() == 0


def test_a_place_that_is_out_of_order_just_then_is_asked_again(world: World, cloud: Control) -> None:
    server = running(world, cloud)
    cloud.cut_power(server.provider_ref)
    cloud.plan("get", "transient")
    sent(world, of(server))
    world.work()
    assert now(server).power == "on"
    world.advance(seconds=10)
    assert now(server).power == "off"


def test_old_messages_go(world: World, cloud: Control) -> None:
    sent(world, b'{"id": "e1", "ref": "nobody"}')
    pushes.forget(world.now + timedelta(days=29))
    assert CloudPush.objects.count() == 1
    assert pushes.forget(world.now + timedelta(days=31)).done == 1
    assert CloudPush.objects.count() == 0
