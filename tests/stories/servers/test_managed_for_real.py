"""As a customer I have a mail server and a web server that I never set up: they are really there, on a real host, over
real SSH and ansible; a second run changes nothing (SRV-9, SRV-11)."""

import imaplib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core.errors import ProviderError
from servers import keys, remote
from servers.managing import managed, playbooks, runs
from servers.models import ManagedRun, ManagedService, PendingUpdate, Server
from servers.networking.firewall_rules import Verdict
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote, Target
from servers.rules import Verb
from servers.verbs import power
from tests.support import hosts, managed_host
from tests.support.machines import first_ip, server_of
from tests.support.packages import Repository
from tests.support.world import Customer, World

pytestmark = [pytest.mark.django_db, pytest.mark.local]
MAILBOX, PASSWORD = "alice@shop.example", "correct horse battery"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalProvider]:
    with hosts.place_on_offer(tmp_path, disk_mb=200) as provider:
        yield provider


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


def gone_over(world: World, server: Server, kind: str) -> ManagedRun:
    """The last run of a kind, once nothing is due any more."""
    for _ in range(4):
        world.advance(seconds=20)
    assert [op.last_error for op in world.failed_operations()] == []
    return ManagedRun.objects.filter(server=server, kind=kind, state="done").latest("pk")


def ordered(world: World, server: Server) -> None:
    row = server.subscription
    row.settings = {**row.settings, "options": {"vps-managed": 1}}
    row.save(update_fields=["settings"])
    with transaction.atomic():
        kinds.get("vps").change(row, now=world.now)


def reached(server: Server, private: str) -> Remote:
    return remote.connect(Target(first_ip(server), server.host_key, private), timeout=10)


def strangers(server: Server) -> list[str]:
    """Programs of ours that still run for this server."""
    command = ["ps", "-ww", "-eo", "pid,ppid,args"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in said.splitlines()]
    return [
        args for pid, parent, args in rows[1:]
        if (first_ip(server) in args or (parent == str(os.getpid()) and "ansible" in args)) and pid != str(os.getpid())
    ]  # fmt: skip


def test_hardened_then_a_mail_and_a_web_server_and_a_second_run_changes_nothing(
    world: World, cloud: LocalProvider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alice, own, folder = world.customer(), hosts.Customer(), tmp_path_factory.mktemp("packages")
    key = keys.add(alice.account, name="own", public_key=own.public, actor=alice.actor, now=world.now)
    server = server_of(world, alice, keys=[key.pk])
    ip = first_ip(server)
    with reached(server, own.private) as inside:
        managed_host.offer(inside, managed_host.mail_and_web(folder, cloud))
        managed_host.weaken(inside)
        managed_host.done(inside, "apt-get -qq update; apt-get -qq install story-library")
    assert "password" in managed_host.ways_in(ip)

    ordered(world, server)
    managed.choose(server, ["web", "mail"], actor=alice.actor, now=world.now)
    managed.add_mailbox(server, MAILBOX, PASSWORD, actor=alice.actor, now=world.now)
    first = gone_over(world, server, "setup")
    assert first.changed > 20
    assert managed_host.ways_in(ip) == {"publickey"}, "passwords are refused"
    assert cloud.firewall(server.provider_ref).default_in is Verdict.DROP
    assert {line["status"] for line in first.lines} <= {"ok", "changed", "skipped"}
    answers(ip)
    patched(world, server, own, folder)

    again = managed.run_again(server, ManagedRun.Kind.SETUP, actor=alice.actor, now=world.now)
    assert gone_over(world, server, "setup") == again
    again.refresh_from_db()
    assert [line for line in again.lines if line["status"] == "changed"] == []
    assert (again.changed, again.ok > 20) == (0, True), "a second run changes nothing"
    assert strangers(server) == []

    cut_and_started(world, alice, server)
    assert managed_host.count_over_pop(ip, MAILBOX, PASSWORD) == 1, "it came up with its server"
    refuses_another_host(world, server)


def answers(ip: str) -> None:
    """What was chosen does what it is for, and nothing more."""
    managed_host.send(ip, MAILBOX, "hello")
    assert managed_host.read_over_imap(ip, MAILBOX, PASSWORD) == "hello"
    assert managed_host.count_over_pop(ip, MAILBOX, PASSWORD) == 1
    with pytest.raises(imaplib.IMAP4.error):
        managed_host.read_over_imap(ip, MAILBOX, "another password")
    assert remote.met_at(ip, 143) is not remote.Met.OPEN, "without TLS there is no IMAP"
    assert not managed_host.relays(ip)
    for scheme in ("http", "https"):
        assert "web-1" in managed_host.page(f"{scheme}://{ip}/")


def patched(world: World, server: Server, own: hosts.Customer, folder: Path) -> None:
    """A security update that is released is installed the next day, and the report says so."""
    repository = Repository(folder, folder)
    repository.make("story-library", "2.0")
    repository.index()
    with reached(server, own.private) as inside:
        managed_host.offer(inside, repository)
        world.advance(days=1, sweeps=["servers.patches"])
        gone_over(world, server, "patches")
        assert managed_host.done(inside, "dpkg-query -W -f '${Version}' story-library") == "2.0"
        managed_host.done(inside, "clause-backup; test -s /var/backups/clause/*/etc.tar.gz")
    assert not PendingUpdate.objects.filter(server=server, resolved_at=None).exists()


def cut_and_started(world: World, alice: Customer, server: Server) -> None:
    for verb in (Verb.CUT, Verb.START):
        power.request(Server.objects.get(pk=server.pk), verb, actor=alice.actor, now=world.now)
        world.work()


def refuses_another_host(world: World, server: Server) -> None:
    """Whoever answers with another host key is told nothing; and a run that takes too long is ended, with its
    programs."""
    row = ManagedService.objects.select_related("server").get(server=server)
    target = runs.target_of(row)
    other = Target(target.address, hosts.Customer().public, target.private_key)
    with pytest.raises(ProviderError) as refusal:
        playbooks.play(other, "patches", {"clause_packages": []}, heard=lambda _line: None, timeout=30)
    assert (refusal.value.code, refusal.value.permanent) == ("host_key", True)
    stranger = Target(target.address, target.host_key, hosts.Customer().private)
    with pytest.raises(ProviderError) as refusal:
        playbooks.play(stranger, "patches", {"clause_packages": []}, heard=lambda _line: None, timeout=30)
    assert (refusal.value.code, refusal.value.permanent) == ("refused", True)
    with pytest.raises(ProviderError) as refusal:
        playbooks.play(target, "patches", {"clause_packages": []}, heard=lambda _line: None, timeout=0.7)
    assert refusal.value.code == "timeout"
    assert strangers(server) == []
