"""As the owner of a server whose machine was lost I get it back as I left it: my firewall, my addresses and what is
restricted of them are as before, and I am credited for the whole time it was down (SRV-1, SRV-3, SRV-8, SUB-15)."""

import pytest

from invoicing.models import ServiceCredit
from panel.accounts import restrictions
from panel.accounts.models import Account, Restriction
from panel.core import due
from panel.core.actors import CLOCK
from servers import providers
from servers.addressing import moving
from servers.drifting import deciding
from servers.drifting.drift_rules import Decision
from servers.models import Address, Discrepancy, Firewall, Outage, Server
from servers.networking import firewall_rules, firewalls
from servers.networking.firewall_rules import Policy
from servers.providers.simulated.control import Control
from servers.safeguarding import safeguard_rules as law
from servers.safeguarding import safeguards
from tests.support.machines import first_ip, server_of
from tests.support.world import Customer, World, paris
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
WEB = firewall_rules.TEMPLATES["web"].policy()


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-16 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    made = server_of(world, alice, options={"vps-address": 1})
    world.sweep("servers.watch")
    return made


def lost(world: World, cloud: Control, server: Server) -> None:
    cloud.vanish(server.provider_ref)
    world.advance(minutes=5, sweeps=["servers.watch", "servers.reconcile"])


def watch(world: World) -> None:
    due.SWEEPS["servers.watch"].run(world.now)


def remade(world: World, server: Server) -> None:
    """Staff decides; nothing is carried out yet."""
    row = Discrepancy.objects.get(kind="missing", server=server, resolved_at=None)
    deciding.decide(row, Decision.REMAKE, typed=row.ref, reason="gone", actor=world.staff(), now=world.now)


def made(world: World) -> None:
    for _look in range(4):
        world.advance(seconds=10)


def there(server: Server) -> Policy:
    return providers.get("sim-1").firewall(Server.objects.get(pk=server.pk).provider_ref)


def closed(server: Server) -> set[int]:
    return {low for rule in there(server).locks for low, high in rule.ports for low in range(low, high + 1)}


def addresses(server: Server) -> set[str]:
    node = providers.get("sim-1").get(Server.objects.get(pk=server.pk).provider_ref)
    assert node is not None
    return set(node.addresses)


def filtered(world: World, server: Server) -> Ticket:
    made = safeguards.limit(
        server, law.Threat.SPAM, law.How.MAIL, reason="Spam.", steps="Stop.", actor=world.staff("abuse"), now=world.now
    )
    world.work()
    return made


def restrict(world: World, server: Server, address: Address) -> Restriction:
    return restrictions.restrict(
        server.account, scope="address", subject=address, rule="ABU-3", author=CLOCK, statement="No answer.",
        now=world.now, key=f"case-{address.pk}",
    )  # fmt: skip


