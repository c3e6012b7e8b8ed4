"""An additional address goes to another server of its holder's (SRV-3), at a cloud whose answers get lost."""

from typing import Any

from servers.addressing import moving
from servers.models import Address, AddressHolding, Server
from servers.providers.simulated.control import Control
from tests.crash import stage_set
from tests.support.machines import server_of


def prepare() -> None:
    world, alice = stage_set.furnish()
    server_of(world, alice, name="web-1", options={"vps-address": 1})
    two = server_of(world, alice, name="web-2")
    moving.move(_address(), two, actor=alice.actor, now=world.now)
    for verb in ("detach_address", "attach_address"):
        Control("sim-1").plan(verb, "lost")


def _address() -> Address:
    return Address.objects.get(holdings__is_first=False, holdings__until=None)


def act() -> None:
    stage_set.work(stage_set.world_at())


def resume() -> None:
    stage_set.start_again(stage_set.world_at().now)
    act()


def verify() -> dict[str, Any]:
    from servers import providers

    ip, cloud = str(_address().ip), providers.get("sim-1")
    nodes = {server.name: cloud.get(server.provider_ref) for server in Server.objects.order_by("name")}
    rows = AddressHolding.objects.filter(address__ip=ip).order_by("pk")
    return stage_set.outcome() | {
        "answers": [name for name, node in nodes.items() if node is not None and ip in node.addresses],
        "held": [[row.server.name, row.ordered_with.name, row.until is None] for row in rows],
        "log": [action.state for action in Server.objects.get(name="web-2").actions.filter(verb="address")],
    }
