"""As a customer I decide who may log in to my server from the panel, and I see who did (SRV-8)."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from panel.accounts import contacts
from panel.accounts.models import actor_of
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import keys, places
from servers.models import Discrepancy, Server, TerminalPermit, TerminalSession
from servers.providers.simulated import SimulatedCloud
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.terminals import permits, sessions, terminal_actions
from servers.terminals.terminal_rules import Ending
from servers.verbs import power, rebuilding
from tests.support import hosts
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cloud", "as_if_real")]


@pytest.fixture
def as_if_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who decides what is asked here; logging in is another story (tests/browser/test_terminal.py)."""
    real = SimpleNamespace(is_simulated=lambda _place: False, capabilities=places.capabilities)
    monkeypatch.setattr(terminal_actions, "places", real)


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def on_machine(cloud: Control, server: Server) -> set[str]:
    return {key.split()[1] for key in cloud.keys(server.provider_ref)}


def permitted(world: World, server: Server, alice: Customer) -> TerminalPermit:
    permits.permit(server, actor=alice.actor, now=world.now)
    world.work()
    return TerminalPermit.objects.get(server=server)


def opened(world: World, server: Server, actor: Actor) -> TerminalSession:
    session, target = sessions.begin(server, actor=actor, now=world.now)
    assert (target.host_key, target.user) == (server.host_key, "root")
    sessions.connected(session, actor=actor, now=world.now)
    return session


def kinds(server: Server) -> list[str]:
    rows = Event.objects.filter(kind__startswith="servers.terminal.").order_by("pk")
    return [row.kind.removeprefix("servers.terminal.") for row in rows if row.account_id == server.account_id]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(RuleViolation) as refusal:
        call()
    return str(refusal.value.sentence)


def test_nobody_logs_in_before_the_customer_permits_it(
    world: World, server: Server, alice: Customer, cloud: Control
) -> None:
    assert "Nobody has permitted" in refused(lambda: sessions.begin(server, actor=alice.actor, now=world.now))
    permits.permit(server, actor=alice.actor, now=world.now)
    assert "not on the server yet" in refused(lambda: sessions.begin(server, actor=alice.actor, now=world.now))
    world.work()

    row = TerminalPermit.objects.get(server=server)
    assert row.state == "in_force"
    assert row.public_key.split()[1] in on_machine(cloud, server)
    _, target = sessions.begin(server, actor=alice.actor, now=world.now)
    assert "OPENSSH PRIVATE KEY" in target.private_key
    assert kinds(server) == ["permitted"]
    permits.permit(server, actor=alice.actor, now=world.now)
    assert TerminalPermit.objects.get(server=server).public_key == row.public_key, "the same permission"


def test_the_private_key_is_kept_encrypted(world: World, server: Server, alice: Customer) -> None:
    permitted(world, server, alice)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key FROM servers_terminalpermit")
        (kept,) = cursor.fetchone()
    assert "PRIVATE KEY" not in kept


def test_withdrawing_forgets_the_key_at_once_and_ends_what_is_open(
    world: World, server: Server, alice: Customer, cloud: Control
) -> None:
    row = permitted(world, server, alice)
    session = opened(world, server, alice.actor)
    assert sessions.must_end(session, alice.actor, now=world.now) is None
    permits.withdraw(server, actor=alice.actor, now=world.now)
    assert TerminalPermit.objects.get(server=server).private_key == "", "before the machine is even asked"
    assert sessions.must_end(session, alice.actor, now=world.now) is Ending.WITHDRAWN
    assert "still being taken off" in refused(lambda: permits.permit(server, actor=alice.actor, now=world.now))
    world.work()
    assert row.public_key.split()[1] not in on_machine(cloud, server)
    assert TerminalPermit.objects.get(server=server).state == "ended"

    again = permitted(world, server, alice)
    assert again.public_key != row.public_key
    assert kinds(server) == ["permitted", "opened", "withdrawn", "permitted"]


