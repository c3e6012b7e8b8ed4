"""A server that does not come up any more runs a rescue system beside its disk until its owner leaves it (SRV-8)."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from panel.core import operations
from panel.core.crash import point
from panel.core.models import Operation
from servers import metering, providers
from servers.models import Server, SshKey
from servers.rules import Power, Verb
from servers.terminals import permits
from servers.verbs.power import MachineOperation


class _Boot(MachineOperation):
    """The machine runs the other system; its host key is the one that the place vouches for."""

    wanted = Power.ON
    into_rescue: bool

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.get(pk=op.payload["server"])
        cloud = providers.get(server.place)
        node = cloud.get(server.provider_ref)
        there = node is not None and node.power is Power.ON and node.rescue == self.into_rescue
        return _result(cloud, node) if node and there else None

    def changed(self, op: Operation, result: dict[str, Any], now: datetime) -> dict[str, Any]:
        return {
            "rescue_since": now if self.into_rescue else None, "host_key": result["host_key"], "reachable": None
        }  # fmt: skip


def _result(cloud: providers.CloudProvider, node: providers.Node) -> dict[str, Any]:
    return {"power": str(node.power), "host_key": cloud.host_key(node.ref) if cloud.capabilities.host_key else ""}


@operations.register
class RescueServer(_Boot):
    """The rescue system lets in every key of the account: whoever locked themselves out of the server gets in."""

    kind = "servers.rescue"
    label = _("Start the rescue system of a server")
    verb = Verb.RESCUE
    into_rescue = True

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        keys = SshKey.objects.filter(account=server.account_id, removed_at=None).order_by("pk")
        cloud = providers.get(server.place)
        metering.last_reading(server, now=now)
        wanted = (*keys.values_list("public_key", flat=True), *permits.keys_on(server))
        node = cloud.rescue(server.provider_ref, wanted)
        point("servers.rescue:made")
        return _result(cloud, node)


@operations.register
class LeaveRescue(_Boot):
    kind = "servers.leave_rescue"
    label = _("Start a server from its own disk again")
    verb = Verb.LEAVE_RESCUE
    into_rescue = False

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        cloud = providers.get(server.place)
        metering.last_reading(server, now=now)
        node = cloud.leave_rescue(server.provider_ref)
        if node.power is Power.OFF:
            node = cloud.start(server.provider_ref)
        point("servers.leave_rescue:made")
        return _result(cloud, node)
