"""As a customer I get the one server I paid for, whatever my server's place does that day (SRV-1).

The place is a real driver against its vendor's own HTTP, so that what is told apart is what a vendor would answer.
"""

from collections.abc import Iterator

import pytest

from invoicing.models import Invoice
from panel.core.models import Attempt, Operation
from servers import reconcile, wording
from servers.models import Discrepancy, Server
from servers.providers.libcloud_adapter import LibcloudProvider
from tests.support.machines import subscribe
from tests.support.vendors.stages import Stage, stage
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(LibcloudProvider, "patience", 0.05)
    monkeypatch.setattr(LibcloudProvider, "pause", 0.001)
    with stage("digitalocean") as found:
        yield found


def ordered(world: World) -> Server:
    subscription = subscribe(world, world.customer(), place="far-1", image="debian-13")
    return Server.objects.get(subscription=subscription)


def waited(world: World, *, minutes: int, step: int = 1) -> None:
    for _ in range(0, minutes, step):
        world.advance(minutes=step)


def notes(server: Server) -> list[object]:
    """What its page says beside the steps of its creation."""
    return [step["note"] for step in wording.creation_steps(server.actions.get(verb="create")) if step["note"]]


def outcomes() -> list[str]:
    return list(Attempt.objects.filter(operation__kind="servers.create").values_list("outcome", flat=True))


def test_an_answer_that_is_lost_and_a_machine_that_shows_late_make_one_machine(far: Stage) -> None:
    world = World()
    far.vendor.loses(*far.creating)
    far.vendor.lag = 2
    server = ordered(world)
    world.work(rounds=1)
    assert outcomes() == ["unknown"]
    assert "connection" in Operation.objects.get(kind="servers.create").last_error.lower()
    waited(world, minutes=8)
    server.refresh_from_db()
    assert server.state == "running"
    assert len(far.machines()) == 1
    assert far.vendor.count("POST /v2/droplets") == 1, "it was looked for, not asked for again"


def test_a_machine_that_was_never_made_is_asked_for_again_once_the_lag_is_over(far: Stage) -> None:
    world = World()
    far.vendor.answers(*far.creating, far.error(500, "boom"))
    server = ordered(world)
    world.work(rounds=1)
    world.advance(seconds=60)
    world.advance(seconds=1)
    assert far.vendor.count("POST /v2/droplets") == 1
    waited(world, minutes=4)
    server.refresh_from_db()
    assert (server.state, len(far.machines())) == ("running", 1)


def test_an_hour_of_errors_is_outlived(far: Stage) -> None:
    world = World()
    far.vendor.answers("GET", "", far.error(500, "out of order"), times=10_000)
    server = ordered(world)
    assert notes(server) == []
    waited(world, minutes=60)
    server.refresh_from_db()
    assert server.state == "creating"
    assert notes(server) == [wording.TRYING], "it is said on the page, and nobody need do anything"
    assert world.failed_operations() == []
    far.vendor.faults.clear()
    waited(world, minutes=65)
    server.refresh_from_db()
    assert (server.state, len(far.machines()), notes(server)) == ("running", 1, [])


def test_who_is_told_to_wait_waits(far: Stage) -> None:
    world = World()
    slow = far.error(429, "Too many requests")
    slow.headers["Retry-After"] = "1800"
    far.vendor.answers("GET", "/v2/droplets", slow)
    server = ordered(world)
    world.work(rounds=1)
    op = Operation.objects.get(kind="servers.create")
    assert outcomes() == ["wait"]
    assert op.due_at is not None
    assert (op.due_at - world.now).total_seconds() == 1800
    waited(world, minutes=29)
    assert outcomes() == ["wait"]
    waited(world, minutes=5)
    server.refresh_from_db()
    assert server.state == "running"


def test_without_room_it_is_tried_again_and_then_a_person_is_told(far: Stage) -> None:
    world = World()
    far.vendor.full = True
    server = ordered(world)
    world.work(rounds=1)
    assert outcomes() == ["wait"]
    waited(world, minutes=600, step=10)
    server.refresh_from_db()
    assert server.state == "failed"
    (op,) = world.failed_operations()
    assert "at capacity" in op.last_error
    assert (far.machines(), Invoice.objects.count()) == ([], 0)
    assert notes(server) == [wording.OUTCOMES["failed"]]
    assert server.provider_ref == ""


def test_a_machine_of_another_size_is_not_handed_over(far: Stage) -> None:
    world = World()
    far.vendor.another_size = "s-4vcpu-8gb"
    server = ordered(world)
    waited(world, minutes=2)
    server.refresh_from_db()
    assert (server.state, server.ready_at, server.provider_ref) == ("failed", None, "")
    (op,) = world.failed_operations()
    assert "of the size s-4vcpu-8gb, not vps-s" in op.last_error
    assert len(far.machines()) == 1, "and no second one is made: a person looks at the first"


def test_wrong_credentials_reach_a_person_at_once(far: Stage) -> None:
    world = World()
    far.vendor.answers("GET", "", far.error(401, "Unable to authenticate you"), times=50)
    server = ordered(world)
    world.work(rounds=1)
    server.refresh_from_db()
    assert server.state == "failed"
    assert "refuses our credentials" in world.failed_operations()[0].last_error


def test_a_machine_that_the_place_lost_is_a_finding_for_staff_and_nothing_is_made_anew(far: Stage) -> None:
    world = World()
    server = ordered(world)
    waited(world, minutes=3)
    far.vendor.machines.clear()
    reconcile.reconcile(world.now)
    finding = Discrepancy.objects.get(resolved_at=None)
    server.refresh_from_db()
    assert (finding.kind, finding.server, server.state) == ("missing", server, "running")
    world.work()
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    assert far.vendor.count("POST /v2/droplets") == 1


def test_two_accounts_at_two_vendors_serve_one_customer(far: Stage) -> None:
    world = World()
    with stage("vultr", "far-2") as other:
        first = ordered(world)
        second = Server.objects.get(
            subscription=subscribe(world, world.customer("Bob"), name="web-2", place="far-2", image="debian-13")
        )
        waited(world, minutes=4)
        states = Server.objects.order_by("pk").values_list("state", "place")
        assert list(states) == [("running", "far-1"), ("running", "far-2")]
        assert (len(far.machines()), len(other.machines())) == (1, 1)
        assert first.pk != second.pk
