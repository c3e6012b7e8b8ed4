"""A running server gets a larger package (SUB-12), at a cloud whose answer gets lost."""

from typing import Any

from django.db import transaction

from invoicing.models import Subscription
from invoicing.subscribing import kinds
from servers.models import Server, TrafficMonth
from servers.providers.simulated.control import Control
from tests.crash import stage_set
from tests.support.machines import GB, package, server_of


def prepare() -> None:
    world, alice = stage_set.furnish()
    server = server_of(world, alice)
    larger = package("vps-larger", vcpu=2, memory_mb=2048, disk_gb=40, included_bytes=200 * GB)
    Control("sim-1").plan("resize", "lost")
    with transaction.atomic():
        subscription = Subscription.objects.select_for_update().get(pk=server.subscription_id)
        subscription.package = larger
        subscription.save(update_fields=["package"])
        kinds.get("vps").change(subscription, now=world.now)


def act() -> None:
    stage_set.work(stage_set.world_at())


def resume() -> None:
    stage_set.start_again(stage_set.world_at().now)
    act()


def verify() -> dict[str, Any]:
    server = Server.objects.get()
    machine = Control("sim-1").machine(server.provider_ref)
    return stage_set.outcome() | {
        "log": [[one.verb, one.state] for one in server.actions.order_by("pk")],
        "server": [server.state, server.size["code"], server.size["disk_gb"], server.included_bytes // GB],
        "machine": [machine["size"], machine["power"], machine["disk_gb"], machine["epoch"]],
        "months": TrafficMonth.objects.count(),
    }  # fmt: skip
