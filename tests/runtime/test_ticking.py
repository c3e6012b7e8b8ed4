"""The clock's book, the lease, and the commands that look at them."""

import contextlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from panel.core import due, lease, operations, ticking
from panel.core.models import ClockGap, Operation, Tick
from panel.runtime.engine import Engine

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def ran() -> Iterator[list[datetime]]:
    """A sweep that notes when it ran, and breaks down on the hour."""
    instants: list[datetime] = []

    @due.sweep("test.sweep", every_seconds=60)
    def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
        if dry_run:
            return due.SweepReport(would=["ring"])
        instants.append(now)
        if now.minute == 0:
            raise ZeroDivisionError("it is on the hour")
        return due.SweepReport(done=1)

    yield instants
    del due.SWEEPS["test.sweep"]


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_sweep_runs_when_its_time_has_come_whatever_breaks(ran: list[datetime]) -> None:
    for minute in (0, 0.5, 1, 1.5, 2):
        ticking.run_due(["test.sweep"], now=at(minute))
    assert ran == [at(0), at(1), at(2)]
    tick = Tick.objects.get(name="test.sweep")
    assert (tick.failures, tick.last_report["done"]) == (1, 1)


def test_a_clock_set_back_does_not_stop_the_sweeps(ran: list[datetime]) -> None:
    ticking.run_due(["test.sweep"], now=at(600))
    ticking.run_due(["test.sweep"], now=at(1))
    assert ran == [at(600), at(1)]


@pytest.mark.parametrize(("silence", "gaps"), [(1, 0), (5, 0), (6, 1), (6000, 1)])
def test_silence_of_the_clock_is_recorded_once(silence: float, gaps: int) -> None:
    ticking.pulse(at(0))
    ticking.pulse(at(silence))
    ticking.pulse(at(silence) + timedelta(seconds=1))
    assert list(ClockGap.objects.values_list("since", "until")) == [(at(0), at(silence))][:gaps]


def test_the_lease_is_with_one_until_it_falls_silent_or_gives_it_back() -> None:
    assert lease.take("one", now=at(0))
    assert not lease.take("two", now=at(0))
    assert lease.take("one", now=at(0.3))
    assert not lease.take("two", now=at(0.6))
    assert lease.take("two", now=at(0.7))
    assert not lease.take("one", now=at(0.7))
    lease.release("one")
    assert lease.heartbeat() == ("two", at(0.7))
    lease.release("two")
    assert lease.take("one", now=at(0.7))


def said(*words: str, **options: object) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def test_a_sweep_can_be_asked_what_it_would_do_at_any_instant(ran: list[datetime]) -> None:
    answer = json.loads(said("sweep", "test.sweep", "--now", "2026-03-02T13:30:00+01:00", "--dry-run", "--json"))
    assert (answer["would"], answer["dry_run"], answer["now"]) == (["ring"], True, "2026-03-02T13:30:00+01:00")
    assert ran == []
    assert "1 done, 0 failed" in said("sweep", "test.sweep", "--now", "2026-03-02T13:30:00+01:00")
    assert ran == [at(30)]
    assert not Tick.objects.exists(), "a chosen instant is no tick of the clock"


@pytest.mark.parametrize(
    "words",
    [["sweep", "none"], ["sweep", "core.seal", "--now", "noon"], ["sweep", "core.seal", "--now", "2026-03-02T13:30"]],
)
def test_bad_input_is_answered_with_a_sentence(words: list[str]) -> None:
    with pytest.raises(CommandError):
        said(*words)


def test_failed_operations_can_be_listed_and_tried_again() -> None:
    op = Operation.objects.create(kind="test.none", key="k", created_at=at(0), due_at=at(0))
    operations.run_due(at(0))
    listed = json.loads(said("operations", "--failed", "--json"))
    assert [(row["id"], row["state"]) for row in listed] == [(op.pk, "failed")]
    assert "nobody knows" in said("operations", "--failed")
    assert "due again" in said("operations", "--retry", str(op.pk))
    assert [row["key"] for row in json.loads(said("operations", "--json"))] == ["k"]
    with pytest.raises(CommandError, match="no operation"):
        said("operations", "--retry", "999999")


def test_a_sweep_run_by_hand_after_a_silence_writes_the_gap_down_first(ran: list[datetime]) -> None:
    """ABU-12: restrictions that fell due in it must wait, whoever wakes the panel."""
    Tick.objects.create(name=ticking.CLOCK, last_at=datetime.now(UTC) - timedelta(hours=3))
    call_command("sweep", "test.sweep", dry_run=True, stdout=io.StringIO())
    assert not ClockGap.objects.exists()
    with contextlib.suppress(SystemExit):  # on the hour it breaks down
        call_command("sweep", "test.sweep", stdout=io.StringIO())
    gap = ClockGap.objects.get()
    assert gap.until - gap.since > timedelta(hours=2)


def test_a_holder_that_is_only_silent_keeps_the_operations_it_is_in_the_middle_of() -> None:
    now = datetime.now(UTC)
    Operation.objects.create(
        kind="test.call", key="in the middle", state="running", created_at=now, due_at=now,
        lease_until=now + timedelta(seconds=100),
    )  # fmt: skip
    assert lease.take("elsewhere:1", now=now - timedelta(seconds=30))
    Engine(1)._renew(alone=False)
    assert Operation.objects.get().state == "running", "its machine may be being made at this very moment (SRV-1)"
    lease.release(lease.heartbeat()[0])  # type: ignore[index]
    Engine(1)._renew(alone=False)
    assert Operation.objects.get().state == "due"
