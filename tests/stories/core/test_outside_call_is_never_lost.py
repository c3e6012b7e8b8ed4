"""As the provider I want every outside call carried out once, retried, and, when it cannot be done, shown to staff."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.db import OperationalError, transaction

from panel.core import clock, operations
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Attempt, Operation
from tests.support.world import World

pytestmark = pytest.mark.django_db


class Cloud(operations.Handler):
    """A place where a deed may take effect although its answer is lost."""

    kind = "test.cloud"
    label = "Do something outside"
    max_attempts = 3
    script: ClassVar[list[str]] = []
    effects: ClassVar[list[str]] = []
    closed: ClassVar[list[str]] = []

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        match self.script.pop(0) if self.script else "works":
            case "fails":
                raise ProviderError("out of order")
            case "refuses":
                raise ProviderError("never", permanent=True)
            case "answer lost":
                self.effects.append(op.key)
                raise ProviderError("timed out")
            case "busy":
                raise NotYet(30)
        self.effects.append(op.key)
        return {"ref": "node-1"}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        return {"ref": "node-1"} if op.key in self.effects else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        self.closed.append("completed")

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        self.closed.append("gave up")


@pytest.fixture(autouse=True)
def _cloud() -> Iterator[None]:
    Cloud.script, Cloud.effects, Cloud.closed = [], [], []
    operations.register(Cloud)
    yield
    del operations.HANDLERS[Cloud.kind]


def enqueue(world: World, key: str = "one") -> Operation:
    with transaction.atomic():
        return operations.enqueue(Cloud.kind, key=key, now=world.now)


def test_the_same_key_is_one_deed() -> None:
    world = World()
    assert enqueue(world).pk == enqueue(world).pk
    world.work()
    assert (Cloud.effects, Cloud.closed) == (["one"], ["completed"])


def test_a_lost_answer_is_asked_after_and_not_done_again() -> None:
    world, Cloud.script = World(), ["answer lost"]
    op = enqueue(world)
    world.work()
    world.advance(minutes=1)
    op.refresh_from_db()
    assert (op.state, Cloud.effects, op.result) == ("done", ["one"], {"ref": "node-1"})
    assert list(op.tries.values_list("outcome", flat=True)) == ["error", "happened"]


def test_it_gives_up_into_the_staffs_queue_and_can_be_retried() -> None:
    world, Cloud.script = World(), ["fails"] * 3
    op = enqueue(world)
    for _ in range(3):
        world.advance(hours=2)
    op.refresh_from_db()
    assert (op.state, op.last_error, Cloud.closed) == ("failed", "out of order", ["gave up"])
    operations.retry(op.pk, now=world.now)
    world.work()
    op.refresh_from_db()
    assert (op.state, Cloud.effects) == ("done", ["one"])


def test_what_can_never_work_is_not_tried_again() -> None:
    world, Cloud.script = World(), ["refuses"]
    op = enqueue(world)
    world.advance(hours=5)
    op.refresh_from_db()
    assert (op.state, op.attempts) == ("failed", 1)


def test_waiting_for_a_busy_provider_costs_no_attempt() -> None:
    world, Cloud.script = World(), ["busy"] * 10
    op = enqueue(world)
    for _ in range(11):
        world.advance(seconds=31)
    op.refresh_from_db()
    assert (op.state, op.failures) == ("done", 0)


def test_a_worker_that_died_is_followed_by_another_that_asks_first() -> None:
    world = World()
    op = enqueue(world)
    claimed = operations._claim(world.now, None)
    assert claimed is not None
    Cloud.effects.append("one")  # it had reached the cloud when it died
    world.advance(seconds=1)
    assert Operation.objects.get(pk=op.pk).state == "running"
    world.advance(minutes=5)
    assert Operation.objects.get(pk=op.pk).state == "done"
    assert Cloud.effects == ["one"]
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["lost", "happened"]


def test_a_worker_that_lost_its_lease_cannot_close_anothers_attempt() -> None:
    world = World()
    enqueue(world)
    slow = operations._claim(world.now, None)
    assert slow is not None
    world.advance(minutes=5)
    operations._close_failed(slow, Cloud(), ProviderError("too late", permanent=True), now=world.now)
    assert Operation.objects.get(pk=slow.pk).state == "done"


def test_what_kills_its_workers_reaches_staff() -> None:
    world = World()
    op = enqueue(world)
    for _ in range(Cloud.max_attempts):
        assert operations._claim(world.now, None) is not None, "and the worker dies"
        world.now += timedelta(minutes=5)
    world.work()
    op.refresh_from_db()
    assert (op.state, Cloud.effects, Cloud.closed) == ("failed", [], ["gave up"])
    assert "the last worker died" in op.last_error
    operations.retry(op.pk, now=world.now)
    world.work()
    assert Operation.objects.get(pk=op.pk).state == "done", "a person may try again"


def test_outside_a_transaction_it_is_refused(transactional_db: None) -> None:
    with pytest.raises(RuntimeError):
        operations.enqueue(Cloud.kind, key="loose", now=World().now)


def test_the_pause_grows_to_an_hour() -> None:
    assert operations.pause_after(1) < timedelta(seconds=7)
    assert timedelta(minutes=40) < operations.pause_after(30) <= timedelta(minutes=72)


@pytest.mark.django_db(transaction=True)
def test_a_long_call_keeps_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LEASE", timedelta(seconds=0.6))
    held: list[bool] = []

    def long_call(self: Cloud, op: Operation, *, now: datetime) -> dict[str, Any]:
        time.sleep(1.2)
        lease = Operation.objects.get(pk=op.pk).lease_until
        held.append(lease is not None and lease > clock.now())
        return {}

    monkeypatch.setattr(Cloud, "perform", long_call)
    world = World()
    world.now = clock.now()
    enqueue(world)
    operations.run_due()
    assert held == [True]


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_could_not_be_renewed_once_is_renewed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LEASE", timedelta(seconds=2.4))
    plain, tried, held = operations._mine, [], []

    def mine(op: Operation) -> Any:
        if threading.current_thread() is not threading.main_thread():
            tried.append(op.pk)
            if len(tried) == 1:
                raise OperationalError("database is locked")
        return plain(op)

    def long_call(self: Cloud, op: Operation, *, now: datetime) -> dict[str, Any]:
        before = Operation.objects.get(pk=op.pk).lease_until
        time.sleep(2.2)
        lease = Operation.objects.get(pk=op.pk).lease_until
        held.append(before is not None and lease is not None and lease > before)
        return {}

    monkeypatch.setattr(operations, "_mine", mine)
    monkeypatch.setattr(Cloud, "perform", long_call)
    world = World()
    world.now = clock.now()
    enqueue(world)
    operations.run_due()
    assert (held, len(tried) >= 2) == ([True], True)
