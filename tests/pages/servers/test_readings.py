"""The pages of readings: what a customer sees and takes along, and what staff decides on (SRV-4, SRV-5)."""

from datetime import timedelta

import pytest
from django.test import Client

from panel.accounts import tokens
from panel.accounts.models import Membership
from panel.core import clock
from panel.core.quantities import bytes_in_words
from servers import metering
from servers.models import DoubtfulReading, Server, TrafficMonth
from servers.providers import Counters
from servers.providers.simulated.control import Control
from tests.support.machines import GB, server_of
from tests.support.personas import logged_in, staff
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
PAGE = "/ops/readings/"


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    made = server_of(world, alice)
    for minutes, rx in ((5, GB), (10, 151 * GB)):
        at = world.now + timedelta(minutes=minutes)
        metering.record(made, Counters("one", rx, 0, at, link_bps=10**9), now=at)
    return made


def test_staff_sees_what_waits_and_decides_with_a_reason(world: World, server: Server) -> None:
    billing = logged_in(staff(world, "billing"))
    page = billing.get(PAGE).content.decode()
    assert bytes_in_words(150 * GB) in page
    assert "at 1 Gb/s in both directions" in page
    doubt = DoubtfulReading.objects.get()
    refused = billing.post(f"{PAGE}{doubt.pk}/decide/", {"decision": "accept", "reason": ""}, follow=True)
    assert "Say why you decide so." in refused.content.decode()
    assert TrafficMonth.objects.get().total == GB
    done = billing.post(f"{PAGE}{doubt.pk}/decide/", {"decision": "accept", "reason": "Seen."}, follow=True)
    assert "What it claims is counted." in done.content.decode()
    assert "Counted" in done.content.decode()
    assert TrafficMonth.objects.get().total == 151 * GB
    assert billing.post(f"{PAGE}{doubt.pk}/decide/", {"decision": "maybe", "reason": "Seen."}).status_code == 404


def test_it_is_among_what_waits_for_staff_and_linked_from_the_fleet(world: World, server: Server) -> None:
    billing = logged_in(staff(world, "billing"))
    assert "Doubtful traffic readings" in billing.get("/ops/").content.decode()
    assert PAGE in billing.get("/ops/servers/").content.decode()
    assert PAGE not in logged_in(staff(world, "support")).get("/ops/servers/").content.decode()


def test_the_customer_reads_that_it_is_being_checked(alice: Customer, server: Server) -> None:
    page = logged_in(alice.user).get(f"/servers/{server.reference}/traffic/").content.decode()
    assert "A reading is being checked" in page
    DoubtfulReading.objects.update(state="discarded", decided_at=server.ordered_at)
    page = logged_in(alice.user).get(f"/servers/{server.reference}/traffic/").content.decode()
    assert "A reading is being checked" not in page


def test_the_customer_takes_the_hours_along(alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, file and API tell the same."""
    browser, address = logged_in(alice.user), f"/servers/{server.reference}/traffic"
    assert server.ready_at is not None
    at = server.ready_at + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: at)
    read = Counters("one", 151 * GB + 7, 5, at, link_bps=10**9)
    metering.record(Server.objects.select_related("subscription", "account").get(pk=server.pk), read, now=at)
    page = browser.get(f"{address}/?span=period").content.decode()
    assert f"{address}.csv?span=period" in page
    assert bytes_in_words(GB + 12) in page
    answer = browser.get(f"{address}.csv?span=period")
    assert answer["Content-Type"].startswith("text/csv")
    lines = [line.split(";") for line in answer.content.decode("utf-8-sig").splitlines()]
    assert lines[0] == ["Hour (UTC)", "Into the server, bytes", "Out of the server, bytes", "Together, bytes"]
    assert sum(int(line[1]) for line in lines[1:]) == GB + 7
    assert sum(int(line[3]) for line in lines[1:]) == GB + 12
    _row, secret = tokens.issue(
        Membership.objects.get(user=alice.user), name="ci", scopes=["see"], lives=None, actor=alice.actor, now=at
    )
    client = Client(headers={"authorization": f"Bearer {secret}"})
    told = client.get(f"/api/v1/servers/{server.reference}/traffic?span=period").json()
    assert [(hour["in_bytes"], hour["out_bytes"]) for hour in told["hours"]] == [
        (int(line[1]), int(line[2])) for line in lines[1:]
    ]
    assert (told["in_bytes"], told["out_bytes"]) == (GB + 7, 5)
