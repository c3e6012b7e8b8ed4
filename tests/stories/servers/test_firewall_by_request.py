"""As a customer I ask for a change of the firewall; staff accepts it, and it applies itself (TIC-5)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from panel.accounts import contacts
from panel.accounts.models import actor_of
from panel.core.errors import RuleViolation
from panel.core.models import Event, MailMessage
from servers import providers
from servers.models import FirewallRequest, Server, ServerAction
from servers.networking import firewall_requests, firewalls
from servers.networking.firewall_requests import Change
from servers.networking.firewall_rules import OPEN, Direction, Policy, Protocol, Rule, Verdict
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import Customer, World
from tickets.models import Ticket

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cloud")]

WEB = Rule(Direction.IN, Verdict.ACCEPT, Protocol.TCP, ((443, 443),))
SSH = Rule(Direction.IN, Verdict.ACCEPT, Protocol.TCP, ((22, 22),), note="ours")
TELNET = Rule(Direction.IN, Verdict.DROP, Protocol.TCP, ((23, 23),))


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    made = server_of(world, alice)
    firewalls.change(made, Policy((SSH,), default_in=Verdict.DROP), actor=alice.actor, now=world.now)
    world.work()
    return made


def there(server: Server) -> Policy:
    return providers.get(server.place).firewall(server.provider_ref)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(RuleViolation) as refusal:
        call()
    return str(refusal.value.sentence)


def asked(world: World, server: Server, alice: Customer, change: Change) -> Ticket:
    return firewall_requests.ask(server, change, why="The shop opens.", actor=alice.actor, now=world.now).ticket


def test_accepted_it_applies_itself_and_the_request_closes(world: World, server: Server, alice: Customer) -> None:
    before = there(server)
    ticket = asked(world, server, alice, Change(add=WEB))
    assert ticket.kind == "firewall"
    body = ticket.messages.get().body
    assert "The shop opens." in body
    assert "443" in body
    world.work()
    assert there(server) == before, "asking changes nothing"

    firewall_requests.accept(ticket, words="Welcome.", sure=False, actor=world.staff("infrastructure"), now=world.now)
    row = FirewallRequest.objects.get()
    assert (row.state, row.applied_at) == ("accepted", None)
    assert Ticket.objects.get(pk=ticket.pk).state != "closed"
    world.work()
    assert [rule.ports for rule in there(server).rules] == [((22, 22),), ((443, 443),)]
    row.refresh_from_db()
    assert row.applied_at == world.now
    assert Ticket.objects.get(pk=ticket.pk).state == "closed"
    assert ticket.messages.latest("pk").body.endswith("Welcome.")
    assert MailMessage.objects.filter(template="ticket_reply", account_id=alice.account.pk).count() == 1
    kinds = list(Event.objects.filter(kind__startswith="servers.firewall_request.").values_list("kind", "rule"))
    assert sorted(kinds) == [(f"servers.firewall_request.{one}", "TIC-5") for one in ("accepted", "applied", "asked")]


def test_an_earlier_change_that_is_confirmed_late_closes_nothing(world: World, server: Server, alice: Customer) -> None:
    ticket = asked(world, server, alice, Change(add=WEB))
    firewall_requests.accept(ticket, words="", sure=False, actor=world.staff(), now=world.now)
    firewall_requests.applied(Event.objects.filter(kind="servers.firewall.applied").latest("pk"), now=world.now)
    assert FirewallRequest.objects.get().applied_at is None
    assert Ticket.objects.get(pk=ticket.pk).state != "closed"


def test_what_changed_meanwhile_is_not_undone(world: World, server: Server, alice: Customer) -> None:
    ticket = asked(world, server, alice, Change(add=WEB))
    mine = firewalls.of(server).own
    firewalls.change(server, Policy((*mine.rules, TELNET), default_in=Verdict.DROP), actor=alice.actor, now=world.now)
    world.work()
    firewall_requests.accept(ticket, words="", sure=False, actor=world.staff(), now=world.now)
    world.work()
    assert [rule.ports for rule in there(server).rules] == [((22, 22),), ((23, 23),), ((443, 443),)]


def test_one_rule_in_the_place_of_another(world: World, server: Server, alice: Customer) -> None:
    narrow = Rule(Direction.IN, Verdict.ACCEPT, Protocol.TCP, ((22, 22),), ("192.0.2.0/24",))
    ticket = asked(
        world, server, alice, Change(add=narrow, remove=Rule(SSH.direction, SSH.action, SSH.protocol, SSH.ports))
    )
    firewall_requests.accept(ticket, words="", sure=False, actor=world.staff(), now=world.now)
    world.work()
    assert [rule.peers for rule in there(server).rules] == [("192.0.2.0/24",)]


def test_refused_with_a_reason_nothing_changes(world: World, server: Server, alice: Customer) -> None:
    before, staff = there(server), world.staff("infrastructure")
    ticket = asked(world, server, alice, Change(add=WEB))
    assert "Say why" in refused(lambda: firewall_requests.refuse(ticket, reason=" ", actor=staff, now=world.now))
    firewall_requests.refuse(ticket, reason="Not on this server.", actor=staff, now=world.now)
    world.work()
    assert there(server) == before
    assert Ticket.objects.get(pk=ticket.pk).state == "closed"
    assert ticket.messages.latest("pk").body == "Not on this server."
    for late in (
        lambda: firewall_requests.accept(ticket, words="", sure=True, actor=staff, now=world.now),
        lambda: firewall_requests.withdraw(ticket, actor=alice.actor, now=world.now),
    ):
        assert "decided already" in refused(late)


def test_withdrawn_it_cannot_be_accepted(world: World, server: Server, alice: Customer) -> None:
    ticket = asked(world, server, alice, Change(add=WEB))
    firewall_requests.withdraw(ticket, actor=alice.actor, now=world.now)
    assert "decided already" in refused(
        lambda: firewall_requests.accept(ticket, words="", sure=True, actor=world.staff(), now=world.now)
    )
    assert FirewallRequest.objects.get().state == "withdrawn"


def test_nobody_is_locked_out_by_the_way(world: World, server: Server, alice: Customer) -> None:
    staff = world.staff("infrastructure")
    ticket = asked(world, server, alice, Change(remove=SSH))
    assert "log in over SSH" in refused(
        lambda: firewall_requests.accept(ticket, words="", sure=False, actor=staff, now=world.now)
    )
    row = FirewallRequest.objects.get()
    assert (row.state, ServerAction.objects.filter(verb="firewall").count()) == ("open", 1), "nothing is half done"
    firewall_requests.accept(ticket, words="", sure=True, actor=staff, now=world.now)
    world.work()
    assert there(server).rules == ()


def test_what_has_no_meaning_is_said(world: World, server: Server, alice: Customer) -> None:
    def ask(change: Change) -> str:
        return refused(lambda: asked(world, server, alice, change))

    assert "Say which rule" in ask(Change())
    assert "there already" in ask(Change(add=SSH))
    assert "not there any more" in ask(Change(remove=WEB))
    assert not Ticket.objects.exists()
    for number in range(5):
        asked(world, server, alice, Change(add=Rule(Direction.IN, Verdict.ACCEPT, Protocol.TCP, ((number + 1,) * 2,))))
    assert "So many" in ask(Change(add=WEB))


def test_the_rule_that_was_to_go_went_meanwhile(world: World, server: Server, alice: Customer) -> None:
    ticket = asked(world, server, alice, Change(remove=SSH))
    firewalls.change(server, OPEN, actor=alice.actor, now=world.now)
    world.work()
    assert "not there any more" in refused(
        lambda: firewall_requests.accept(ticket, words="", sure=True, actor=world.staff(), now=world.now)
    )


def test_a_contact_who_may_write_requests_may_ask_and_no_other(world: World, server: Server, alice: Customer) -> None:
    def contact(name: str, *wanted: str) -> Any:
        made = contacts.invite(
            alice.account, email=f"{name}@customer.example", name=name, wanted=["see", *wanted], actor=alice.actor,
            link="/", now=world.now,
        )  # fmt: skip
        return actor_of(made.user, account_id=alice.account.pk)

    bob, carol = contact("bob", "tickets"), contact("carol")
    row = firewall_requests.ask(server, Change(add=WEB), why="Please.", actor=bob, now=world.now)
    with pytest.raises(PermissionDenied):
        firewall_requests.ask(server, Change(add=TELNET), why="Please.", actor=carol, now=world.now)
    for nobody in (bob, alice.actor, world.staff("support")):
        with pytest.raises(PermissionDenied):
            firewall_requests.accept(row.ticket, words="", sure=True, actor=nobody, now=world.now)


def test_a_place_that_fails_leaves_it_open_for_staff(
    world: World, server: Server, alice: Customer, cloud: Control
) -> None:
    ticket = asked(world, server, alice, Change(add=WEB))
    cloud.plan("set_firewall", "refused")
    firewall_requests.accept(ticket, words="", sure=False, actor=world.staff(), now=world.now)
    world.work()
    row = FirewallRequest.objects.get()
    assert (row.state, row.applied_at, row.action and row.action.state) == ("accepted", None, "failed")
    assert Ticket.objects.get(pk=ticket.pk).state != "closed"
    firewalls.apply_again(server, actor=alice.actor, now=world.now)
    world.work()
    assert there(server).rules[-1].ports == ((443, 443),)
    assert Ticket.objects.get(pk=ticket.pk).state == "closed"


def test_another_holder_of_the_server_is_not_changed_upon(world: World, server: Server, alice: Customer) -> None:
    ticket = asked(world, server, alice, Change(add=WEB))
    Server.objects.filter(pk=server.pk).update(account=world.customer("Bob").account)
    assert "another account" in refused(
        lambda: firewall_requests.accept(ticket, words="", sure=True, actor=world.staff(), now=world.now)
    )