def test_who_was_there_for_how_long_is_kept_and_nothing_else(world: World, server: Server, alice: Customer) -> None:
    permitted(world, server, alice)
    session = opened(world, server, alice.actor)
    world.advance(minutes=3)
    sessions.end(session, Ending.EXITED, actor=alice.actor, now=world.now)
    world.advance(minutes=1)
    sessions.end(session, Ending.LEFT, actor=alice.actor, now=world.now)

    row = TerminalSession.objects.get()
    assert (row.lasted, row.ending, row.by_staff) == (timedelta(minutes=3), "exited", False)
    told = Event.objects.get(kind="servers.terminal.closed")
    assert told.data == {"server_id": server.pk, "session": row.pk, "seconds": 180}
    assert (told.actor_id, told.rule) == (alice.user.pk, "SRV-8")
    assert kinds(server) == ["permitted", "opened", "closed"]


def test_staff_is_let_in_by_the_customer_alone_and_for_some_days(world: World, server: Server, alice: Customer) -> None:
    tech, support = world.staff("infrastructure"), world.staff("support")
    assert "Nobody has permitted" in refused(lambda: sessions.begin(server, actor=tech, now=world.now))
    permitted(world, server, alice)
    assert "not let staff in" in refused(lambda: sessions.begin(server, actor=tech, now=world.now))
    with pytest.raises(PermissionDenied):
        permits.let_staff_in(server, 1, actor=tech, now=world.now)
    with pytest.raises(PermissionDenied):
        permits.permit(server, actor=tech, now=world.now)
    assert "at most" in refused(lambda: permits.let_staff_in(server, 1000, actor=alice.actor, now=world.now))

    permits.let_staff_in(server, 1, actor=alice.actor, now=world.now)
    with pytest.raises(PermissionDenied):
        sessions.begin(server, actor=support, now=world.now)
    session = opened(world, server, tech)
    assert session.by_staff
    world.advance(hours=23)
    assert sessions.must_end(session, tech, now=world.now) is None
    world.advance(hours=1)
    assert sessions.must_end(session, tech, now=world.now) is Ending.WITHDRAWN

    permits.let_staff_in(server, 7, actor=alice.actor, now=world.now)
    permits.let_staff_in(server, 0, actor=alice.actor, now=world.now)
    assert "not let staff in" in refused(lambda: sessions.begin(server, actor=tech, now=world.now))


def test_contacts_without_the_permission_and_strangers_stay_out(world: World, server: Server, alice: Customer) -> None:
    permitted(world, server, alice)
    contact = contacts.invite(
        alice.account, email="bob@customer.example", name="Bob", wanted=["see", "servers"], actor=alice.actor, link="/",
        now=world.now,
    )  # fmt: skip

    def bob() -> Actor:
        return actor_of(contact.user, account_id=alice.account.pk)

    session = opened(world, server, bob())
    contacts.change(contact, wanted=["see"], actor=alice.actor, now=world.now)
    assert sessions.must_end(session, bob(), now=world.now) is Ending.WITHDRAWN, "the role is gone"
    with pytest.raises(PermissionDenied):
        sessions.begin(server, actor=bob(), now=world.now)
    assert sessions.must_end(session, None, now=world.now) is Ending.SIGNED_OUT
    assert sessions.must_end(session, alice.actor, now=world.now) is Ending.SIGNED_OUT, "another person's session"


def test_a_terminal_ends_with_the_machine(world: World, server: Server, alice: Customer) -> None:
    permitted(world, server, alice)
    session = opened(world, server, alice.actor)
    power.request(server, Verb.CUT, actor=alice.actor, now=world.now)
    world.work()
    assert sessions.must_end(session, alice.actor, now=world.now) is Ending.WITHDRAWN
    assert "does not run" in refused(
        lambda: sessions.begin(Server.objects.get(pk=server.pk), actor=alice.actor, now=world.now)
    )


def test_a_restriction_ends_it_too(world: World, server: Server, alice: Customer) -> None:
    from panel.accounts import restrictions

    permitted(world, server, alice)
    session = opened(world, server, alice.actor)
    restrictions.restrict(
        alice.account, scope="server", rule="SRV-13", statement="Somebody else is in.", key="cut-off", subject=server,
        author=world.staff("infrastructure"), now=world.now,
    )  # fmt: skip
    assert sessions.must_end(session, alice.actor, now=world.now) is Ending.WITHDRAWN
    assert "suspended" in refused(lambda: sessions.begin(server, actor=alice.actor, now=world.now))


