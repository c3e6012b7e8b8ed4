"""A server gets the disk of a copy and stays what it is: address, size and price; or a new one begins as it (SRV-8)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.accounts.models import Account
from panel.core import operations
from panel.core.actors import Actor
from panel.core.crash import point
from panel.core.errors import NotYet, ProviderError, RuleViolation
from panel.core.models import Operation
from servers import keys, metering, providers, rules
from servers.action_log import note, noted, step
from servers.models import Copy, Server, ServerAction
from servers.rules import ON_THE_HOST, Power, Verb
from servers.safekeeping import copies
from servers.safekeeping.copy_rules import CopyState
from servers.terminals import permits
from servers.verbs import power
from servers.verbs.power import MachineOperation

LOOK_AGAIN = 3  # seconds


@transaction.atomic
def restore(server: Server, copy: Copy, *, typed: str, actor: Actor, now: datetime) -> ServerAction:
    """Have the disk of the server replaced by a copy of it; what was written since is lost. A second click returns the
    first.

    RuleViolation where its name was not `typed`, the copy cannot be used, or the state forbids it; PermissionDenied for
    who may not.
    """
    if typed.strip() != server.name:
        raise RuleViolation(_("The name was not typed as shown; nothing has changed."), rule="SRV-8", field="confirm")
    power.hold(server)
    copy = Copy.objects.select_for_update().get(pk=copy.pk)
    if copy.server_id != server.pk or copy.account_id != server.account_id or copy.state != CopyState.READY:
        raise RuleViolation(_("This copy cannot be restored."), rule="SRV-8")
    if copy.place != server.place:
        raise RuleViolation(_("This copy is at another place than the server now is."), rule="SRV-8")
    waiting = server.actions.filter(verb=Verb.RESTORE, state=ServerAction.State.WAITING).first()
    if waiting is not None and waiting.facts["copy"] != copy.reference:
        raise RuleViolation(_("Another copy is just being restored."), rule="SRV-8")
    return power.request(server, Verb.RESTORE, actor=actor, now=now, facts={"copy": copy.reference})


@operations.register
class RestoreServer(MachineOperation):
    """The disk is replaced once per request, whatever crashes or repeats: the place keeps the request's mark."""

    kind = "servers.restore"
    label = gettext_lazy("Restore a server from a copy")
    verb = Verb.RESTORE
    wanted = Power.ON

    def begun(self, op: Operation) -> bool:
        return "begun" in noted(op)

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        action = ServerAction.objects.get(pk=op.payload["action"])
        copies.wait_for_snapshots(server, action.requested_at)
        cloud = providers.get(server.place)
        copy = Copy.objects.get(reference=action.facts["copy"])
        metering.last_reading(server, now=now)
        note(op, begun=True)
        try:
            node = cloud.restore(server.provider_ref, copy.provider_ref, op.key)
        except ProviderError:
            if Server.objects.get(pk=server.pk).state not in ON_THE_HOST:
                return {"skipped": "destroyed"}  # meanwhile
            raise
        point("servers.restore:made")
        step(op.payload["action"], "requested", now=now)
        if node.power is not Power.ON:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the machine is being restored")
        return _result(cloud, node)

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.get(pk=op.payload["server"])
        cloud = providers.get(server.place)
        node = cloud.get(server.provider_ref)
        return _result(cloud, node) if node and node.build == op.key and node.power is Power.ON else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        super().completed(op, result, now=now)
        server = Server.objects.get(pk=op.payload["server"])
        if "skipped" not in result and server.state in ON_THE_HOST:
            keys.say_again(server, now=now)
            permits.say_again(server, now=now)

    def changed(self, op: Operation, result: dict[str, Any], now: datetime) -> dict[str, Any]:
        """The host key is the one that the place vouches for."""
        image = Copy.objects.values_list("image", flat=True).get(reference=noted(op)["copy"])
        return {"image": image, "host_key": result["host_key"], "rescue_since": None, "reachable": None}


def _result(cloud: providers.CloudProvider, node: providers.Node) -> dict[str, Any]:
    return {"power": str(node.power), "host_key": cloud.host_key(node.ref) if cloud.capabilities.host_key else ""}


# ---------------------------------------------------------------- a new server


def beginnings(account: Account) -> list[Copy]:
    """The copies that a new server of the account can begin as, newest first."""
    mine = Copy.objects.filter(account=account, state=CopyState.READY)
    return list(mine.select_related("server").order_by("-taken_at", "-pk")[:50])


def source_of(server: Server) -> str:
    """What a place is told the disk of a new server begins as; "" for its system. ProviderError(permanent) when the
    copy that was ordered is not there any more."""
    reference = str(server.subscription.settings.get("copy") or "")
    if not reference or server.ready_at is not None:
        return ""
    copy = Copy.objects.filter(reference=reference, account=server.account_id).first()
    if copy is None or copy.state != CopyState.READY or copy.place != server.place:
        raise ProviderError(f"the copy {reference} is not there any more", permanent=True, code="no_snapshot")
    return copy.provider_ref
