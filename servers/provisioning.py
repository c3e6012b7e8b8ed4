"""From a paid subscription to a machine, and back to nothing: exactly once, each step visible as it happens (SRV-1)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from invoicing.models import Subscription
from panel.core import mail, operations, references
from panel.core.actors import SYSTEM
from panel.core.crash import point
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from panel.core.states import move
from servers import action_log, enforcement, metering, outages, providers, rules
from servers.action_log import attach, begin, finish, note, noted, published, reopen, step, told
from servers.addressing import blocking, holdings, moving
from servers.managing import managed
from servers.models import AddressHolding, BackupPlan, KeyOnServer, Meter, Server, ServerAction, SshKey
from servers.networking import firewalls
from servers.rules import TRANSITIONS, Power, State, Verb
from servers.safekeeping import backups, copies, restoring
from servers.terminals import permits

LOOK_AGAIN = 2  # seconds between two looks at a machine that is being made
LOOKS_BEFORE_THE_END = 20  # what nobody finishes any more is destroyed half made
LAST_WORDS = timedelta(hours=1)  # for a snapshot that was asked for before the end
CREATE_STEPS = ("paid", "address", "requested", "running", "ready")
DESTROY_STEPS = ("asked", "measured", "removed")


def order(subscription: Subscription, *, now: datetime) -> Server:
    """Write down the server that `subscription` paid for, once; in the transaction that confirms the payment (SUB-3).

    `subscription.settings` are those that `kinds.VpsKind.validate` cleaned.
    """
    wanted, spec = subscription.settings, subscription.package.spec
    server = Server(
        reference=references.new("SRV"), account_id=subscription.account_id, subscription=subscription,
        name=wanted["name"], place=wanted["place"], image=wanted["image"], ordered_at=now,
        size={"code": subscription.package.code, **{key: spec[key] for key in ("vcpu", "memory_mb", "disk_gb")}},
        extra_addresses=wanted.get("extra_addresses", 0),
        extra_addresses6=wanted.get("extra_addresses6", 0), included_bytes=spec["included_bytes"],
    )  # fmt: skip
    try:
        with transaction.atomic():
            server.save(force_insert=True)
    except IntegrityError:
        return Server.objects.get(subscription=subscription)
    keys = SshKey.objects.filter(account_id=server.account_id, pk__in=wanted.get("keys", []), removed_at=None)
    KeyOnServer.objects.bulk_create([KeyOnServer(server=server, account_id=server.account_id, key=key) for key in keys])
    action = begin(server, Verb.CREATE, actor=SYSTEM, because="SUB-3", now=now)
    action.reached("paid", now)
    attach(action, CreateServer.kind, f"servers.create:{server.token}", now=now)
    told(server, "servers.server.ordered", now=now)
    backups.follow(server, now=now)
    managed.follow(server, now=now)
    return server


def spec_of(server: Server, ip: str) -> providers.NodeSpec:
    """What a place is asked to make."""
    capabilities = providers.get(server.place).capabilities
    keys = server.keys.filter(wanted=True, key__removed_at=None).values_list("key__public_key", flat=True)
    return providers.NodeSpec(
        token=server.token, name=server.name, image=server.image, size=providers.Size(**server.size),
        place=server.place, address="" if capabilities.chooses_address else ip,
        keys=(*keys, *permits.keys_on(server), *managed.keys_on(server)),
        first_boot=server.first_boot if capabilities.first_boot else "", snapshot=restoring.source_of(server),
        turn=max(server.actions.filter(verb=Verb.CREATE).count(), 1),
    )  # fmt: skip


@operations.register
class CreateServer(operations.Handler):
    """One machine for one subscription, whatever crashes or repeats: the place is always asked for the token first."""

    kind = "servers.create"
    label = _("Create a server")
    max_attempts = 13  # with the pauses between them a place may be out of order for two hours

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server, held = self._prepare(op, now)
        if server is None:
            return {"abandoned": True}
        cloud = providers.get(server.place)
        node = cloud.find(server.token)
        if node is None or node.power is Power.UNKNOWN:
            ip = str(held[0].address.ip) if held else ""
            node = self._made(op, cloud, spec_of(server, ip), again=node is None, now=now)
            point("servers.create:made")
        _check_delivered(op, node)
        self._requested(op, server, node.ref, now)
        if node.power is Power.PENDING:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the machine is being made")
        if node.power is Power.OFF:
            node = cloud.start(node.ref)
        step(op.payload["action"], "running", now=now)
        for holding in held[1:]:
            cloud.attach_address(node.ref, str(holding.address.ip))
        for ip in _passing(cloud, node.ref, held):
            cloud.block_address(node.ref, ip)
        if not node.addresses:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the place has not given it an address yet")
        return self._result(cloud, node)

    def _made(
        self, op: Operation, cloud: providers.CloudProvider, spec: providers.NodeSpec, *, again: bool, now: datetime
    ) -> providers.Node:
        """Asks for the machine. One that was asked for before may show late: until the place's lag is over, that it
        does not show is no reason to ask for a second."""
        asked = noted(op).get("asked_at")
        left = cloud.capabilities.lag - (now - datetime.fromisoformat(asked)).total_seconds() if asked and again else 0
        if left > 0:
            raise NotYet(ceil(left), "asked for before; it may show late")
        note(op, asked_at=now.isoformat(), size=spec.size.code)
        return cloud.create(spec)

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        if server.state != State.CREATING or not server.provider_ref:
            return None
        cloud = providers.get(server.place)
        node = cloud.find(server.token)
        if node is None or node.power is not Power.ON:
            return None
        held, ordered = holdings.on_machine(server), 1 + server.extra_addresses + server.extra_addresses6
        missing = not cloud.capabilities.chooses_address and server.ordered_holdings.now().count() < ordered
        there = {str(holding.address.ip) for holding in held} <= set(node.addresses)
        complete = not missing and node.addresses and there and not _passing(cloud, node.ref, held)
        return self._result(cloud, node) if complete else None

    def _prepare(self, op: Operation, now: datetime) -> tuple[Server | None, list[AddressHolding]]:
        """Reserve the addresses, and tell those that its machine gets; None when the server was given up meanwhile."""
        with transaction.atomic():
            server = (
                Server.objects.select_for_update(of=("self",))
                .select_related("subscription")
                .get(pk=op.payload["server"])
            )
            if server.state in {State.DESTROYING, State.DESTROYED}:
                return None, []
            if server.state in {State.ORDERED, State.FAILED}:
                move(server, State.CREATING, TRANSITIONS)
                reopen(op.payload["action"])
                published(server, "servers.server.creating")
            if providers.get(server.place).capabilities.chooses_address:
                return server, []
            moving.wait_for_moves(server)
            holdings.ensure_held(server, now=now)
            held = holdings.on_machine(server)
        step(op.payload["action"], "address", now=now)
        return server, held

    def _requested(self, op: Operation, server: Server, ref: str, now: datetime) -> None:
        if server.provider_ref != ref:
            Server.objects.filter(pk=server.pk).update(provider_ref=ref)
        step(op.payload["action"], "requested", now=now)

    def _result(self, cloud: providers.CloudProvider, node: providers.Node) -> dict[str, Any]:
        can = cloud.capabilities
        return {
            "ref": node.ref, "host_key": cloud.host_key(node.ref) if can.host_key else "", "metered": can.counters,
            "given": list(node.addresses) if can.chooses_address else [],
        }  # fmt: skip

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        if result.get("abandoned") or server.state != State.CREATING:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
            return
        server.provider_ref, server.host_key = result["ref"], result["host_key"]
        server.power, server.ready_at = Power.ON, server.ready_at or now
        server.save(update_fields=["provider_ref", "host_key", "power", "ready_at"])
        move(server, State.RUNNING, TRANSITIONS)
        outages.seen(server, power=Power.ON, reachable=None, now=now)
        holdings.adopt(server, result["given"], now=now)
        if result["metered"]:
            Meter.objects.get_or_create(server=server, defaults={"account_id": server.account_id})
        server.keys.filter(wanted=True).update(installed_at=now)
        for name in ("address", "running"):
            step(op.payload["action"], name, now=now)
        finish(op.payload["action"], ServerAction.State.DONE, now, step="ready")
        told(server, "servers.server.created", now=now, rule="SRV-1")
        firewalls.begin_anew(server, now=now)
        blocking.block_anew(server, now=now, occasion=op.pk)
        self._welcome(server, now)
        enforcement.catch_up(server, now=now)

    def _welcome(self, server: Server, now: datetime) -> None:
        first = server.holdings.filter(until=None, is_first=True).select_related("address").get()
        mail.send(
            "servers/ready", to=server.account.billing_email, lang=server.account.language, now=now,
            account_id=server.account_id, subject=server, key=f"servers.ready:{server.pk}",
            context={"server": server, "ip": first.address.ip, "has_keys": server.keys.filter(wanted=True).exists()},
        )  # fmt: skip

    def stumbled(self, op: Operation, *, now: datetime) -> None:
        published(Server.objects.get(pk=op.payload["server"]), "servers.action.step")

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        if action_log.failed(op, now=now) and server.state in {State.ORDERED, State.CREATING}:
            move(server, State.FAILED, TRANSITIONS)
            told(server, "servers.server.failed", now=now, rule="SRV-1", operation=op.pk)


def _passing(cloud: providers.CloudProvider, ref: str, held: Sequence[AddressHolding]) -> set[str]:
    """Restricted addresses of the machine that its place can cut off and has not yet (ABU-3)."""
    cut = {str(one.address.ip) for one in held if holdings.wanted_blocks(one.address, one.account_id)}
    return cut - cloud.blocked(ref) if cut and cloud.capabilities.block_address else set()


def _check_delivered(op: Operation, node: providers.Node) -> None:
    """ProviderError for a person where the machine is another one than was asked for."""
    wanted = noted(op).get("size", "")
    if node.size and wanted and node.size != wanted:
        raise ProviderError(
            f"the place made {node.ref} of the size {node.size}, not {wanted}", permanent=True, code="wrong_machine"
        )


def terminate(server: Server, *, because: str, now: datetime) -> ServerAction | None:
    """The subscription ended: the machine is removed with its disk and its addresses go back (SUB-6, SUB-8).

    In the transaction of the decision; None when it is under way already.
    """
    server = Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=server.pk)
    if server.state in {State.DESTROYING, State.DESTROYED}:
        return None
    move(server, State.DESTROYING, TRANSITIONS)
    action = begin(server, Verb.DESTROY, actor=SYSTEM, because=because[:120], now=now)
    action.reached("asked", now)
    attach(action, DestroyServer.kind, f"servers.destroy:{server.token}", now=now)
    told(server, "servers.server.ending", now=now)
    copies.ended(server, now=now)
    BackupPlan.objects.filter(server=server).delete()
    managed.gone(server, now=now)
    return action


@operations.register
class DestroyServer(operations.Handler):
    """The machine and its disk are gone, its last bytes counted, its addresses released."""

    kind = "servers.destroy"
    resumable = True
    label = _("Destroy a server")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        creation = server.actions.filter(verb=Verb.CREATE).select_related("operation").first()
        if creation and creation.operation and creation.operation.state == Operation.State.RUNNING:
            raise NotYet(5, "its creation is just being carried out")
        reopen(op.payload["action"])
        moving.wait_for_moves(server)
        moving.detach(holdings.lent(server))
        copies.wait_for_snapshots(server, now, since=now - LAST_WORDS)
        cloud = providers.get(server.place)
        node = cloud.find(server.token)
        if node is None:
            return {"gone": True}
        if node.power is Power.PENDING and op.attempts < LOOKS_BEFORE_THE_END:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the machine is still being made")
        metering.last_reading(server, now=now)
        step(op.payload["action"], "measured", now=now)
        cloud.destroy(node.ref)
        point("servers.destroy:removed")
        if cloud.find(server.token) is not None:
            raise ProviderError("the place still shows the machine", code="not_confirmed")
        return {"gone": True}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        creation = server.actions.filter(verb=Verb.CREATE, state=ServerAction.State.WAITING)
        if creation.exists() or holdings.lent(server) or providers.get(server.place).find(server.token) is not None:
            return None
        return {"gone": True}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        move(server, State.DESTROYED, TRANSITIONS)
        Server.objects.filter(pk=server.pk).update(ended_at=now, power=Power.GONE, reachable=None)
        holdings.release(server, now=now)
        Meter.objects.filter(server=server, closed_at=None).update(closed_at=now)
        finish(op.payload["action"], ServerAction.State.DONE, now, step="removed")
        waiting = server.actions.filter(state=ServerAction.State.WAITING)
        waiting.update(state=ServerAction.State.CANCELLED, finished_at=now)
        told(server, "servers.server.destroyed", now=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.server.destroy_failed", now=now)
