"""As a customer I am told of maintenance by mail at least 24 hours before, with its reason and duration, and see how
it goes; what was announced in time does not count against the promised availability, anything else does (SUB-10,
SUB-15)."""

from datetime import timedelta

import pytest

from panel.core import due, live
from panel.core.errors import RuleViolation
from servers import outages
from servers.maintaining import interruptions
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind
from servers.models import AvailabilityMonth, Interruption, InterruptionNotice, Outage, Server
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
TITLE = Words("New switches", "Nouveaux commutateurs")
REASON = Words("We replace two switches.", "Nous remplaçons deux commutateurs.")
HERE = "sim-1"


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-16 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    made = server_of(world, alice)
    due.SWEEPS["servers.watch"].run(world.now)
    return made


def plan(since: str, until: str, kind: Kind = Kind.PLANNED, **more: object) -> Plan:
    wanted = {"place": HERE, "title": TITLE, "reason": REASON, "starts_at": paris(since), "ends_at": paris(until)}
    return Plan(kind, **{**wanted, **more})  # type: ignore[arg-type]


def announced(world: World, since: str, until: str, kind: Kind = Kind.PLANNED, **more: object) -> Interruption:
    made = interruptions.announce(plan(since, until, kind, **more), actor=world.staff("infrastructure"), now=world.now)
    world.work()
    return made


def down(server: Server, since: str, until: str) -> None:
    Outage.objects.create(server=server, account=server.account, since=paris(since), until=paris(until))


def reckoned(world: World) -> tuple[int, int]:
    world.until(paris("2026-05-01 00:30"))
    world.sweep("servers.availability")
    row = AvailabilityMonth.objects.get()
    return row.down_seconds // 3600, row.credited_cents


def test_the_mail_names_the_reason_the_time_and_the_servers(world: World, alice: Customer, server: Server) -> None:
    bob = world.customer("Bob", country="FR")
    announced(world, "2026-04-08 22:00", "2026-04-09 00:00")
    (mail,) = world.mails("servers/interruption")
    assert mail.account_id == alice.account.pk != bob.account.pk
    body = mail.content.body
    assert "2026-04-08 22:00 CEST" in body
    assert "2026-04-09 00:00 CEST" in body
    assert "2\u00a0h" in body
    assert REASON.text in body
    assert server.name in body
    assert mail.accepted_at == world.now


def test_a_french_reader_is_told_in_french(world: World, alice: Customer, server: Server) -> None:
    type(alice.account).objects.update(language="fr")
    announced(world, "2026-04-08 22:00", "2026-04-09 00:00")
    (mail,) = world.mails("servers/interruption")
    assert mail.content.subject == "Maintenance planifiée : Nouveaux commutateurs"
    assert REASON.french in mail.content.body


def test_less_than_a_day_before_is_refused_and_loses_nothing(world: World, server: Server) -> None:
    staff = world.staff("infrastructure")
    soonest = world.now + timedelta(hours=25)  # the notice, and an hour for the mails to leave
    late = Plan(Kind.PLANNED, HERE, TITLE, REASON, soonest - timedelta(seconds=1), soonest + timedelta(hours=1))
    with pytest.raises(RuleViolation, match="at least 24 hours before") as refused:
        interruptions.announce(late, actor=staff, now=world.now)
    assert (refused.value.field, refused.value.rule) == ("starts_at", "SUB-10")
    in_time = Plan(Kind.PLANNED, HERE, TITLE, REASON, soonest, soonest + timedelta(hours=1))
    interruptions.announce(in_time, actor=staff, now=world.now)
    assert Interruption.objects.count() == 1


def test_what_was_announced_in_time_does_not_count(world: World, server: Server) -> None:
    announced(world, "2026-04-08 22:00", "2026-04-09 01:00")
    down(server, "2026-04-08 22:30", "2026-04-09 00:30")
    assert reckoned(world) == (0, 0)
    month = outages.figure(server, paris("2026-04-01 00:00").date().replace(day=1, month=4), now=world.now)
    assert (month.down_minutes, month.excused_minutes) == (0, 120)


def test_beyond_its_announced_end_it_counts(world: World, server: Server) -> None:
    row = announced(world, "2026-04-08 22:00", "2026-04-09 00:00")
    world.until(paris("2026-04-08 23:30"), sweeps=["servers.maintenance"])
    interruptions.extend(
        row, paris("2026-04-09 03:00"), Words("A cable is missing."), actor=world.staff("infrastructure"), now=world.now
    )
    world.work()
    assert "2026-04-09 03:00" in world.mails("servers/interruption")[-1].content.body
    down(server, "2026-04-08 22:00", "2026-04-09 03:00")
    assert reckoned(world) == (3, 135)  # 180 min beyond; 43.2 allowed: three hours begun, 15 % of EUR 9.00


def test_an_emergency_says_so_and_counts(world: World, server: Server) -> None:
    world.until(paris("2026-04-08 21:55"))
    row = announced(world, "2026-04-08 22:00", "2026-04-09 01:00", Kind.EMERGENCY)
    assert "this is an emergency" in world.mails("servers/interruption")[0].content.body
    down(server, "2026-04-08 22:00", "2026-04-09 01:00")
    assert reckoned(world) == (3, 135)
    assert row.kind == "emergency"


