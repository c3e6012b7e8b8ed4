"""A limited server on its pages (SRV-7): staff sets the limit, the owner answers in the request, staff decides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache

from panel.accounts.models import Restriction
from panel.core import clock
from servers.providers.simulated.control import Control
from tests.support.machines import server_of, simulated_place
from tests.support.personas import logged_in, staff
from tests.support.world import World
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    cache.clear()
    with simulated_place(tmp_path) as control:
        yield control


def test_from_the_server_to_the_decision(cloud: Control) -> None:
    world = World()
    world.now = clock.now()
    alice, stranger = world.customer(), world.customer("Bob")
    server = server_of(world, alice)
    desk, hers = logged_in(staff(world, "infrastructure")), logged_in(alice.user, alice.account)
    page = f"/ops/servers/{server.reference}/limit/"
    assert page in desk.get(f"/ops/servers/{server.reference}/").content.decode()
    given = {"threat": "network", "how": "power", "reason": "It scans.", "steps": "Stop it."}
    assert desk.post(page, {**given, "steps": ""}).status_code == 422
    made = desk.post(page, given)
    ticket = Ticket.objects.get(kind="safeguard")
    assert ticket.number in made["Location"]
    world.work()

    shown = hers.get(f"/support/{ticket.number}/").content.decode()
    assert "Stop it." in shown
    answer = f"/support/limits/{ticket.number}/answer/"
    assert logged_in(stranger.user, stranger.account).post(answer, {"answer": "done"}).status_code == 404
    assert hers.post(answer, {"answer": "maybe"}).status_code == 404
    assert hers.post(answer, {"answer": "done", "words": "Reinstalled."}).status_code == 302
    assert "Steps carried out" in desk.get(f"/ops/tickets/{ticket.number}/").content.decode()

    decide = f"/ops/limits/{ticket.number}/decide/"
    assert hers.post(decide, {"decision": "lift", "reason": "Mine."}).status_code == 403
    assert desk.post(decide, {"decision": "lift", "reason": "Fine."}).status_code == 302
    assert Restriction.objects.get().state == "lifted"
    assert "Fine." in hers.get(f"/support/{ticket.number}/").content.decode()
