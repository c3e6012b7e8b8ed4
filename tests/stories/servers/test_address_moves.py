"""As a customer I move an additional address between my servers, keep it on none, and give it back; who held it when is
never in doubt, and no restriction is escaped (SRV-3, ABU-3)."""

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.subscribing import subscriptions
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import providers
from servers.addressing import address_rules, holdings, moving
from servers.models import Address, AddressHolding, Server
from servers.networking import reverse_names
from servers.providers.simulated.control import Control
from servers.safeguarding import safeguards
from servers.safeguarding.safeguard_rules import How, Threat
from servers.verbs import destroying
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


class Scene:
    """Alice with `web-1`, which has an additional address, and `web-2`."""

    def __init__(self, world: World) -> None:
        self.world, self.alice = world, world.customer()
        self.one = server_of(world, self.alice, name="web-1", options={"vps-address": 1})
        self.two = server_of(world, self.alice, name="web-2")
        self.address = Address.objects.get(holdings__server=self.one, holdings__is_first=False)
        self.ip = str(self.address.ip)

    def move(self, to: Server | None, who: Customer | None = None) -> None:
        moving.move(self.address, to, actor=(who or self.alice).actor, now=self.world.now)

    def on(self, server: Server) -> bool:
        node = providers.get("sim-1").get(server.provider_ref)
        return node is not None and self.ip in node.addresses

    @property
    def held(self) -> AddressHolding:
        return AddressHolding.objects.get(address=self.address, until=None)

    def restrict(self, key: str = "case-1") -> Restriction:
        return restrictions.restrict(
            self.alice.account, scope="address", subject=self.address, rule="ABU-3", author=CLOCK,
            statement="No answer within 48 hours.", now=self.world.now, key=key,
        )  # fmt: skip


@pytest.fixture
def scene(cloud: Control) -> Scene:
    return Scene(World())


def test_it_moves_and_the_history_names_each_server_in_its_time(scene: Scene) -> None:
    before = scene.world.now
    scene.world.advance(hours=1)
    scene.move(scene.two)
    scene.world.work()
    assert (scene.on(scene.one), scene.on(scene.two)) == (False, True)
    assert scene.held.server == scene.two
    assert scene.held.ordered_with == scene.one
    then = holdings.holders_between(scene.ip, before, before)
    now = holdings.holders_between(scene.ip, scene.world.now, scene.world.now)
    assert [one.server for one in (*then, *now)] == [scene.one, scene.two]
    action = scene.two.actions.get(verb="address")
    assert (action.state, action.actor_id) == ("done", scene.alice.user.pk)
    assert Event.objects.filter(kind="servers.address.moved", rule="SRV-3").count() == 1


def test_on_no_server_it_stays_reserved_for_whoever_pays_for_it(scene: Scene) -> None:
    scene.move(scene.two)
    scene.world.work()
    scene.move(None)
    scene.world.work()
    assert not scene.on(scene.two)
    assert (scene.held.attached, scene.held.server, scene.held.account) == (False, scene.one, scene.alice.account)
    assert Address.objects.get(pk=scene.address.pk).state == "held"
    (reserved,) = holdings.holders_between(scene.ip, scene.world.now, scene.world.now)
    assert reserved.account == scene.alice.account
    scene.move(scene.one)
    scene.world.work()
    assert scene.on(scene.one)


def test_a_lost_answer_or_two_clicks_move_it_once(scene: Scene, cloud: Control) -> None:
    cloud.plan("detach_address", "lost")
    cloud.plan("attach_address", "lost")
    scene.move(scene.two)
    scene.move(scene.two)
    for _ in range(4):
        scene.world.advance(minutes=1)
    assert (scene.on(scene.one), scene.on(scene.two)) == (False, True)
    assert scene.two.actions.filter(verb="address").count() == 1
    assert AddressHolding.objects.filter(address=scene.address).count() == 2