def test_who_was_told_too_late_is_not_shielded_against(world: World, server: Server) -> None:
    """The mail left only after the outgoing server had been down for a day."""
    announced(world, "2026-04-08 22:00", "2026-04-09 01:00")
    notice = InterruptionNotice.objects.get()
    type(notice.mail).objects.update(accepted_at=paris("2026-04-07 22:00:01"))
    down(server, "2026-04-08 22:00", "2026-04-09 01:00")
    assert reckoned(world) == (3, 135)


def test_ended_early_it_excuses_no_longer(world: World, server: Server) -> None:
    row = announced(world, "2026-04-08 22:00", "2026-04-09 04:00")
    world.until(paris("2026-04-08 23:00"), sweeps=["servers.maintenance"])
    interruptions.finish(row, Words("Done."), actor=world.staff("infrastructure"), now=world.now)
    down(server, "2026-04-08 22:00", "2026-04-09 02:00")
    assert reckoned(world) == (3, 135)


def test_a_cancelled_one_excuses_nothing_and_is_told(world: World, alice: Customer, server: Server) -> None:
    row = announced(world, "2026-04-08 22:00", "2026-04-09 01:00")
    interruptions.cancel(row, Words("The parts are late."), actor=world.staff("infrastructure"), now=world.now)
    world.customer("Late")
    world.work()
    first, second = world.mails("servers/interruption")
    assert second.content.subject.startswith("Cancelled: ")
    assert "The parts are late." in second.content.body
    assert first.account_id == second.account_id
    down(server, "2026-04-08 22:00", "2026-04-09 01:00")
    assert reckoned(world) == (3, 135)


def test_the_clock_begins_and_ends_it_however_late_it_looks(world: World, server: Server) -> None:
    row = announced(world, "2026-04-08 22:00", "2026-04-09 00:00")
    world.until(paris("2026-04-12 08:00"))
    for _ in range(2):
        world.sweep("servers.maintenance")
    row.refresh_from_db()
    assert (row.state, row.over_at) == ("over", paris("2026-04-09 00:00"))
    said = list(row.updates.values_list("what", "at"))
    begun = paris("2026-04-08 22:00")
    assert said == [("announced", row.announced_at), ("begun", begun), ("over", row.over_at)]


def test_who_orders_meanwhile_is_told_too_once(world: World, server: Server) -> None:
    announced(world, "2026-04-08 22:00", "2026-04-09 00:00")
    bob = world.customer("Bob")
    server_of(world, bob)
    for _ in range(3):
        world.advance(sweeps=["servers.maintenance"], minutes=1)
    told = [mail.account_id for mail in world.mails("servers/interruption")]
    assert told == [server.account_id, bob.account.pk]


def test_only_the_servers_named_are_concerned(world: World, alice: Customer, server: Server) -> None:
    bob = world.customer("Bob")
    other = server_of(world, bob)
    announced(world, "2026-04-08 22:00", "2026-04-09 01:00", servers=[other])
    assert [mail.account_id for mail in world.mails("servers/interruption")] == [bob.account.pk]
    down(server, "2026-04-08 22:00", "2026-04-09 01:00")
    assert reckoned(world) == (3, 135)


def test_a_crash_between_portions_mails_nobody_twice(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servers.maintaining import telling

    for name in ("Bob", "Carol"):
        server_of(world, world.customer(name))
    monkeypatch.setattr(telling, "PORTION", 1)
    written = telling._write

    def dies(*given: object, **more: object) -> None:
        if InterruptionNotice.objects.count() == 2:
            monkeypatch.setattr(telling, "_write", written)
            raise OSError("killed")
        written(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(telling, "_write", dies)
    announced(world, "2026-04-08 22:00", "2026-04-09 01:00")
    assert len(world.mails("servers/interruption")) == 2
    world.advance(minutes=10)
    assert len(world.mails("servers/interruption")) == 3
    assert InterruptionNotice.objects.count() == 3


def test_an_incident_is_shown_at_once_and_mailed_if_staff_wishes(world: World, server: Server) -> None:
    staff = world.staff("infrastructure")
    with pytest.raises(RuleViolation, match="has begun"):
        interruptions.announce(plan("2026-04-08 22:00", "2026-04-09 01:00", Kind.INCIDENT), actor=staff, now=world.now)
    quiet = Plan(Kind.INCIDENT, HERE, TITLE, REASON, world.now, world.now + timedelta(hours=4), mailed=False)
    row = interruptions.announce(quiet, actor=staff, now=world.now)
    world.work()
    assert row.state == "under_way"
    assert not world.mails("servers/interruption")
    interruptions.note(row, Words("A router is replaced."), mailed=True, actor=world.staff("support"), now=world.now)
    world.work()
    assert "A router is replaced." in world.mails("servers/interruption")[0].content.body
    world.advance(days=2, sweeps=["servers.maintenance"])
    row.refresh_from_db()
    assert row.state == "under_way"  # the clock ends no incident


def test_open_pages_of_those_concerned_hear_of_it(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(live, "publish", lambda topics, *rest: heard.extend(topics))
    announced(world, "2026-04-08 22:00", "2026-04-09 01:00")
    assert f"account:{server.account_id}" in heard
    assert "staff" in heard
