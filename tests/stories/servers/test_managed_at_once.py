"""As a customer my managed server is gone over by one hand at a time, however many workers there are (SRV-9)."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from panel.core import operations
from panel.core.actors import CLOCK
from panel.core.models import Operation
from servers import places
from servers.managing import playbooks, runs
from servers.managing.playbooks import Outcome
from servers.models import ManagedRun, ManagedService
from servers.providers.simulated.control import Control
from tests.support.crowd import at_once
from tests.support.machines import server_of
from tests.support.world import World

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


def work_slowly(world: World) -> None:
    """A worker that hesitates just before it says which run goes on."""

    def hesitate(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if sql.startswith('UPDATE "servers_managedrun" SET "state"'):
            time.sleep(0.4)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(hesitate):
        operations.run_due(world.now)


@pytest.fixture
def under_way(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs went on whenever one began."""
    going, seen = list[str](), list[int]()

    def play(_target: object, playbook: str, _words: object, **_more: object) -> Outcome:
        going.append(playbook)
        seen.append(len(going))
        time.sleep(0.6)
        going.remove(playbook)
        return Outcome(ok=1)

    monkeypatch.setattr(playbooks, "play", play)
    monkeypatch.setattr(places, "is_simulated", lambda _place: False)
    return seen


def managed_service(world: World) -> ManagedService:
    """Of a server that is set up already."""
    server_of(world, world.customer(), options={"vps-managed": 1})
    for _ in range(3):
        world.advance(seconds=20)
    return ManagedService.objects.select_related("server").get()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_runs_of_one_server_never_go_on_together(cloud: Control, under_way: list[int], settings: Any) -> None:
    settings.CLAUSE_MANAGED_AT_ONCE = 4
    world = World("2026-03-02 09:00")
    service = managed_service(world)
    under_way.clear()
    with transaction.atomic():
        for kind in ManagedRun.Kind:
            runs.begin(service, kind, actor=CLOCK, now=world.now)
    at_once(lambda: work_slowly(world), 2)
    world.advance(seconds=runs.LATER)
    assert under_way == [1, 1]
    assert not ManagedRun.objects.exclude(state="done").exists()
    assert world.failed_operations() == []


@pytest.mark.django_db
def test_who_waits_for_a_hand_asks_the_less_often_the_more_wait_before(
    cloud: Control, under_way: list[int], settings: Any
) -> None:
    settings.CLAUSE_MANAGED_AT_ONCE = 2
    world = World("2026-03-02 09:00")
    service = managed_service(world)
    before = [
        ManagedRun(server=server_of(world, world.customer(f"C{n}"), name=f"web-{n}"), account=service.account,
                   kind="patches", actor_kind="system", asked_at=world.now)
        for n in range(4)
    ]  # fmt: skip
    ManagedRun.objects.bulk_create(before)
    with transaction.atomic():
        run = runs.begin(service, ManagedRun.Kind.PATCHES, actor=CLOCK, now=world.now)
    for number in range(2):  # as if workers carried them out just now
        Operation.objects.create(
            kind=runs.GoOver.kind, key=f"other:{number}", state="running", created_at=world.now, due_at=world.now,
            lease_until=world.now + timedelta(hours=1), attempts=1,
        )  # fmt: skip

    def asks_again_in() -> float:
        operation = Operation.objects.filter(key=f"{runs.GoOver.kind}:{run.pk}")
        operation.update(due_at=world.now)
        world.work()
        again = operation.get().due_at
        assert again is not None
        return (again - world.now).total_seconds()

    assert asks_again_in() == 3 * runs.LATER, "two rounds of two come first"
    ManagedRun.objects.filter(pk__in=[one.pk for one in before[1:]]).update(state="done")
    assert asks_again_in() == runs.LATER
    settings.CLAUSE_MANAGED_AT_ONCE = 0
    assert asks_again_in() == 2 * runs.LATER
