"""As staff I destroy a server, with a reason that its owner reads and the money that belongs to it: what was asked for
or broken costs what an end costs, what is ours to answer for is credited (SUB-6, SUB-8, SRV-8)."""

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import Invoice, ServiceCredit, Subscription
from invoicing.subscribing import ending_by_us
from invoicing.subscribing.ending_by_us import Ground
from panel.core.errors import RuleViolation
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.verbs import destroying, protection
from tests.support.shop import Shop, open_shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(cloud: Control, world: World) -> Shop:
    return open_shop(world)


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, shop: Shop, alice: Customer) -> Server:
    row = shop.buy(alice, name="web-1")
    for _ in range(3):
        world.advance(seconds=10)
    return Server.objects.select_related("subscription").get(subscription=row)


def destroyed(world: World, server: Server, ground: Ground, **changes: str) -> Subscription:
    given = {"reason": "As you wrote us.", "typed": "web-1"} | changes
    destroying.destroy_for(server, ground, actor=world.staff("infrastructure"), now=world.now, **given)
    world.work()
    return Subscription.objects.get(pk=server.subscription_id)


@pytest.mark.parametrize(("ground", "rule"), [(Ground.ASKED, "SUB-6"), (Ground.BREACH, "SUB-8")])
def test_it_is_gone_and_its_owner_reads_why(
    world: World, alice: Customer, server: Server, cloud: Control, ground: Ground, rule: str
) -> None:
    row = destroyed(world, server, ground)
    assert (row.state, row.end_rule, row.end_reason) == ("terminated", rule, "As you wrote us.")
    assert (Server.objects.get(pk=server.pk).state, cloud.refs()) == ("destroyed", [])
    (mail,) = world.mails("subscription_ended", alice.account)
    assert "As you wrote us." in mail.content.body
    assert server.actions.get(verb="destroy").actor_kind == "person"
    assert not ServiceCredit.objects.exists()


def test_a_reason_of_our_own_gives_the_unused_days_back_once(world: World, server: Server) -> None:
    world.until(paris("2026-03-17 12:00"))
    (paid,) = Invoice.objects.all()
    cost = next(one for one in ending_by_us.costs(server.subscription, now=world.now) if one.ground is Ground.OURS)
    assert (cost.to_pay, cost.credited) == (None, 285)  # 15 of 31 days of EUR 5.90
    destroyed(world, server, Ground.OURS, reason="We give this host up.")
    for _ in range(3):
        world.advance(minutes=10, sweeps=["servers.meter", "invoicing.renew"])
    (note,) = Invoice.objects.exclude(pk=paid.pk)
    assert (note.kind, note.net_cents) == ("credit_note", 285)
    assert ServiceCredit.objects.get().rule == "SUB-8"


def test_the_day_it_was_ordered_all_but_that_day_is_unused(world: World, server: Server) -> None:
    assert ending_by_us.unused(server.subscription, now=world.now) == 571  # 30 of 31 days


def test_what_stops_it_is_said(world: World, alice: Customer, server: Server) -> None:
    for wrong, field in (({"typed": "web-2"}, "confirm"), ({"reason": " "}, "reason")):
        with pytest.raises(RuleViolation) as refused:
            destroyed(world, server, Ground.ASKED, **wrong)
        assert refused.value.field == field
    for actor in (alice.actor, world.staff("support")):
        with pytest.raises(PermissionDenied):
            destroying.destroy_for(server, Ground.ASKED, reason="x", typed="web-1", actor=actor, now=world.now)
    protection.protect(server, on=True, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="protected"):
        destroyed(world, server, Ground.BREACH)
    assert Server.objects.get(pk=server.pk).state == "running"
