"""An additional address goes to another server of its holder's, or to none and stays reserved (SRV-3).

Its place is told in two steps, and what stands in the holdings is never behind: the address is off the first server
before it is held by the second, and held by the second before it answers there. So at each instant the history names
the one machine that can send from it (ABU-1), whatever crashes in between.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import Actor
from panel.core.crash import point
from panel.core.errors import NotYet, ProviderError, RuleViolation
from panel.core.models import Operation
from servers import action_log, actions, enforcement, places, providers
from servers.action_log import attach, begin, finish, published, reopen, told
from servers.addressing import address_rules, blocking, pool
from servers.addressing.address_rules import Machine, Standing, WhyNot
from servers.addressing.address_wording import SENTENCES
from servers.addressing.holdings import rehold, wanted_blocks
from servers.models import Address, AddressHolding, Server, ServerAction
from servers.rules import ON_THE_HOST, Power, Verb

RULE = "SRV-3"
CHANGES = frozenset({Verb.RESIZE, Verb.CREATE, Verb.DESTROY})


@transaction.atomic
def move(address: Address, to: Server | None, *, actor: Actor, now: datetime) -> ServerAction:
    """Have the address on `to`, or on no server; the same asked twice is one.

    RuleViolation (field "server") with the sentence when it cannot go there now; PermissionDenied for who may not.
    """
    actions.MOVE_ADDRESS.check(actor)
    holding = _open(AddressHolding.objects.visible_to(actor), address)
    servers = _lock(holding, to)
    address = Address.objects.select_for_update(of=("self",)).select_related("move").get(pk=address.pk)
    holding = _open(AddressHolding.objects.visible_to(actor), address)
    if _waiting(address) and address.move and address.move.facts["to"] == (to.pk if to else None):
        return address.move
    target = servers[to.pk] if to else None
    refused = address_rules.why_not(standing(holding), machine(target, address.family) if target else None)
    if refused is not None:
        raise RuleViolation(str(SENTENCES[refused]), rule=RULE, field="server")
    source = holding.server if holding.attached else None
    facts = {
        "ip": str(address.ip), "address": address.pk, "to": target.pk if target else None,
        "from": source.pk if source else None, "to_name": target.name if target else "",
        "from_name": source.name if source else "",
    }  # fmt: skip
    action = begin(target or holding.server, Verb.ADDRESS, actor=actor, because="", now=now, facts=facts)
    attach(action, MoveAddress.kind, f"{MoveAddress.kind}:{action.pk}", now=now, payload={"address": address.pk})
    address.move = action
    address.save(update_fields=["move"])
    told(action.server, "servers.address.move_asked", now=now, actor=actor, rule=RULE, address_id=address.pk)
    return action


def _open(rows: Any, address: Address) -> AddressHolding:
    found = rows.now().select_related("address__move", "server", "ordered_with").filter(address=address).first()
    if found is None:
        raise RuleViolation(str(SENTENCES[WhyNot.NOT_YOURS]), rule=RULE)
    return found  # type: ignore[no-any-return]


def _lock(holding: AddressHolding, to: Server | None) -> dict[int, Server]:
    """The servers concerned, locked always in the same order."""
    wanted = {holding.server_id, holding.ordered_with_id, *([to.pk] if to else [])}
    rows = Server.objects.select_for_update(of=("self",)).select_related("subscription").filter(pk__in=wanted)
    return {server.pk: server for server in rows.order_by("pk")}


def _waiting(address: Address) -> bool:
    return address.move is not None and address.move.state == ServerAction.State.WAITING


def standing(holding: AddressHolding) -> Standing:
    """What decides over an open holding; its address with its move, its servers and what restricts it are read."""
    family = holding.address.family
    return Standing(
        machine(holding.server, family) if holding.attached else None, machine(holding.ordered_with, family),
        is_first=holding.is_first, moving=_waiting(holding.address),
        restricted=bool(wanted_blocks(holding.address, holding.account_id)),
    )  # fmt: skip


def machine(server: Server, family: int) -> Machine:
    """What decides over a server."""
    can = places.capabilities(server.place)
    able = can.extra_addresses and not can.chooses_address and (family == pool.IPV4 or can.ipv6)
    return Machine(
        server.pk, server.account_id, server.place, server.state, able=able,
        busy=server.actions.filter(state=ServerAction.State.WAITING, verb__in=CHANGES).exists(),
        restricted=_restricted(server), many=server.holdings.attached().count() + _coming(server),
    )  # fmt: skip


def _restricted(server: Server) -> bool:
    """Whether something in force touches it, or it must be off: what is not paid for works nowhere else (SUB-8)."""
    return bool(enforcement.restrictions_on(server)) or enforcement.held_by(server) is not None


def _coming(server: Server) -> int:
    """How many addresses are on their way to it."""
    waiting = Address.objects.filter(move__state=ServerAction.State.WAITING, move__facts__to=server.pk)
    return waiting.exclude(pk__in=server.holdings.attached().values("address")).count()


def under_way(server: Server) -> bool:
    """Whether an address is on its way to the server, from it, or was ordered with it and moves elsewhere."""
    concerned = AddressHolding.objects.now().filter(Q(server=server) | Q(ordered_with=server)).values("address")
    waiting = Address.objects.filter(move__state=ServerAction.State.WAITING)
    return waiting.filter(Q(move__server=server) | Q(pk__in=concerned)).exists()


def wait_for_moves(server: Server) -> None:
    """NotYet while an address of the server is on its way."""
    if under_way(server):
        raise NotYet(5, "an address is on its way to or from this server")


def detach(holdings: Iterable[AddressHolding]) -> None:
    """Take addresses from the machines that they are on; a machine that is gone has none."""
    for holding in holdings:
        if not holding.attached or holding.server.state not in ON_THE_HOST:
            continue
        try:
            providers.get(holding.server.place).detach_address(holding.server.provider_ref, str(holding.address.ip))
        except ProviderError as error:
            if error.code != "not_found":
                raise


@operations.register
class MoveAddress(operations.Handler):
    """The address answers on the server it was asked for, or on none, and nowhere else."""

    kind = "servers.address_move"
    label = gettext_lazy("Move an address")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        holding, to, skipped = self._of(op)
        if holding is None or skipped:
            return {"skipped": skipped}
        reopen(op.payload["action"])
        there = holding.attached and to is not None and holding.server_id == to.pk
        if not there:
            detach([holding])
            point("servers.address_move:detached")
            if not self._held(op, holding, to, now=now):
                return {"skipped": "restricted"}
        if to is not None:
            cloud = providers.get(to.place)
            node = cloud.get(to.provider_ref)
            if node is not None and node.power is Power.PENDING:
                raise NotYet(5, "the machine is busy")
            cloud.attach_address(to.provider_ref, str(holding.address.ip))
            point("servers.address_move:attached")
        return {"to": to.pk if to else None}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        holding, to, skipped = self._of(op)
        if holding is None or skipped:
            return None
        if to is None:
            return {"to": None} if not holding.attached else None
        if not holding.attached or holding.server_id != to.pk:
            return None
        node = providers.get(to.place).get(to.provider_ref)
        return {"to": to.pk} if node is not None and str(holding.address.ip) in node.addresses else None

    def _of(self, op: Operation) -> tuple[AddressHolding | None, Server | None, str]:
        """The open holding, the server it shall be on, and why there is nothing to be done any more."""
        rows = AddressHolding.objects.now().select_related("address__move", "server", "ordered_with")
        holding = rows.filter(address=op.payload["address"], account=op.account_id).first()
        if holding is None or holding.address.move_id != op.payload["action"] or holding.address.move is None:
            return holding, None, "superseded"
        wanted = holding.address.move.facts["to"]
        to = Server.objects.get(pk=wanted) if wanted else None
        if to is not None and (to.state not in ON_THE_HOST or to.account_id != op.account_id):
            return holding, None, "ended"
        return holding, to, ""

    @transaction.atomic
    def _held(self, op: Operation, seen: AddressHolding, to: Server | None, *, now: datetime) -> bool:
        """Write down where it is from now on; False where a restriction came in between, of it or of a server that it
        would have to do with: then it is on no server."""
        servers = _lock(seen, to).values()
        Address.objects.select_for_update().get(pk=seen.address_id)
        holding = AddressHolding.objects.now().select_related("address", "ordered_with").get(pk=seen.pk)
        restricted = bool(wanted_blocks(holding.address, holding.account_id))
        restricted |= to is not None and any(map(_restricted, servers))
        if holding.attached or (to is not None and not restricted):
            rehold(holding, None if restricted else to, now=now)
        return not restricted

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if "skipped" in result:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
        else:
            finish(op.payload["action"], ServerAction.State.DONE, now)
        action = ServerAction.objects.select_related("server").get(pk=op.payload["action"])
        event = "servers.address.not_moved" if "skipped" in result else "servers.address.moved"
        told(action.server, event, now=now, rule=RULE, address_id=op.payload["address"])
        self._show(action, event)
        address = Address.objects.get(pk=op.payload["address"])
        for restriction in wanted_blocks(address, action.account_id):  # decided while it was on its way
            blocking.repair_block(address, restriction, now=now, occasion=op.pk)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.address.move_failed", now=now)
        self._show(ServerAction.objects.get(pk=op.payload["action"]), "servers.address.move_failed")

    def _show(self, action: ServerAction, event: str) -> None:
        other = Server.objects.filter(pk=action.facts["from"] or 0).exclude(pk=action.server_id).first()
        if other is not None:
            published(other, event)
