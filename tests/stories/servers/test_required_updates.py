"""As a customer I learn by e-mail that an update is required, have my working days for it, and pay the hourly rate only
where I let them pass and you install it (SUB-11)."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import PermissionDenied

from invoicing.models import Charge
from panel.core.actors import Actor
from panel.core.calendars import PARIS
from panel.core.errors import RuleViolation
from panel.core.models import Event, Operation
from servers.managing import required_updates
from servers.models import RequiredUpdate, Server
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("cloud")]
SWEEP = "servers.updates"


@pytest.fixture
def world() -> World:
    return World("2026-04-01 16:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def staff(world: World) -> Actor:
    return world.staff("infrastructure")


@pytest.fixture
def server(world: World, alice: Customer) -> Server:
    return server_of(world, alice)


def required(world: World, server: Server, staff: Actor) -> RequiredUpdate:
    row = required_updates.announce(
        server, title="PHP 8.1", why="It gets no fixes any more: 8.3.", actor=staff, now=world.now
    )
    world.work()
    row.refresh_from_db()
    return row


def paris(moment: datetime | None) -> str:
    assert moment is not None
    return f"{moment.astimezone(PARIS):%Y-%m-%d %H:%M}"


def test_thirty_working_days_from_the_e_mail_without_holidays(
    world: World, alice: Customer, server: Server, staff: Actor
) -> None:
    row = required(world, server, staff)
    # Easter Monday, 1, 8 and 14 May (Ascension) and five week-ends do not count
    assert paris(row.until) == "2026-05-20 00:00"
    (mail,) = world.mails("servers/update_required", alice.account)
    assert row.told_at == mail.accepted_at
    for words in ("PHP 8.1", "30 working days", "72", "SUB-11"):
        assert words in mail.content.body, words
    assert row.until is not None
    world.until(row.until, sweeps=[SWEEP])
    row.refresh_from_db()
    assert row.state == "announced", "its last instant is in time"
    with pytest.raises(RuleViolation, match="still has time"):
        required_updates.installed(row, 60, actor=staff, now=world.now)
    world.advance(seconds=1, sweeps=[SWEEP])
    row.refresh_from_db()
    assert row.state == "due"
    assert len(world.mails("servers/update_due", alice.account)) == 1
    assert Charge.objects.count() == 0, "a person decides"


def test_the_clock_waits_for_the_mail_server(world: World, server: Server, staff: Actor) -> None:
    row = required_updates.announce(server, title="PHP", why="Old.", actor=staff, now=world.now)
    assert row.until is None
    Operation.objects.filter(kind="mail.send").update(due_at=datetime(2026, 5, 4, 8, tzinfo=UTC))
    world.until(datetime(2026, 5, 4, 8, tzinfo=UTC), sweeps=[SWEEP])
    row.refresh_from_db()
    assert row.told_at == datetime(2026, 5, 4, 8, tzinfo=UTC)
    assert paris(row.until) == "2026-06-19 00:00"


def test_i_am_reminded_with_ten_and_with_two_working_days_left(
    world: World, alice: Customer, server: Server, staff: Actor
) -> None:
    row = required(world, server, staff)
    dates = []
    while row.state == "announced":
        world.advance(hours=8, sweeps=[SWEEP])
        row.refresh_from_db()
        dates += [paris(world.now)[:10]] * (len(world.mails("servers/update_reminder")) - len(dates))
    assert dates == ["2026-05-01", "2026-05-16"]
    assert paris(world.now)[:10] == "2026-05-20"
    (first, _second) = world.mails("servers/update_reminder", alice.account)
    assert "19 May 2026" in first.content.body


def test_after_a_gap_of_the_clock_one_reminder_stands_for_those_missed(
    world: World, server: Server, staff: Actor
) -> None:
    row = required(world, server, staff)
    assert row.until is not None
    world.advance(days=46, sweeps=[SWEEP, SWEEP])
    assert len(world.mails("servers/update_reminder")) == 1


def test_installed_by_myself_even_late_costs_nothing(
    world: World, alice: Customer, server: Server, staff: Actor
) -> None:
    row = required(world, server, staff)
    world.advance(days=60, sweeps=[SWEEP])
    looker = world.contact(alice, ["see"]).actor
    with pytest.raises(PermissionDenied):
        required_updates.done(row, actor=looker, now=world.now)
    required_updates.done(row, actor=alice.actor, now=world.now)
    row.refresh_from_db()
    assert row.state == "done"
    with pytest.raises(RuleViolation, match="settled"):
        required_updates.installed(row, 60, actor=staff, now=world.now)
    world.advance(days=30, sweeps=[SWEEP])
    assert Charge.objects.count() == 0


def test_installed_by_us_the_hourly_rate_is_billed_once(
    world: World, alice: Customer, server: Server, staff: Actor
) -> None:
    row = required(world, server, staff)
    world.advance(days=60, sweeps=[SWEEP])
    for minutes in (0, -5, 1441):
        with pytest.raises(RuleViolation) as refusal:
            required_updates.installed(row, minutes, actor=staff, now=world.now)
        assert refusal.value.field == "minutes"
    with pytest.raises(PermissionDenied):
        required_updates.installed(row, 50, actor=alice.actor, now=world.now)
    required_updates.installed(row, 50, actor=staff, now=world.now)
    world.work()
    charge = Charge.objects.get()
    assert (charge.rule, charge.net_cents, charge.because_name) == ("SUB-11", 6000, row.reference)
    (line,) = charge.invoice.lines.all()
    assert (line.rule, "hourly rate" in line.description) == ("SUB-11", True)
    (mail,) = world.mails("servers/update_installed", alice.account)
    assert "50 minutes" in mail.content.body
    with pytest.raises(RuleViolation, match="settled"):
        required_updates.installed(row, 50, actor=staff, now=world.now)
    assert Charge.objects.count() == 1
    said = [
        one.removeprefix("servers.update.")
        for one in Event.objects.filter(kind__startswith="servers.update.")
        .order_by("pk")
        .values_list("kind", flat=True)
    ]
    assert said == ["required", "due", "installed"]


def test_staff_takes_it_back_and_what_is_unsaid_is_refused(world: World, server: Server, staff: Actor) -> None:
    for title, why, field in ((" ", "Old.", "title"), ("PHP", "", "why")):
        with pytest.raises(RuleViolation) as refusal:
            required_updates.announce(server, title=title, why=why, actor=staff, now=world.now)
        assert refusal.value.field == field
    row = required(world, server, staff)
    required_updates.withdraw(row, actor=staff, now=world.now)
    world.advance(days=90, sweeps=[SWEEP])
    row.refresh_from_db()
    assert row.state == "withdrawn"
    assert world.mails("servers/update_reminder") == []
