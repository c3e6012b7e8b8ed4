"""A server is rebuilt on a new disk and then rescued (SRV-8), at a cloud whose answers get lost."""

from typing import Any

from servers import keys
from servers.models import Server
from servers.providers.simulated.control import Control
from servers.rules import Verb
from servers.verbs import power, rebuilding
from tests.crash import stage_set
from tests.support.machines import server_of
from tests.support.personas import PUBLIC_KEY


def prepare() -> None:
    world, alice = stage_set.furnish()
    keys.add(alice.account, name="laptop", public_key=PUBLIC_KEY, actor=alice.actor, now=world.now)
    server = server_of(world, alice)
    rebuilding.rebuild(server, "rocky-9", typed=server.name, actor=alice.actor, now=world.now)
    for verb in ("rebuild", "rescue"):
        Control("sim-1").plan(verb, "lost")


def act() -> None:
    world, alice = stage_set.world_at(), stage_set.the_customer()
    stage_set.work(world)
    server = Server.objects.get()
    if server.rescue_since is None and server.image == "rocky-9":
        power.request(server, Verb.RESCUE, actor=alice.actor, now=world.now)
    stage_set.work(world)


def resume() -> None:
    stage_set.start_again(stage_set.world_at().now)
    act()


def verify() -> dict[str, Any]:
    server = Server.objects.get()
    machine = Control("sim-1").machine(server.provider_ref)
    return stage_set.outcome() | {
        "log": [[one.verb, one.state] for one in server.actions.order_by("pk")],
        "server": [server.image, server.rescue_since is not None],
        "machine": [machine["image"], machine["power"], machine["rescue"], machine["epoch"]],
    }  # fmt: skip
