"""The page of a finding: what was found, what can be decided, and what stands in the way."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from panel.accounts.models import User
from servers.models import Discrepancy, Server
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False


@pytest.fixture
def server(cloud: Control, world: World, alice: Customer) -> Server:
    return server_of(world, alice)


@pytest.fixture
def sam(world: World) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=world.staff("infrastructure").user_id))
    return client


def page(client: Client, row: Discrepancy) -> str:
    return str(client.get(f"/ops/servers/findings/{row.pk}/").content.decode())


def test_a_lost_machine_is_made_anew_by_the_page(world: World, server: Server, sam: Client, cloud: Control) -> None:
    cloud.vanish(server.provider_ref)
    world.sweep("servers.reconcile")
    row = Discrepancy.objects.get()
    url = f"/ops/servers/findings/{row.pk}/"
    assert url in sam.get("/ops/servers/").content.decode()
    assert url in sam.get(f"/ops/servers/{server.reference}/").content.decode()
    world.now = datetime.now(UTC)
    world.work()
    (review,) = world.failed_operations()
    assert url in sam.get(f"/ops/operations/{review.pk}/").content.decode(), "what gave up leads to its finding"
    text = page(sam, row)
    for words in ("Machine missing", "Make the machine anew", server.provider_ref, "stays lost"):
        assert words in text, words
    sent = {"decision": "remake", "reason": "the host burnt", "typed": "something"}
    wrong = sam.post(url, sent)
    assert (wrong.status_code, "was not typed as shown" in wrong.content.decode()) == (422, True)
    assert "the host burnt" in wrong.content.decode(), "nothing typed is lost"
    assert sam.post(url, {**sent, "typed": row.ref})["Location"] == url
    assert "Settled" in page(sam, row)
    world.now = datetime.now(UTC)  # the page asked at the wall clock
    world.work()
    world.advance(seconds=30)
    assert Server.objects.get(pk=server.pk).state == "running"


def test_what_cannot_be_decided_now_says_why(world: World, server: Server, sam: Client, cloud: Control) -> None:
    cloud.twin(server.provider_ref)
    world.sweep("servers.reconcile")
    row = Discrepancy.objects.get()
    text = page(sam, row)
    assert "The server has its own machine, which is there." in text
    assert 'name="decision" value="remove"' in text
    assert 'name="decision" value="adopt"' not in text
    refused = sam.post(f"/ops/servers/findings/{row.pk}/", {"decision": "adopt", "reason": "x", "typed": row.ref})
    assert (refused.status_code, "has its own machine" in refused.content.decode()) == (422, True)


def test_a_finding_that_the_panel_repairs_itself_offers_nothing(
    world: World, server: Server, sam: Client, cloud: Control
) -> None:
    row = Discrepancy.objects.create(
        place=server.place, kind="meter", ref="x", server=server, first_seen=world.now, last_seen=world.now
    )
    assert "repairs this by itself" in page(sam, row)
    assert sam.post(f"/ops/servers/findings/{row.pk}/", {"decision": "remove"}).status_code == 422
