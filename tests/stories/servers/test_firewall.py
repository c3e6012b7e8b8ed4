"""As a customer I say what may reach my server and what may leave it; it is in force once its place confirmed it, and
what the provider closes stays closed (SRV-8, SUB-4)."""

import pytest

from invoicing.reviewing import standing
from panel.core import operations
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event
from servers import providers
from servers.models import Discrepancy, Firewall, Server
from servers.networking import firewalls
from servers.networking.firewall_rules import OPEN, TEMPLATES, Policy, Verdict
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
WEB = TEMPLATES["web"].policy()
SSH_SHUT = Policy(default_in=Verdict.DROP)


@pytest.fixture
def world(cloud: Control) -> World:
    return World()


def not_new(world: World, customer: Customer) -> None:
    standing.raise_limits(customer.account, True, why="known", actor=world.staff(), now=world.now)


@pytest.fixture
def alice(world: World) -> Customer:
    """No new customer: nothing is closed to her."""
    made = world.customer()
    not_new(world, made)
    return made


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def there(server: Server) -> Policy:
    return providers.get("sim-1").firewall(server.provider_ref)


def test_what_she_asks_for_is_in_force_once_the_place_confirmed_it(
    world: World, alice: Customer, server: Server
) -> None:
    assert firewalls.of(server).wanted == OPEN
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    assert (there(server), firewalls.of(server).state) == (OPEN, "waiting")
    world.advance(seconds=5)
    row = firewalls.of(server)
    assert (there(server), row.state, row.in_force_since) == (WEB.canonical(), "in_force", world.now)
    assert row.own.rules[0].note == "SSH"
    action = server.actions.get(verb="firewall")
    assert (action.state, action.actor_id, action.facts) == ("done", alice.user.pk, {"rules": 4})
    assert firewalls.change(server, WEB, actor=alice.actor, now=world.now) is None
    assert server.actions.filter(verb="firewall").count() == 1


def test_two_changes_at_once_end_with_the_later_one_and_a_stale_page_is_told(
    world: World, alice: Customer, server: Server
) -> None:
    firewalls.change(server, WEB, seen=0, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation) as stale:
        firewalls.change(server, TEMPLATES["mail"].policy(), seen=0, actor=alice.actor, now=world.now)
    assert stale.value.field == "seen"
    firewalls.change(server, TEMPLATES["dns"].policy(), seen=1, actor=alice.actor, now=world.now)
    world.work()
    assert there(server) == TEMPLATES["dns"].policy().canonical()
    assert firewalls.of(server).state == "in_force"


def test_who_would_shut_out_everybody_is_told_first(world: World, alice: Customer, server: Server) -> None:
    with pytest.raises(RuleViolation, match="log in over SSH") as warned:
        firewalls.change(server, SSH_SHUT, actor=alice.actor, now=world.now)
    assert warned.value.field == "sure"
    assert not Firewall.objects.filter(server=server).exists() or firewalls.of(server).own == OPEN
    firewalls.change(server, SSH_SHUT, sure=True, actor=alice.actor, now=world.now)
    world.work()
    assert there(server) == SSH_SHUT
    firewalls.change(server, Policy(WEB.rules[2:], Verdict.DROP), actor=alice.actor, now=world.now)  # shut already


