"""As staff I limit a server that endangers the network, or that somebody broke into, at once; its owner is mailed the
mandatory steps, answers, and the limit is lifted or becomes permanent (SRV-7, SRV-13)."""

import pytest

from panel.accounts.models import Restriction
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import actions
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.safeguarding import safeguards
from servers.safeguarding.safeguard_rules import Answer, Decision, How, Threat
from tests.support.machines import server_of
from tests.support.world import Customer, World
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
STEPS = "1. Stop the scan.\n2. Change every password."


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-16 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def limited(world: World, server: Server, how: How = How.POWER, threat: Threat = Threat.NETWORK) -> Ticket:
    made = safeguards.limit(
        server, threat, how, reason="It scans its neighbours.", steps=STEPS, actor=world.staff("infrastructure"),
        now=world.now,
    )  # fmt: skip
    world.work()
    return made


def decided(world: World, ticket: Ticket, what: Decision, why: str = "We looked at it.") -> None:
    safeguards.decide(ticket, what, reason=why, actor=world.staff("infrastructure"), now=world.now)
    world.work()


def power(server: Server) -> str:
    return str(Server.objects.get(pk=server.pk).power)


def test_it_is_off_at_once_and_the_steps_are_in_the_mail(world: World, alice: Customer, server: Server) -> None:
    ticket = limited(world, server)
    assert power(server) == "off"
    (mail,) = world.mails("ticket_reply", alice.account)
    assert STEPS in mail.content.body
    assert "It scans its neighbours." in mail.content.body
    assert mail.content.reply_to  # what is answered lands in the request
    row = Restriction.objects.get()
    assert (row.rule, row.scope, row.state) == ("SRV-7", "server", "active")
    assert "SRV-7" in row.statement
    assert Ticket.objects.get(pk=ticket.pk).state == "waiting_customer"
    assert actions.START.refusal(alice.actor, Server.objects.get(pk=server.pk))


def test_only_its_addresses_can_be_cut_off(world: World, server: Server, cloud: Control) -> None:
    limited(world, server, How.ADDRESSES)
    assert power(server) == "on"
    holding = server.holdings.get(until=None)
    assert holding.address.blocked


def test_an_intrusion_is_told_under_its_own_rule(world: World, server: Server) -> None:
    limited(world, server, threat=Threat.INTRUSION)
    assert Restriction.objects.get().rule == "SRV-13"
    assert Event.objects.get(kind="servers.safeguard.limited").rule == "SRV-13"


def test_done_and_looked_at_it_is_lifted_and_runs_again(world: World, alice: Customer, server: Server) -> None:
    ticket = limited(world, server)
    safeguards.answer(ticket, Answer.DONE, words="All reinstalled.", actor=alice.actor, now=world.now)
    assert Ticket.objects.get(pk=ticket.pk).state == "waiting_staff"
    with pytest.raises(RuleViolation):  # who did the steps does not lose the server for good
        decided(world, ticket, Decision.KEEP)
    decided(world, ticket, Decision.LIFT, "Thank you.")
    assert power(server) == "on"
    assert Ticket.objects.get(pk=ticket.pk).state == "closed"
    assert "Thank you." in world.mails("ticket_reply", alice.account)[-1].content.body


def test_not_accepted_a_person_makes_it_permanent_and_can_still_lift_it(
    world: World, alice: Customer, server: Server
) -> None:
    ticket = limited(world, server)
    safeguards.answer(ticket, Answer.REFUSED, words="", actor=alice.actor, now=world.now)
    world.advance(days=400)
    assert Restriction.objects.get().evidence.get("permanent") is None  # the clock decides nothing here
    decided(world, ticket, Decision.KEEP)
    assert Restriction.objects.get().evidence["permanent"] is True
    assert power(server) == "off"
    decided(world, ticket, Decision.LIFT)
    assert power(server) == "on"


def test_a_second_restriction_keeps_it_off(world: World, server: Server) -> None:
    first, second = limited(world, server), limited(world, server, threat=Threat.INTRUSION)
    decided(world, first, Decision.LIFT)
    assert power(server) == "off"
    decided(world, second, Decision.LIFT)
    assert power(server) == "on"


def test_lifted_twice_is_refused_and_changes_nothing(world: World, server: Server) -> None:
    ticket = limited(world, server)
    decided(world, ticket, Decision.LIFT)
    with pytest.raises(RuleViolation, match="lifted already"):
        decided(world, ticket, Decision.LIFT)


def test_without_steps_nothing_is_limited(world: World, server: Server) -> None:
    with pytest.raises(RuleViolation) as refused:
        safeguards.limit(
            server, Threat.NETWORK, How.POWER, reason="Scan.", steps=" ", actor=world.staff(), now=world.now
        )
    assert refused.value.field == "steps"
    assert not Restriction.objects.exists()
    assert not Ticket.objects.exists()
