"""As the operator I want the tables of errands run to stay small, and every deed that matters kept."""

import pytest
from django.db import transaction

from panel.core import events
from panel.core.actors import CLOCK
from panel.core.models import Event, Operation
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_delivered_entry_stays_and_its_delivery_is_forgotten_after_a_month() -> None:
    events.subscriber("test.grows.", "test.grows")(lambda event, *, now: None)
    world = World()
    with transaction.atomic():
        events.record("test.grows.once", now=world.now, actor=CLOCK)
    world.work()
    world.advance(days=29, sweeps=["core.forget"])
    assert Operation.objects.filter(kind="core.deliver").count() == 1
    world.advance(days=2, sweeps=["core.forget"])
    assert Operation.objects.filter(kind="core.deliver").count() == 0
    assert Event.objects.filter(kind="test.grows.once").count() == 1


def test_what_failed_is_never_forgotten() -> None:
    world = World()
    Operation.objects.create(
        kind="core.deliver", key="failed", state="failed", created_at=world.now, finished_at=world.now
    )
    world.advance(days=400, sweeps=["core.forget"])
    assert Operation.objects.filter(key="failed").exists()
