"""As an auditor I want a journal that cannot be changed unnoticed, and a customer's personal values still erasable."""

import pytest
from django.db import DatabaseError, connection, transaction

from panel.core import events, triggers
from panel.core.actors import CLOCK
from panel.core.models import Event, EventPrivate, Seal
from tests.support.world import World

pytestmark = pytest.mark.django_db


def write(world: World, kind: str = "test.thing.happened", **private: str) -> Event:
    with transaction.atomic():
        return events.record(kind, now=world.now, actor=CLOCK, data={"id": 1}, private=private)


def test_entries_refuse_change_and_deletion() -> None:
    event = write(World())
    for deed in (lambda: Event.objects.filter(pk=event.pk).update(kind="other"), event.delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            deed()


def test_the_chain_verifies_and_sealing_twice_changes_nothing() -> None:
    world = World()
    for _ in range(3):
        write(world)
    world.sweep("core.seal")
    seals = list(Seal.objects.values_list("hash", flat=True))
    world.sweep("core.seal")
    assert list(Seal.objects.values_list("hash", flat=True)) == seals
    assert len(seals) == 3
    assert events.verify() == []


def test_an_entry_altered_behind_the_panels_back_is_found() -> None:
    world = World()
    event = write(world)
    world.sweep("core.seal")
    triggers.drop(connection)
    Event.objects.filter(pk=event.pk).update(rule="ABU-3")
    triggers.install(connection)
    assert events.verify() == [f"event {event.pk} was altered"]


def test_personal_values_are_bound_in_and_can_be_erased() -> None:
    world = World()
    event = write(world, email="alice@customer.example")
    world.sweep("core.seal")
    assert "alice" not in str(Event.objects.filter(pk=event.pk).values())
    EventPrivate.objects.filter(event=event).update(data={"email": "mallory@example"})
    assert events.verify() == [f"event {event.pk}: its personal values were altered"]
    EventPrivate.objects.filter(event=event).delete()
    assert events.verify() == []


def test_a_subscriber_is_told_after_commit_and_again_if_it_failed() -> None:
    told: list[int] = []

    def listener(event: Event, *, now: object) -> None:
        told.append(event.pk)
        if len(told) == 1:
            raise ValueError("not today")

    events.subscriber("test.news.", "test.listener")(listener)
    world = World()
    event = write(world, "test.news.arrived")
    assert told == []
    world.work()
    world.advance(minutes=1)
    assert told == [event.pk, event.pk]
    assert world.failed_operations() == []
