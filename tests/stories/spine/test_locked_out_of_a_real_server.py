"""As a customer I stop, rescue and rebuild a real server; what the panel says of it is what I find inside (SRV-8)."""

import time
from typing import Any

import pytest

from panel.core.errors import ProviderError
from servers import host_keys, keys, remote
from servers.models import Discrepancy, Server
from servers.providers.local_adapter import LocalProvider
from servers.remote import Remote, Target
from servers.rules import Verb
from servers.verbs import naming, power, rebuilding
from tests.support import hosts
from tests.support.machines import first_ip, subscribe
from tests.support.wire import eventually
from tests.support.world import Customer, World

pytestmark = [pytest.mark.local, pytest.mark.usefixtures("cloud")]


def inside(server: Server, key: hosts.Customer, host_key: str = "") -> Remote:
    target = Target(first_ip(server), host_key or server.host_key, key.private)
    return remote.connect(target)


def done(world: World, server: Server, verb: Verb, alice: Customer) -> Server:
    power.request(server, verb, actor=alice.actor, now=world.now)
    return worked(world, server, verb)


def worked(world: World, server: Server, verb: Verb) -> Server:
    """The machine takes its own time; the story's clock waits for it."""
    for _ in range(30):
        world.advance(seconds=5)
        action = server.actions.filter(verb=verb).latest("pk")
        if action.state != "waiting":
            break
        time.sleep(0.1)
    assert action.state == "done", (action.state, action.operation)
    return Server.objects.get(pk=server.pk)


def test_a_real_server_through_every_verb(world: World, cloud: LocalProvider) -> None:
    alice, laptop, phone = world.customer(), hosts.Customer(), hosts.Customer()
    key = keys.add(alice.account, name="laptop", public_key=laptop.public, actor=alice.actor, now=world.now)
    subscription = subscribe(
        world, alice, name="web-1", keys=[key.pk], image="slim", first_boot="date +%s%N > /root/born\n"
    )
    world.advance(seconds=10)
    server = Server.objects.get(subscription=subscription)
    assert server.state == "running", world.failed_operations()
    with inside(server, laptop) as shell:
        assert eventually(lambda: shell.run(["cat", "/root/born"]).output != "")
        born = shell.run(["cat", "/root/born"]).output

    naming.rename(server, "shop", actor=alice.actor, now=world.now)
    world.work()
    with inside(server, laptop) as shell:
        assert shell.run(["hostname"]).output == "shop\n"

    server = done(world, server, Verb.STOP, alice)
    assert (server.state, server.power) == ("stopped", "off")
    server = done(world, server, Verb.START, alice)

    keys.add(alice.account, name="phone", public_key=phone.public, actor=alice.actor, now=world.now)
    rescued = done(world, server, Verb.RESCUE, alice)
    with inside(rescued, phone) as shell:  # a key of the account that was never on the server
        assert shell.run(["cat", "/mnt/root/born"]).output == born
    with pytest.raises(ProviderError, match="another host key"):
        inside(rescued, laptop, server.host_key)
    server = done(world, rescued, Verb.LEAVE_RESCUE, alice)
    with pytest.raises(ProviderError, match="refuses our key"):
        inside(server, phone)

    rebuilding.rebuild(server, "slim", typed="shop", actor=alice.actor, now=world.now)
    rebuilt = worked(world, server, Verb.REBUILD)
    with pytest.raises(ProviderError, match="another host key"):
        inside(rebuilt, laptop, server.host_key)
    with inside(rebuilt, laptop) as shell:
        assert eventually(lambda: shell.run(["cat", "/root/born"]).output not in ("", born))
    assert first_ip(rebuilt) == first_ip(server)

    _the_key_changes_by_itself(world, cloud, rebuilt)


def _the_key_changes_by_itself(world: World, cloud: LocalProvider, server: Server) -> None:
    world.advance(hours=1, sweeps=["servers.watch", "servers.host_keys"])
    assert not Discrepancy.objects.exists()
    managed: Any = cloud.driver.records.home(server.provider_ref) / "managed"
    (managed / "ssh_host_ed25519_key").unlink()
    from servers.providers.local import power as local_power

    local_power.furnish(managed.parent, local_power.read_keys(managed.parent), "")
    cloud.reboot(server.provider_ref)
    report = host_keys.check(world.now)
    assert report.done == 1
    assert Discrepancy.objects.get().kind == "host_key"
    assert Server.objects.get(pk=server.pk).host_key == server.host_key
