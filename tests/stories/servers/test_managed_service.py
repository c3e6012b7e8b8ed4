"""As a customer I leave my server to the provider: it is set up, its updates are installed in time, what I chose is
looked after; and when it cannot be done, staff knows (SRV-9, SRV-11)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core import operations
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event, Operation
from servers import actions
from servers.managing import managed, managed_actions, managed_rules, patching, playbooks, runs
from servers.managing.playbooks import Line, Outcome
from servers.models import Discrepancy, Firewall, ManagedRun, ManagedService, PendingUpdate, Server
from servers.networking import firewalls
from servers.networking.firewall_rules import Reach, Verdict, reach
from servers.providers.simulated.control import Control
from servers.remote import Target
from servers.verbs import rebuilding
from tests.support.machines import server_of, subscribe
from tests.support.world import Customer, World, paris

pytestmark = [pytest.mark.django_db]
SWEEP = "servers.patches"


@dataclass
class Inside:
    """What stands for the inside of a server: what it is told to install is installed, what waits is told."""

    waiting: dict[str, tuple[str, bool]] = field(default_factory=dict)
    failing: list[ProviderError] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def __call__(
        self, target: Target, playbook: str, words: Mapping[str, Any], *, heard: Callable[[Line], None], timeout: float
    ) -> Outcome:  # fmt: skip
        self.targets.append(target)
        self.told.append((playbook, dict(words)))
        heard(Line("base", "Log-in by key alone", "begun"))
        if self.failing:
            error = self.failing.pop(0)
            heard(Line("base", "Log-in by key alone", "failed", str(error)))
            raise error
        heard(Line("base", "Log-in by key alone", "changed"))
        for package in set(words.get("clause_packages", ())) - self.stuck:
            self.waiting.pop(package, None)
        lines = [
            f"Inst {name} [1.0] ({version} Debian{'-Security' * security}:12/stable [amd64])"
            for name, (version, security) in self.waiting.items()
        ]
        return Outcome(ok=4, changed=1, told=[Line("", "What waits still", "ok", told="\n".join(lines))])

    @property
    def set_ups(self) -> list[dict[str, Any]]:
        return [words for playbook, words in self.told if playbook == "site"]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Inside:
    made = Inside()
    monkeypatch.setattr(playbooks, "play", made)
    monkeypatch.setattr(managed_actions.places, "is_simulated", lambda _place: False)
    return made


@pytest.fixture
def world(cloud: Control) -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def server(world: World, alice: Customer, inside: Inside) -> Server:
    made = server_of(world, alice, options={"vps-managed": 1})
    settle(world)
    return made


def settle(world: World) -> None:
    for _ in range(3):
        world.advance(seconds=20)


def days(world: World, count: int) -> None:
    for _ in range(count):
        world.advance(days=1, sweeps=[SWEEP])
        settle(world)


def ordered(world: World, server: Server, **options: int) -> None:
    row = server.subscription
    row.settings = {**row.settings, "options": {code.replace("_", "-"): n for code, n in options.items()}}
    row.save(update_fields=["settings"])
    with transaction.atomic():
        kinds.get("vps").change(row, now=world.now)
    settle(world)


def row_of(server: Server) -> ManagedService:
    return ManagedService.objects.get(server=server)


def test_it_is_set_up_by_a_key_of_its_own_behind_a_first_firewall(
    world: World, server: Server, inside: Inside, cloud: Control
) -> None:
    row = row_of(server)
    assert (row.state, row.set_up, row.edition) == ("in_force", row.edition, row.edition)
    assert row.public_key.split()[1] in {key.split()[1] for key in cloud.keys(server.provider_ref)}
    (words,) = inside.set_ups
    assert words["clause_roles"] == ["base", "patches", "backup_agent"]
    target = inside.targets[0]
    assert (target.host_key, target.user) == (server.host_key, "root")
    wall = Firewall.objects.get(server=server)
    assert (wall.state, wall.own.default_in) == ("in_force", Verdict.DROP)
    assert (reach(wall.own), reach(wall.own, 80)) == (Reach.EVERYBODY, Reach.NOBODY)
    kinds_of_runs = list(ManagedRun.objects.order_by("pk").values_list("kind", "state", "changed"))
    assert kinds_of_runs == [("setup", "done", 1)]
    world.sweep(SWEEP)
    world.work()
    assert ManagedRun.objects.filter(kind="patches", state="done").count() == 1, "updates are looked for the same day"
    lines = ManagedRun.objects.get(kind="setup").lines
    assert lines == [{"role": "base", "task": "Log-in by key alone", "status": "changed", "message": ""}]
    assert world.failed_operations() == []


def test_what_i_choose_is_set_up_and_its_ports_are_opened(
    world: World, alice: Customer, server: Server, inside: Inside
) -> None:
    managed.choose(server, ["mail", "web"], actor=alice.actor, now=world.now)
    world.work()
    assert inside.set_ups[-1]["clause_roles"] == ["base", "patches", "backup_agent", "web", "mail"]
    wall = firewalls.of(server).own
    assert [reach(wall, port) for port in (22, 443, 993, 995, 3306)] == [Reach.EVERYBODY] * 4 + [Reach.NOBODY]
    managed.add_mailbox(server, "Alice@Shop.example ", "correct horse battery", actor=alice.actor, now=world.now)
    world.work()
    (box,) = inside.set_ups[-1]["clause_mailboxes"]
    assert (box["address"], box["password"].split("$")[1:4:2]) == ("alice@shop.example", ["1", str(managed.ROUNDS)])
    assert "correct horse" not in str(list(Event.objects.values())) + str(list(Operation.objects.values()))
    for address, password, fieldname in (
        ("alice", "correct horse battery", "address"), ("a b@shop.example", "correct horse battery", "address"),
        ("al..ice@shop.example", "correct horse battery", "address"), ("bob@shop.example", "short", "password"),
        ("bob@shop.example\nroot", "correct horse battery", "address"),
    ):  # fmt: skip
        with pytest.raises(RuleViolation) as refusal:
            managed.add_mailbox(server, address, password, actor=alice.actor, now=world.now)
        assert refusal.value.field == fieldname
    managed.remove_mailbox(server, "alice@shop.example", actor=alice.actor, now=world.now)
    world.work()
    assert inside.set_ups[-1]["clause_mailboxes"] == []
    with pytest.raises(RuleViolation):
        managed.choose(server, ["database"], actor=alice.actor, now=world.now)
    looker = world.contact(alice, ["see"]).actor
    with pytest.raises(PermissionDenied):
        managed.choose(server, [], actor=looker, now=world.now)


def test_its_firewall_is_changed_by_request_alone(world: World, alice: Customer, server: Server) -> None:
    assert "ask for a change" in str(actions.FIREWALL.refusal(alice.actor, server))
    assert actions.ASK_FIREWALL.refusal(alice.actor, server) is None
    assert actions.FIREWALL.refusal(world.staff("infrastructure"), server) is None
    ordered(world, server)
    assert actions.FIREWALL.refusal(alice.actor, server) is None, "it is theirs again"


def test_security_updates_at_once_others_after_a_week_and_none_later_than_thirty_days(
    world: World, server: Server, inside: Inside
) -> None:
    inside.waiting = {"openssl": ("1.1", True), "nginx": ("1.2", False)}
    days(world, 1)
    assert list(inside.waiting) == ["nginx"]
    nginx = PendingUpdate.objects.get(resolved_at=None)
    assert (nginx.package, nginx.installed, nginx.available, nginx.security) == ("nginx", "1.0", "1.2", False)
    inside.waiting["nginx"] = ("1.3", False)
    days(world, 6)
    assert PendingUpdate.objects.get(resolved_at=None).first_seen == nginx.first_seen, "its clock goes on"
    assert list(inside.waiting) == ["nginx"]
    days(world, 1)
    assert inside.waiting == {}
    assert not PendingUpdate.objects.filter(resolved_at=None).exists()
    assert [one.package for one in patching.report(server, now=world.now).installed] == ["nginx"]


def test_what_is_not_installed_in_thirty_days_is_before_staff_until_it_is(
    world: World, server: Server, inside: Inside
) -> None:
    inside.waiting, inside.stuck = {"openssl": ("1.1", True)}, {"openssl"}
    days(world, 1)
    (row,) = patching.report(server, now=world.now).rows
    assert row.until == paris("2026-04-03 00:00"), "seen on 3 March: the end of the thirtieth day"
    world.until(row.until)
    world.sweep(SWEEP)
    assert not Discrepancy.objects.filter(kind="unpatched").exists(), "its last instant is in time"
    world.advance(seconds=1, sweeps=[SWEEP])
    settle(world)
    finding = Discrepancy.objects.get(kind="unpatched", resolved_at=None)
    assert (finding.server, "openssl" in finding.detail) == (server, True)
    assert patching.report(server, now=world.now).late == 1
    assert [op.kind for op in world.failed_operations()] == ["servers.review"]
    world.sweep("servers.reconcile")
    assert Discrepancy.objects.filter(kind="unpatched", resolved_at=None).count() == 1
    inside.stuck = set()
    days(world, 2)
    assert not Discrepancy.objects.filter(kind="unpatched", resolved_at=None).exists()


def test_the_clock_stood_still_and_one_round_makes_up_for_it(world: World, server: Server, inside: Inside) -> None:
    days(world, 1)
    before = ManagedRun.objects.filter(kind="patches").count()
    world.advance(days=5, hours=1, sweeps=[SWEEP, SWEEP])
    settle(world)
    assert ManagedRun.objects.filter(kind="patches").count() == before + 1
    assert world.now < (row_of(server).due_at or world.now) <= world.now + timedelta(days=1)


def test_a_failure_is_tried_again_then_ends_before_staff_and_can_be_taken_up(
    world: World, alice: Customer, server: Server, inside: Inside
) -> None:
    inside.failing = [ProviderError("web-1: no route", code="unreachable")]
    managed.run_again(server, ManagedRun.Kind.SETUP, actor=alice.actor, now=world.now)
    world.work()
    settle(world)
    assert ManagedRun.objects.latest("pk").state == "done"
    inside.failing = [ProviderError("base: apt: broken", code="failed") for _ in range(3)]
    managed.run_again(server, ManagedRun.Kind.SETUP, actor=alice.actor, now=world.now)
    for _ in range(4):
        world.advance(minutes=2)
    run = ManagedRun.objects.latest("pk")
    assert (run.state, run.error, run.lines[-1]["status"]) == ("failed", "base: apt: broken", "failed")
    (failed,) = world.failed_operations()
    assert Event.objects.filter(kind="servers.managed.failed").count() == 1
    with transaction.atomic():
        operations.retry(failed.pk, now=world.now)
    world.work()
    run.refresh_from_db()
    assert (run.state, run.error) == ("done", "")


def test_two_clicks_are_one_run_and_a_wish_meanwhile_is_carried_out_after_it(
    world: World, alice: Customer, server: Server, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = managed.run_again(server, ManagedRun.Kind.SETUP, actor=alice.actor, now=world.now)
    assert managed.run_again(server, ManagedRun.Kind.SETUP, actor=alice.actor, now=world.now) == first
    known = len(inside.set_ups)

    def meanwhile(*args: Any, **kwargs: Any) -> Outcome:
        if len(inside.set_ups) == known:
            managed.choose(server, ["web"], actor=alice.actor, now=world.now)
        return inside(*args, **kwargs)

    monkeypatch.setattr(playbooks, "play", meanwhile)
    world.work()
    assert [words["clause_roles"][3:] for words in inside.set_ups[known:]] == [[], ["web"]]
    assert row_of(server).set_up == row_of(server).edition


def test_of_many_servers_few_are_gone_over_at_once_and_old_runs_are_forgotten(
    world: World, alice: Customer, server: Server, inside: Inside, settings: Any
) -> None:
    settings.CLAUSE_MANAGED_AT_ONCE = 2
    run = managed.run_again(server, ManagedRun.Kind.PATCHES, actor=alice.actor, now=world.now)
    for number in range(2):  # as if workers carried them out just now
        Operation.objects.create(
            kind=runs.GoOver.kind, key=f"other:{number}", state="running", created_at=world.now, due_at=world.now,
            lease_until=world.now + timedelta(hours=1), attempts=1,
        )  # fmt: skip
    known = len(inside.told)
    world.work()
    run.refresh_from_db()
    assert (run.state, len(inside.told)) == ("waiting", known)
    Operation.objects.filter(key__startswith="other:").delete()
    settle(world)
    run.refresh_from_db()
    assert run.state == "done"
    days(world, 1)
    world.advance(days=91, sweeps=[SWEEP])
    settle(world)
    assert not ManagedRun.objects.filter(pk=run.pk).exists()
    assert managed.of(server) is not None


def test_a_new_disk_is_set_up_anew(
    world: World, alice: Customer, server: Server, inside: Inside, cloud: Control
) -> None:
    known = len(inside.set_ups)
    rebuilding.rebuild(server, server.image, typed=server.name, actor=alice.actor, now=world.now)
    for _ in range(4):
        settle(world)
    assert row_of(server).public_key.split()[1] in {key.split()[1] for key in cloud.keys(server.provider_ref)}
    assert len(inside.set_ups) == known + 1
    server.refresh_from_db()
    assert inside.targets[-1].host_key == server.host_key


def test_it_ends_with_its_option_and_the_key_is_forgotten(
    world: World, server: Server, inside: Inside, cloud: Control
) -> None:
    key = row_of(server).public_key.split()[1]
    ordered(world, server)
    row = row_of(server)
    assert (row.state, row.wanted, row.private_key) == ("ended", False, "")
    assert key not in {one.split()[1] for one in cloud.keys(server.provider_ref)}
    known = len(inside.told)
    days(world, 3)
    assert len(inside.told) == known
    ordered(world, server, vps_managed=1)
    assert (row_of(server).state, row_of(server).public_key.split()[1] != key) == ("in_force", True)


def test_a_stopped_or_suspended_server_is_left_alone(world: World, server: Server, inside: Inside) -> None:
    Server.objects.filter(pk=server.pk).update(state="stopped")
    known = len(inside.told)
    days(world, 1)
    assert (len(inside.told), ManagedRun.objects.latest("pk").state) == (known, "cancelled")


def test_a_server_that_belongs_to_somebody_else_by_now_tells_nothing_of_the_past(
    world: World, alice: Customer, server: Server
) -> None:
    bob = world.customer("Bob")
    Server.objects.filter(pk=server.pk).update(account=bob.account)
    server.refresh_from_db()
    managed.handed_over(server, now=world.now)
    assert managed.of(server) is not None
    assert not ManagedRun.objects.filter(account=bob.account).exists()


def test_simulated_places_cannot_be_managed_and_say_so(world: World, alice: Customer, cloud: Control) -> None:
    kind = kinds.get("vps")
    assert "simulated" in kind.why_not_offered(managed_rules.OPTION)
    with pytest.raises(RuleViolation, match="simulated"):
        subscribe(world, alice, options={"vps-managed": 1})
    server = server_of(world, alice)
    assert "simulated" in kind.refusal_to_change(server.subscription, server.subscription.package, {"vps-managed": 1})
