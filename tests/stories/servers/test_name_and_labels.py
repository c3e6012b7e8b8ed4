"""As a customer I rename my servers and sort them by labels; the machine bears its name too (SRV-8)."""

import pytest
from django.core.exceptions import PermissionDenied

from panel.core.errors import RuleViolation
from servers import selectors, wording
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.verbs import naming
from tests.support.machines import server_of, subscribe
from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_a_new_name_is_shown_everywhere_and_reaches_the_machine(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice, name="web-1")
    action = naming.rename(server, " Shop-2 ", actor=alice.actor, now=world.now)
    assert action is not None
    world.work()
    action.refresh_from_db()
    server.refresh_from_db()
    assert (server.name, action.state, action.actor_id) == ("shop-2", "done", alice.user.pk)
    assert cloud.machine(server.provider_ref)["name"] == "shop-2"
    assert "shop-2" in str(wording.log_entries([action])[0]["note"])
    assert [row.name for row in selectors.page_of_servers(alice.actor, words="shop").rows] == ["shop-2"]
    assert naming.rename(server, "shop-2", actor=alice.actor, now=world.now) is None


def test_two_names_in_a_row_end_with_the_last_one_even_if_the_first_is_told_late(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    cloud.plan("rename", "transient")
    naming.rename(server, "first", actor=alice.actor, now=world.now)
    world.work()
    naming.rename(server, "second", actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=1)
    assert cloud.machine(server.provider_ref)["name"] == "second"
    assert set(server.actions.filter(verb="rename").values_list("state", flat=True)) == {"done"}


def test_a_name_that_cannot_be_told_to_the_machine_yet_is_the_one_it_is_made_with(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = Server.objects.get(subscription=subscribe(world, alice, name="early"))
    naming.rename(server, "late", actor=alice.actor, now=world.now)
    for _ in range(2):
        world.advance(seconds=10)
    server.refresh_from_db()
    assert server.state == "running"
    assert cloud.machine(server.provider_ref)["name"] == "late"


def test_what_is_no_host_name_or_not_permitted_changes_nothing(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice, name="web-1")
    with pytest.raises(RuleViolation) as refused:
        naming.rename(server, "no name", actor=alice.actor, now=world.now)
    assert refused.value.field == "name"
    looker = world.contact(alice, ["see"]).actor
    with pytest.raises(PermissionDenied):
        naming.rename(server, "mine", actor=looker, now=world.now)
    with pytest.raises(PermissionDenied):
        naming.label(server, "mine", actor=looker, now=world.now)
    server.refresh_from_db()
    assert server.name == "web-1"


def test_labels_sort_the_list_and_are_ones_own(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    one, two, foreign = server_of(world, alice), server_of(world, alice, name="two"), server_of(world, bob)
    naming.label(one, "Shop, production", actor=alice.actor, now=world.now)
    naming.label(two, "production", actor=alice.actor, now=world.now)
    naming.label(foreign, "production secret", actor=bob.actor, now=world.now)
    assert selectors.labels(alice.actor) == ["production", "shop"]
    found = selectors.page_of_servers(alice.actor, label="production").rows
    assert {row.pk for row in found} == {one.pk, two.pk}
    assert [row.pk for row in selectors.page_of_servers(alice.actor, label="shop").rows] == [one.pk]
    assert [row.pk for row in selectors.page_of_servers(alice.actor, words="Shop").rows] == [one.pk]
    assert selectors.page_of_servers(alice.actor, words="secret").rows == []
    naming.label(one, "", actor=alice.actor, now=world.now)
    assert selectors.labels(alice.actor) == ["production"]
    with pytest.raises(RuleViolation) as refused:
        naming.label(one, "x" * 30, actor=alice.actor, now=world.now)
    assert refused.value.field == "labels"
