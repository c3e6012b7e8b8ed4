"""A new disk for a server that stays what it is: address, keys, size and price (SRV-8)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import Actor
from panel.core.crash import point
from panel.core.errors import NotYet, RuleViolation
from panel.core.models import Operation
from servers import metering, places, providers, provisioning, rules
from servers.action_log import note, noted, step
from servers.models import Server, ServerAction
from servers.rules import Power, Verb
from servers.safekeeping import copies
from servers.verbs import power
from servers.verbs.power import MachineOperation

LOOK_AGAIN = 3  # seconds


def rebuild(server: Server, image: str, *, typed: str, actor: Actor, now: datetime) -> ServerAction:
    """Have the server start anew from `image`; everything on its disk is lost. A second click returns the first.

    RuleViolation where its name was not `typed`, the place has no such system, or the state forbids it;
    PermissionDenied for who may not.
    """
    if image not in places.images(server.place):
        raise RuleViolation(_("This system is not on offer at this place."), rule="SRV-8", field="image")
    if typed.strip() != server.name:
        raise RuleViolation(_("The name was not typed as shown; nothing has changed."), rule="SRV-8", field="confirm")
    return power.request(server, Verb.REBUILD, actor=actor, now=now, facts={"image": image})


@operations.register
class RebuildServer(MachineOperation):
    """One new disk per request, whatever crashes or repeats: the place keeps the request's mark with the machine."""

    kind = "servers.rebuild"
    label = gettext_lazy("Rebuild a server")
    verb = Verb.REBUILD
    wanted = Power.ON

    def begun(self, op: Operation) -> bool:
        return "begun" in noted(op)

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        copies.wait_for_snapshots(server, ServerAction.objects.get(pk=op.payload["action"]).requested_at)
        cloud = providers.get(server.place)
        first = server.holdings.filter(until=None, is_first=True).select_related("address").first()
        spec = provisioning.spec_of(server, str(first.address.ip) if first else "")
        metering.last_reading(server, now=now)
        facts = note(op, begun=True)
        node = cloud.rebuild(server.provider_ref, replace(spec, image=facts["image"]), op.key)
        point("servers.rebuild:made")
        step(op.payload["action"], "requested", now=now)
        if node.power is not Power.ON:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the machine is being rebuilt")
        return _result(cloud, node)

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.get(pk=op.payload["server"])
        cloud = providers.get(server.place)
        node = cloud.get(server.provider_ref)
        return _result(cloud, node) if node and node.build == op.key and node.power is Power.ON else None

    def changed(self, op: Operation, result: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The host key is the one that the place vouches for; with none known nobody is let believe in an old one."""
        return {"image": noted(op)["image"], "host_key": result["host_key"], "rescue_since": None, "reachable": None}


def _result(cloud: providers.CloudProvider, node: providers.Node) -> dict[str, Any]:
    return {"power": str(node.power), "host_key": cloud.host_key(node.ref) if cloud.capabilities.host_key else ""}
