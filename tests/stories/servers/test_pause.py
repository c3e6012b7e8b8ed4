"""As a customer I pause a server: it is off, cannot be started, and comes back as it was (SUB-5)."""

import pytest

from invoicing.subscribing import pauses
from panel.core.errors import RuleViolation
from servers import enforcement
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import State
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_paused_and_back(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    row = server.subscription
    pauses.pause(row, actor=world.staff("billing"), now=world.now)
    for _ in range(3):
        world.advance(seconds=10)
    server.refresh_from_db()
    assert server.state == State.SUSPENDED
    assert enforcement.held_by(server) == "SUB-5"
    pauses.resume(row, actor=world.staff("billing"), now=world.now)
    for _ in range(3):
        world.advance(seconds=10)
    assert Server.objects.get().state == State.RUNNING


def test_a_server_that_is_being_made_cannot_be_paused(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    Server.objects.filter(pk=server.pk).update(state=State.CREATING)
    with pytest.raises(RuleViolation) as refused:
        pauses.pause(server.subscription, actor=world.staff("billing"), now=world.now)
    assert refused.value.rule == "SUB-5"
