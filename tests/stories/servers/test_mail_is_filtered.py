"""As staff I close the outgoing mail ports of a server whose mail is refused as spam: its owner reads why, does what
must be done, and sends again once it is lifted (ABU-14, ABU-10)."""

import pytest

from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import enforcement, providers
from servers.models import Server
from servers.networking import firewall_rules, firewalls
from servers.networking.firewall_rules import Policy
from servers.providers.simulated.control import Control
from servers.safeguarding import safeguards
from servers.safeguarding.safeguard_rules import Answer, Decision, How, Threat
from tests.support.machines import server_of
from tests.support.world import Customer, World
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-16 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def there(server: Server) -> Policy:
    return providers.get("sim-1").firewall(server.provider_ref)


def filtered(world: World, server: Server) -> Ticket:
    made = safeguards.limit(
        server, Threat.SPAM, How.MAIL, reason="40,000 mails in an hour.", steps="1. Close the open relay.",
        actor=world.staff("abuse"), now=world.now,
    )  # fmt: skip
    world.work()
    return made


def closed(server: Server) -> set[int]:
    return {low for rule in there(server).locks for low, high in rule.ports for low in range(low, high + 1)}


def test_the_ports_are_closed_and_the_owner_reads_why(world: World, alice: Customer, server: Server) -> None:
    ticket = filtered(world, server)
    assert closed(server) == {25, 465, 587}
    row = Restriction.objects.get()
    assert (row.rule, row.scope, row.effective_at) == ("ABU-14", "ports", world.now)
    assert "40,000 mails" in row.statement
    assert "Its outgoing mail ports are closed" in row.statement
    (mail,) = world.mails("ticket_reply", alice.account)
    assert "Close the open relay" in mail.content.body
    told = Event.objects.get(kind="servers.mail.filtered")
    assert (told.rule, told.account_id) == ("ABU-14", alice.account.pk)
    assert Event.objects.get(kind="servers.safeguard.limited").actor_kind == "person"
    assert Ticket.objects.get(pk=ticket.pk).state == "waiting_customer"


def test_everything_else_goes_on(world: World, alice: Customer, server: Server) -> None:
    filtered(world, server)
    server.refresh_from_db()
    assert (server.state, server.power, enforcement.held_by(server)) == ("running", "on", None)
    firewalls.change(server, firewall_rules.TEMPLATES["web"].policy(), actor=alice.actor, now=world.now)
    world.work()
    assert closed(server) == {25, 465, 587}
    assert len(there(server).rules) == len(firewall_rules.TEMPLATES["web"].policy().rules)


def test_lifted_it_sends_again_but_what_a_new_account_may_not_stays_closed(
    world: World, alice: Customer, server: Server
) -> None:
    ticket = filtered(world, server)
    safeguards.answer(ticket, Answer.DONE, words="", actor=alice.actor, now=world.now)
    safeguards.decide(ticket, Decision.LIFT, reason="Thank you.", actor=world.staff("abuse"), now=world.now)
    world.work()
    assert closed(server) == {25}  # SUB-4
    assert firewalls.of(server).filtered_ports == ""
    assert not Restriction.objects.in_force().exists()


def test_a_second_reason_keeps_them_closed(world: World, server: Server) -> None:
    first, _second = filtered(world, server), filtered(world, server)
    safeguards.decide(first, Decision.LIFT, reason="One of two.", actor=world.staff("abuse"), now=world.now)
    world.work()
    assert closed(server) == {25, 465, 587}


def test_a_lost_answer_or_a_place_that_forgot_ends_with_them_closed(
    world: World, server: Server, cloud: Control
) -> None:
    cloud.plan("set_firewall", "lost")
    filtered(world, server)
    world.advance(minutes=1)
    assert Event.objects.filter(kind="servers.mail.filtered").count() == 1
    cloud.forget_firewall(server.provider_ref)
    world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert closed(server) == {25, 465, 587}
    assert Restriction.objects.get().effective_at is not None


def test_lifted_before_it_was_carried_out_nothing_stays_closed(world: World, server: Server) -> None:
    ticket = safeguards.limit(
        server, Threat.SPAM, How.MAIL, reason="Spam.", steps="Stop.", actor=world.staff("abuse"), now=world.now
    )
    safeguards.decide(ticket, Decision.LIFT, reason="A mistake.", actor=world.staff("abuse"), now=world.now)
    world.work()
    assert closed(server) == {25}
    assert Restriction.objects.get().effective_at is None


@pytest.mark.parametrize(("threat", "how"), [(Threat.SPAM, How.POWER), (Threat.NETWORK, How.MAIL)])
def test_spam_is_answered_with_its_ports_and_nothing_else_is(
    world: World, server: Server, threat: Threat, how: How
) -> None:
    with pytest.raises(RuleViolation, match="only against spam") as refused:
        safeguards.limit(server, threat, how, reason="x", steps="y", actor=world.staff("abuse"), now=world.now)
    assert refused.value.field == "how"


def test_a_server_restricted_so_keeps_its_account_free(world: World, alice: Customer, server: Server) -> None:
    filtered(world, server)
    for verb in ("order", "use_service", "manage_servers"):
        assert restrictions.blocking(alice.account.pk, verb, server) is None
    assert restrictions.in_force_on(server)[0].author_kind != CLOCK.kind
