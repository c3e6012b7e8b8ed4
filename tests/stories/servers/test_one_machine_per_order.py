"""As a customer I pay once and get one server, whatever gets lost, repeated or killed on the way (SRV-1)."""

from datetime import timedelta

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core import operations
from panel.core.errors import RuleViolation
from panel.core.models import Event, Operation
from servers import providers, provisioning
from servers.models import Address, Server, ServerAction
from servers.providers.simulated.control import Control
from tests.support.machines import first_ip, package, server_of, subscribe
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_paid_order_becomes_a_running_server_with_an_address_and_its_host_key(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    subscription = subscribe(world, alice)
    server = Server.objects.get(subscription=subscription)
    assert server.state == "ordered"
    assert cloud.refs() == []

    world.advance(seconds=1)
    assert Server.objects.get(pk=server.pk).state == "creating"
    world.advance(seconds=5)
    server.refresh_from_db()
    assert (server.state, server.power) == ("running", "on")
    assert server.provider_ref in cloud.refs()
    assert server.host_key.startswith("ssh-ed25519 ")
    assert Address.objects.get(ip=first_ip(server)).state == "held"
    assert [mail.template for mail in world.mails("servers/ready", alice.account)] == ["servers/ready"]
    assert Event.objects.filter(kind="servers.server.created", account_id=alice.account.pk, rule="SRV-1").count() == 1


def test_each_step_is_noted_while_it_happens(cloud: Control) -> None:
    world = World()
    subscribe(world, world.customer())
    world.work(rounds=1)
    action = ServerAction.objects.get()
    assert [step["name"] for step in action.steps] == ["paid", "address", "requested"]
    assert action.state == "waiting"
    world.advance(seconds=10)
    action.refresh_from_db()
    assert [step["name"] for step in action.steps] == list(provisioning.CREATE_STEPS)
    assert action.state == "done"


def test_a_lost_answer_makes_no_second_machine(cloud: Control) -> None:
    world = World()
    cloud.plan("create", "lost")
    subscribe(world, world.customer())
    world.work()
    world.advance(minutes=1)
    world.advance(minutes=1)
    assert len(cloud.refs()) == 1
    assert cloud.calls("create") == ["lost"]
    assert Server.objects.get().state == "running"


def test_a_worker_that_dies_after_the_call_leaves_one_machine(cloud: Control) -> None:
    world = World()
    subscribe(world, world.customer())
    op = Operation.objects.get(kind="servers.create")
    Operation.objects.filter(pk=op.pk).update(state="running", attempts=1, lease_until=world.now + timedelta(minutes=2))
    with pytest.raises(Exception, match="being made"):
        operations.HANDLERS[op.kind].perform(op, now=world.now)  # ... and the worker is gone
    assert len(cloud.refs()) == 1
    world.advance(minutes=3)
    world.advance(minutes=1)
    assert Server.objects.get().state == "running"
    assert cloud.calls("create") == ["ok"]


def test_provisioning_twice_is_provisioning_once(cloud: Control) -> None:
    world = World()
    subscription = subscribe(world, world.customer())
    for _ in range(2):
        with transaction.atomic():
            kinds.get("vps").provision(subscription, now=world.now)
    world.advance(minutes=1)
    assert Server.objects.count() == 1
    assert len(cloud.refs()) == 1


def test_passing_trouble_is_outlived_and_lasting_trouble_reaches_staff_who_can_retry(cloud: Control) -> None:
    world = World()
    cloud.plan("create", "transient", times=2)
    subscribe(world, world.customer())
    for _ in range(4):
        world.advance(minutes=1)
    assert Server.objects.get().state == "running"

    cloud.plan("create", "refused")
    second = subscribe(world, world.customer("Bob"), name="web-2")
    world.advance(minutes=1)
    server = Server.objects.get(subscription=second)
    assert server.state == "failed"
    assert [op.kind for op in world.failed_operations()] == ["servers.create"]
    assert server.actions.get().state == "failed"

    operations.retry(world.failed_operations()[0].pk, now=world.now)
    world.advance(seconds=10)
    world.advance(seconds=10)
    server.refresh_from_db()
    assert server.state == "running"
    assert server.actions.get().state == "done"
    assert len(cloud.refs()) == 2


def test_ending_the_subscription_removes_the_machine_and_gives_the_address_back(cloud: Control) -> None:
    world = World()
    server = server_of(world, world.customer())
    ip = first_ip(server)
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    with transaction.atomic():
        kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
    cloud.plan("destroy", "lost")
    world.advance(seconds=1)
    world.advance(minutes=2)
    server.refresh_from_db()
    assert (server.state, server.power) == ("destroyed", "gone")
    assert cloud.refs() == []
    assert Address.objects.get(ip=ip).state == "quarantine"


def test_ending_before_the_machine_is_made_makes_none(cloud: Control) -> None:
    world = World()
    subscription = subscribe(world, world.customer())
    with transaction.atomic():
        kinds.get("vps").terminate(subscription, because="SUB-6", now=world.now)
    world.advance(minutes=1)
    world.advance(minutes=1)
    assert cloud.refs() == []
    assert Server.objects.get().state == "destroyed"
    assert Address.objects.filter(state="held").count() == 0


@pytest.mark.parametrize("name", ["", "-web", "web-", "we b", "x" * 64, "web_1", "a.b"])
def test_a_name_that_is_no_host_name_is_refused(cloud: Control, name: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        kinds.get("vps").validate(package(), {"name": name})
    assert refused.value.field == "name"


@pytest.mark.parametrize(
    ("wishes", "field"),
    [({"place": "mars"}, "place"), ({"image": "windows-95"}, "image"), ({"options": {"vps-address": 99}}, "options")],
)
def test_what_is_not_on_offer_is_refused(cloud: Control, wishes: dict[str, object], field: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        kinds.get("vps").validate(package(), {"name": "web-1", **wishes})
    assert refused.value.field == field


def test_additional_addresses_are_not_sold_where_none_can_be_attached(
    cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = {"name": "web", "options": {"vps-address": 1}}
    vps = kinds.get("vps")
    assert vps.validate(package(), wish)["extra_addresses"] == 1
    place = type(providers.get("sim-1"))
    monkeypatch.setattr(place, "capabilities", providers.Capabilities(label="Elsewhere", extra_addresses=False))
    with pytest.raises(RuleViolation, match="not on offer at this place"):
        vps.validate(package(), wish)