@pytest.mark.parametrize("new", [True, False])
def test_its_firewall_and_the_filter_of_its_mail_are_in_force_again(
    world: World, alice: Customer, server: Server, cloud: Control, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    firewalls.change(server, WEB, actor=alice.actor, now=world.now)
    filtered(world, server)
    before = there(server)
    lost(world, cloud, server)
    if not new:
        monkeypatch.setattr("invoicing.limiting.limit_rules.Standing.is_new", lambda _self, _law: False)
    asked, turn = world.now, firewalls.of(server).turn
    remade(world, server)
    made(world)
    assert there(server) == before
    assert closed(server) == {25, 465, 587}
    row = firewalls.of(server)
    assert (row.own, row.state, row.is_in_force) == (WEB, Firewall.State.IN_FORCE, True)
    assert row.turn == turn + 1
    assert row.in_force_since is not None
    assert row.in_force_since > asked
    world.advance(minutes=5, sweeps=["servers.watch", "servers.reconcile"])
    assert not Discrepancy.objects.filter(resolved_at=None).exists()
    assert world.failed_operations() == []


def test_a_filter_that_is_lifted_meanwhile_is_lifted(world: World, server: Server, cloud: Control) -> None:
    ticket = filtered(world, server)
    lost(world, cloud, server)
    remade(world, server)
    safeguards.decide(ticket, law.Decision.LIFT, reason="Clean.", actor=world.staff("abuse"), now=world.now)
    made(world)
    assert firewalls.of(server).filtered_ports == ""
    assert closed(server) == {25}  # SUB-4
    assert world.failed_operations() == []


def test_it_gets_the_addresses_that_are_its_own_now_and_no_others(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    other = server_of(world, alice, name="web-2", options={"vps-address": 2})
    lent = Address.objects.get(holdings__server=server, holdings__is_first=False)
    borrowed, reserved = Address.objects.filter(holdings__server=other, holdings__is_first=False).order_by("pk")
    for address, to in ((lent, other), (borrowed, server), (reserved, None)):
        moving.move(address, to, actor=alice.actor, now=world.now)
        world.work()
    before = addresses(server), addresses(other)
    assert before[0] == {first_ip(server), str(borrowed.ip)}
    for one in (server, other):
        lost(world, cloud, one)
        remade(world, one)
        made(world)
        assert (addresses(server), addresses(other)) == before
    assert Server.objects.filter(state="running").count() == 2
    assert world.failed_operations() == []


def test_an_address_that_moves_meanwhile_is_on_one_machine(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    other = server_of(world, alice, name="web-2")
    address = Address.objects.get(holdings__server=server, holdings__is_first=False)
    lost(world, cloud, server)
    cloud.plan("attach_address", "transient")
    moving.move(address, other, actor=alice.actor, now=world.now)
    remade(world, server)
    world.work(kinds=["servers.create"])
    for _ in range(12):
        world.advance(seconds=10)
    assert addresses(server) == {first_ip(server)}
    assert str(address.ip) in addresses(other)
    assert cloud.calls("attach_address").count("refused") == 0


@pytest.mark.parametrize("crash", [False, True])
def test_what_was_cut_off_never_passes_again(world: World, server: Server, cloud: Control, crash: bool) -> None:
    held = Address.objects.filter(holdings__server=server)
    for address in held:
        restrict(world, server, address)
    world.work()
    lost(world, cloud, server)
    remade(world, server)
    if crash:
        cloud.plan("block_address", "transient")
    for _ in range(6):
        world.advance(seconds=10)
        world.work(kinds=["servers.create"])
        now = Server.objects.get(pk=server.pk)
        if now.state == "running":
            assert providers.get("sim-1").blocked(now.provider_ref) == {str(one.ip) for one in held}
    assert Server.objects.get(pk=server.pk).state == "running"
    assert all(one.blocked for one in held.all())
    world.advance(minutes=5, sweeps=["servers.watch", "servers.reconcile"])
    assert not Discrepancy.objects.filter(resolved_at=None).exists()
    assert world.failed_operations() == []


def test_what_is_cut_off_while_it_is_being_made_is_cut_off(world: World, server: Server, cloud: Control) -> None:
    lost(world, cloud, server)
    remade(world, server)
    address = Address.objects.get(holdings__server=server, holdings__is_first=False)
    restriction = restrict(world, server, address)
    made(world)
    restriction.refresh_from_db()
    assert restriction.effective_at is not None
    assert providers.get("sim-1").blocked(Server.objects.get(pk=server.pk).provider_ref) == {str(address.ip)}


def test_it_is_down_until_it_is_back_and_the_whole_time_is_credited(
    world: World, alice: Customer, server: Server, cloud: Control
) -> None:
    """720 h in April; 0.1 % of them is 43.2 min; 150 - 43.2 = 106.8 min, two hours begun, 10 % of EUR 9.00."""
    world.until(paris("2026-04-08 10:00"))
    cloud.vanish(server.provider_ref)
    watch(world)
    world.advance(minutes=30, sweeps=["servers.reconcile"])
    cloud.plan("create", "transient", times=1)
    remade(world, server)
    world.work()
    Server.objects.filter(pk=server.pk).update(state="failed")  # nobody gives up on it
    watch(world)
    Server.objects.filter(pk=server.pk).update(state="creating")
    watch(world)
    assert Outage.objects.get().until is None
    world.until(paris("2026-04-08 12:29"))
    world.until(paris("2026-04-08 12:30"))
    assert Server.objects.get(pk=server.pk).state == "running"
    row = Outage.objects.get()
    assert (row.since, row.until) == (paris("2026-04-08 10:00"), world.now)
    watch(world)
    world.until(paris("2026-05-01 00:30"))
    world.sweep("servers.availability")
    credit = ServiceCredit.objects.get(account=Account.objects.get(pk=alice.account.pk))
    assert (credit.cents, credit.evidence["minutes_down"]) == (90, 150)
    assert credit.evidence["minutes_measured"] == 720 * 60, "it has been its owner's all the month"


def test_what_is_given_up_is_not_down(world: World, server: Server, cloud: Control) -> None:
    lost(world, cloud, server)
    remade(world, server)
    Server.objects.filter(pk=server.pk).update(state="destroying")
    watch(world)
    assert Outage.objects.get().until == world.now