def test_a_lost_answer_is_looked_up_and_a_refusal_is_the_staffs(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    cloud.plan("set_firewall", "lost")
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    assert firewalls.of(server).state == "waiting"
    world.advance(minutes=1)
    assert (firewalls.of(server).state, cloud.calls("set_firewall")) == ("in_force", ["lost"])

    cloud.plan("set_firewall", "refused")
    firewalls.change(server, TEMPLATES["mail"].policy(), actor=alice.actor, now=world.now)
    world.work()
    row = firewalls.of(server)
    assert (row.state, row.in_force_since is not None, there(server)) == ("failed", True, WEB.canonical())
    assert [op.kind for op in world.failed_operations()] == ["servers.firewall"]
    assert server.actions.filter(verb="firewall")[0].state == "failed"
    firewalls.apply_again(server, actor=alice.actor, now=world.now)
    world.work()
    assert (firewalls.of(server).state, there(server)) == ("in_force", TEMPLATES["mail"].policy().canonical())


def test_staff_retries_what_failed(world: World, alice: Customer, server: Server, cloud: Control) -> None:
    cloud.plan("set_firewall", "refused")
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    operations.retry(world.failed_operations()[0].pk, now=world.now)
    world.work()
    assert (firewalls.of(server).state, server.actions.get(verb="firewall").state) == ("in_force", "done")


def test_rules_that_the_place_lost_are_found_and_put_back(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert not Discrepancy.objects.exists()
    cloud.forget_firewall(server.provider_ref)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    row = Discrepancy.objects.get()
    assert (row.kind, row.operation.kind if row.operation else "") == ("firewall", "servers.firewall")
    assert there(server) == WEB.canonical()
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert Discrepancy.objects.get().resolved_at == world.now
    assert firewalls.of(server).state == "in_force"


def test_no_mail_leaves_a_new_accounts_server_until_it_is_new_no_more(world: World) -> None:
    bob = world.customer("Bob")
    server = server_of(world, bob)
    row = firewalls.of(server)
    assert (row.closed_ports, row.state) == ("25", "in_force")
    locked = there(server)
    assert [rule.action for rule in locked.locks] == [Verdict.DROP]
    allow = firewalls.policy_of({"rules": [
        {"direction": "out", "action": "accept", "protocol": "tcp", "ports": "25", "note": "let me"}
    ]})  # fmt: skip
    firewalls.change(server, allow, actor=bob.actor, now=world.now)
    world.work()
    assert (there(server).locks, len(there(server).rules)) == (locked.locks, 1)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert there(server).locks == locked.locks
    not_new(world, bob)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert (there(server).locks, firewalls.of(server).closed_ports) == ((), "")
    assert Event.objects.filter(kind="servers.firewall.unlocked", rule="SUB-4").count() == 1
    assert not Discrepancy.objects.exists()


def test_a_place_that_cannot_do_it_says_so_before(
    world: World, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servers.providers import Capabilities, Filtering

    can = {"firewall": Filtering(outgoing=False, drops=False, most=3)}
    monkeypatch.setattr("servers.places.capabilities", lambda place: Capabilities("x", **can))
    for policy, field in (
        (firewalls.policy_of({"default_out": "drop"}), "direction"),
        (firewalls.policy_of({"rules": [{"direction": "in", "action": "drop"}]}), "action"),
        (WEB, "rules"),
    ):
        with pytest.raises(RuleViolation) as refused:
            firewalls.change(server, policy, actor=alice.actor, now=world.now)
        assert refused.value.field == field
    can["firewall"] = None  # type: ignore[assignment]
    with pytest.raises(RuleViolation, match="cannot filter"):
        firewalls.change(server, OPEN, actor=alice.actor, now=world.now)
    assert not Event.objects.filter(kind="servers.firewall.changed").exists()


def test_a_slow_worker_does_not_leave_the_older_rules_in_force(
    world: World, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, crossed = providers.get("sim-1"), []

    def slow(ref: str, policy: Policy) -> None:
        if not crossed:  # the answer to the older rules comes after the newer ones were set and confirmed
            crossed.append(policy)
            firewalls.change(server, TEMPLATES["mail"].policy(), actor=alice.actor, now=world.now)
            operations.run_due(world.now)
            assert firewalls.of(server).state == "in_force"
        type(cloud).set_firewall(cloud, ref, policy)

    monkeypatch.setattr(cloud, "set_firewall", slow)
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    assert crossed == [WEB.canonical()]
    assert there(server) == TEMPLATES["mail"].policy().canonical()
    assert firewalls.of(server).is_in_force


def test_a_change_while_the_place_is_compared_is_no_drift(
    world: World, alice: Customer, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    cloud = providers.get("sim-1")

    def meanwhile(ref: str) -> Policy:
        monkeypatch.undo()
        firewalls.change(server, OPEN, actor=alice.actor, now=world.now)
        operations.run_due(world.now)
        return type(cloud).firewall(cloud, ref)

    monkeypatch.setattr(cloud, "firewall", meanwhile)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert (there(server), firewalls.of(server).state) == (OPEN, "in_force")
    assert not Discrepancy.objects.exists()


def test_one_firewall_that_cannot_be_read_hides_nothing_else_of_its_place(
    world: World, alice: Customer, server: Server, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = server_of(world, alice, name="web-2")
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    world.work()
    cloud.vanish(other.provider_ref)
    place = providers.get("sim-1")

    def unreadable(ref: str) -> Policy:
        raise ProviderError("a rule that is none of ours", code="failed")

    monkeypatch.setattr(place, "firewalls_of", lambda refs: {})
    monkeypatch.setattr(place, "firewall", unreadable)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    monkeypatch.undo()
    assert set(Discrepancy.objects.values_list("kind", "ref")) == {
        ("missing", other.provider_ref), ("firewall", server.provider_ref)
    }  # fmt: skip
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert Discrepancy.objects.get(kind="firewall").resolved_at == world.now