def test_a_place_that_stays_silent_leaves_it_in_one_place_and_staff_takes_it_up(scene: Scene, cloud: Control) -> None:
    cloud.plan("attach_address", "refused")
    scene.move(scene.two)
    scene.world.work()
    assert (scene.on(scene.one), scene.on(scene.two)) == (False, False)
    assert scene.held.server == scene.two
    assert [op.kind for op in scene.world.failed_operations()] == ["servers.address_move"]
    assert scene.two.actions.get(verb="address").state == "failed"
    scene.move(scene.one)  # the customer needs not wait for us
    scene.world.work()
    assert scene.on(scene.one)
    assert scene.held.server == scene.one


def test_what_is_restricted_stays_where_it_is(scene: Scene) -> None:
    restriction = scene.restrict()
    scene.world.work()
    for to in (scene.two, None):
        with pytest.raises(RuleViolation, match="restricted"):
            scene.move(to)
    restrictions.lift(restriction.pk, reason="reversed", actor=CLOCK, now=scene.world.now)
    scene.world.work()
    scene.move(scene.two)
    scene.world.work()
    assert scene.on(scene.two)


def test_no_address_comes_to_a_server_that_is_restricted(scene: Scene) -> None:
    restrictions.restrict(
        scene.alice.account, scope="address", subject=scene.two.holdings.get().address, rule="SRV-7", author=CLOCK,
        statement="It floods the network.", now=scene.world.now, key="limit",
    )  # fmt: skip
    with pytest.raises(RuleViolation, match="restricted"):
        scene.move(scene.two)


def test_a_limit_of_the_target_that_crosses_the_move_is_not_escaped(scene: Scene) -> None:
    scene.move(scene.two)
    safeguards.limit(
        scene.two, Threat.NETWORK, How.ADDRESSES, reason="It floods the network.", steps="Stop it.",
        actor=scene.world.staff("infrastructure"), now=scene.world.now,
    )  # fmt: skip
    for _ in range(3):
        scene.world.advance(seconds=10)
    assert (scene.on(scene.one), scene.on(scene.two)) == (False, False)
    assert scene.two.actions.get(verb="address").state == "cancelled"
    assert not scene.held.attached
    scene.move(scene.one)
    scene.world.work()
    assert scene.on(scene.one), "what is not limited has it"


def test_what_is_not_paid_for_works_nowhere_else(scene: Scene) -> None:
    scene.move(None)
    scene.world.work()
    subscriptions.suspend(scene.one.subscription, because="SUB-8", rule="SUB-8", now=scene.world.now, actor=CLOCK)
    with pytest.raises(RuleViolation, match="restricted"):
        scene.move(scene.two)


def test_moves_asked_for_one_after_the_other_count(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_rules, "MOST_ON_ONE", 3)
    three = server_of(scene.world, scene.alice, name="web-3", options={"vps-address": 3})
    first, second, third = Address.objects.filter(holdings__server=three, holdings__is_first=False).order_by("pk")
    for address in (first, second):
        moving.move(address, scene.two, actor=scene.alice.actor, now=scene.world.now)
    with pytest.raises(RuleViolation, match="at most"):
        moving.move(third, scene.two, actor=scene.alice.actor, now=scene.world.now)
    scene.world.work()
    assert scene.two.holdings.attached().count() == 3


def test_a_restriction_that_crosses_the_move_is_in_force_at_its_end(scene: Scene) -> None:
    scene.move(scene.two)
    restriction = scene.restrict()
    for _ in range(4):
        scene.world.advance(seconds=10)
    restriction.refresh_from_db()
    assert restriction.effective_at is not None
    assert (scene.on(scene.one), scene.on(scene.two)) == (False, False)  # or cut off where it is
    assert scene.two.actions.get(verb="address").state == "cancelled"
    assert Address.objects.get(pk=scene.address.pk).blocked
    with pytest.raises(RuleViolation, match="restricted"):
        scene.move(scene.one)
    restrictions.lift(restriction.pk, reason="reversed", actor=CLOCK, now=scene.world.now)
    scene.world.work()
    scene.move(scene.one)
    scene.world.work()
    assert scene.on(scene.one)
    assert not providers.get("sim-1").blocked(scene.one.provider_ref)