def test_so_many_at_a_time_and_the_dead_do_not_count(
    world: World, server: Server, alice: Customer, settings: Any
) -> None:
    settings.CLAUSE_TERMINAL = settings.CLAUSE_TERMINAL | {"per_person": 2, "per_server": 3}
    permitted(world, server, alice)
    first, _second = (opened(world, server, alice.actor) for _ in range(2))
    assert "2 terminals open already" in refused(lambda: sessions.begin(server, actor=alice.actor, now=world.now))

    permits.let_staff_in(server, 1, actor=alice.actor, now=world.now)
    tech, other = world.staff("infrastructure"), world.staff("infrastructure", name="Lou")
    opened(world, server, tech)
    assert "3 terminals to this server" in refused(lambda: sessions.begin(server, actor=other, now=world.now))

    world.advance(seconds=100)
    sessions.renew(first, now=world.now)
    died_at = world.now
    world.advance(seconds=60)
    assert sessions.close_dead(world.now, dry_run=True).would
    assert sessions.close_dead(world.now).done == 2
    rows = dict(TerminalSession.objects.values_list("pk", "ending"))
    assert [rows[pk] for pk in sorted(rows)] == ["", "lost", "lost"]
    assert sessions.must_end(first, alice.actor, now=world.now) is None
    world.advance(seconds=120)
    assert sessions.close_dead(world.now).done == 1
    assert TerminalSession.objects.get(pk=first.pk).ended_at == died_at, "when it was last seen alive"


def test_another_host_key_becomes_a_finding_for_staff(world: World, server: Server, alice: Customer) -> None:
    permitted(world, server, alice)
    session, _ = sessions.begin(server, actor=alice.actor, now=world.now)
    sessions.end(session, Ending.HOST_KEY, actor=alice.actor, now=world.now)
    found = Discrepancy.objects.get()
    assert (found.kind, found.server_id, found.resolved_at) == ("host_key", server.pk, None)
    assert kinds(server) == ["permitted", "failed"]
    assert TerminalSession.objects.get().lasted is None


def test_a_rebuilt_or_rescued_machine_lets_the_panel_in_still(
    world: World, server: Server, alice: Customer, cloud: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = permitted(world, server, alice)
    rebuilding.rebuild(server, server.image, typed=server.name, actor=alice.actor, now=world.now)
    world.advance(seconds=60)
    assert row.public_key.split()[1] in on_machine(cloud, server)

    let_in: list[tuple[str, ...]] = []
    rescue = SimulatedCloud.rescue
    monkeypatch.setattr(
        SimulatedCloud, "rescue", lambda self, ref, keys: (let_in.append(keys), rescue(self, ref, keys))[1]
    )
    keys.add(alice.account, name="mine", public_key=hosts.Customer().public, actor=alice.actor, now=world.now)
    power.request(Server.objects.get(pk=server.pk), Verb.RESCUE, actor=alice.actor, now=world.now)
    world.advance(seconds=60)
    assert row.public_key in let_in[-1]
    permits.withdraw(server, actor=alice.actor, now=world.now)
    assert permits.keys_on(server) == ()


def test_a_place_that_fails_ends_in_the_staffs_queue(
    world: World, server: Server, alice: Customer, cloud: Control
) -> None:
    cloud.plan("add_key", "refused")
    permits.permit(server, actor=alice.actor, now=world.now)
    world.work()
    assert TerminalPermit.objects.get(server=server).state == "failed"
    assert world.failed_operations()
    assert kinds(server)[-1] == "key_failed"
    permitted(world, server, alice)
    assert TerminalPermit.objects.get(server=server).state == "in_force"


def test_the_next_holder_gives_their_own_permission(world: World, server: Server, alice: Customer) -> None:
    row = permitted(world, server, alice)
    session = opened(world, server, alice.actor)
    bob = world.customer("Bob")
    Server.objects.filter(pk=server.pk).update(account=bob.account)
    theirs = Server.objects.get(pk=server.pk)
    from django.db import transaction

    with transaction.atomic():
        permits.handed_over(theirs, now=world.now)
    assert sessions.must_end(session, alice.actor, now=world.now) is Ending.WITHDRAWN
    world.work()
    kept = TerminalPermit.objects.get(server=server)
    assert (kept.state, kept.private_key, kept.account_id) == ("ended", "", bob.account.pk)
    assert permits.permit(theirs, actor=bob.actor, now=world.now).public_key != row.public_key


def test_a_simulated_machine_has_none(
    world: World, server: Server, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert "simulated" in refused(lambda: permits.permit(server, actor=alice.actor, now=world.now))