def test_others_cannot_touch_it_nor_get_it(scene: Scene) -> None:
    bob = scene.world.customer("Bob")
    theirs = server_of(scene.world, bob, name="bob-1")
    with pytest.raises(RuleViolation, match="not among yours"):
        scene.move(theirs)
    with pytest.raises(RuleViolation, match="Nobody of this account"):
        scene.move(theirs, bob)
    with pytest.raises(PermissionDenied):
        moving.move(scene.address, None, actor=scene.world.contact(scene.alice, ["see"]).actor, now=scene.world.now)
    first = scene.one.holdings.get(is_first=True).address
    with pytest.raises(RuleViolation, match="came with its server"):
        moving.move(first, scene.two, actor=scene.alice.actor, now=scene.world.now)


def test_its_name_goes_with_it(scene: Scene) -> None:
    reverse_names.set_name(scene.one, scene.ip, "", actor=scene.alice.actor, now=scene.world.now)
    scene.move(scene.two)
    scene.world.work()
    assert scene.ip in [str(one.address.ip) for one, _name in reverse_names.names_of(scene.two)]
    assert scene.ip not in [str(one.address.ip) for one, _name in reverse_names.names_of(scene.one)]


def test_the_server_that_pays_for_it_ends_and_takes_it_off_the_other(scene: Scene) -> None:
    scene.move(scene.two)
    scene.world.work()
    destroying.destroy(scene.one, typed="web-1", actor=scene.alice.actor, now=scene.world.now)
    scene.world.work()
    assert not scene.on(scene.two)
    assert Address.objects.get(pk=scene.address.pk).state == "quarantine"
    assert Server.objects.get(pk=scene.one.pk).state == "destroyed"
    assert scene.two.holdings.now().count() == 1


def test_the_server_it_is_on_ends_and_it_stays_reserved(scene: Scene) -> None:
    scene.move(scene.two)
    scene.world.work()
    destroying.destroy(scene.two, typed="web-2", actor=scene.alice.actor, now=scene.world.now)
    scene.world.work()
    assert (scene.held.attached, scene.held.server) == (False, scene.one)
    assert Address.objects.get(pk=scene.address.pk).state == "held"


def test_an_end_that_is_asked_for_while_it_moves_waits_for_it(scene: Scene, cloud: Control) -> None:
    cloud.plan("attach_address", "transient")
    scene.move(scene.two)
    destroying.destroy(scene.one, typed="web-1", actor=scene.alice.actor, now=scene.world.now)
    for _ in range(6):
        scene.world.advance(minutes=1)
    assert not scene.on(scene.two)
    assert Address.objects.get(pk=scene.address.pk).state == "quarantine"
    assert not AddressHolding.objects.filter(address=scene.address, until=None).exists()


def test_an_address_on_the_wrong_machine_is_found_and_put_right(scene: Scene, cloud: Control) -> None:
    cloud.put_address(scene.one.provider_ref, scene.ip, there=False)
    cloud.put_address(scene.two.provider_ref, scene.ip, there=True)
    scene.world.advance(minutes=5, sweeps=["servers.reconcile"])
    kinds = set(scene.two.discrepancies.values_list("kind", flat=True))
    assert kinds == {"address_extra"}
    for _ in range(3):
        scene.world.advance(minutes=5, sweeps=["servers.reconcile"])
    assert (scene.on(scene.one), scene.on(scene.two)) == (True, False)
    assert not scene.one.discrepancies.filter(resolved_at=None).exists()
    assert not scene.two.discrepancies.filter(resolved_at=None).exists()


def test_a_service_with_an_address_elsewhere_is_not_transferred(scene: Scene) -> None:
    from servers import handing_over

    scene.move(scene.two)
    scene.world.work()
    for server in (scene.one, scene.two):
        assert "Move it back first" in handing_over.refusal(server.subscription)
