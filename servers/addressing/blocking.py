"""Cutting an address off for a restriction, confirmed by the host, and opening it again (ABU-3)."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy

from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import events, live, operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from servers import providers, rules
from servers.addressing.holdings import current_holding, on_machine, wanted_blocks
from servers.models import Address, AddressHolding, Server, ServerAction


def request_block(address: Address, *, restriction: Restriction, now: datetime) -> Operation:
    """Have the address cut off because of `restriction`, once (ABU-3); in the transaction of the decision.

    When the host has confirmed it: `restrictions.took_effect` and the event `servers.address.blocked`.
    """
    return _enqueue(
        BlockAddress.kind, f"servers.block:{restriction.pk}", address, restriction.pk, restriction.account_id, now
    )


def request_unblock(address: Address, *, restriction: Restriction, now: datetime, turn: int = 0) -> Operation:
    """Have the address opened again because `restriction` was lifted; event `servers.address.unblocked` once it is.

    Another restriction in force on it keeps it closed: then the event is `servers.address.kept_blocked`.
    """
    key = f"servers.unblock:{restriction.pk}" + (f":{turn}" if turn else "")
    return _enqueue(UnblockAddress.kind, key, address, restriction.pk, restriction.account_id, now)


def repair_block(address: Address, restriction: Restriction, *, now: datetime, occasion: int) -> Operation:
    """Cut off again what the host no longer cuts off; `occasion` is the discrepancy that showed it."""
    return _enqueue(BlockAddress.kind, f"servers.block:{restriction.pk}:repair:{occasion}", address, restriction.pk,
                    restriction.account_id, now)  # fmt: skip


def block_anew(server: Server, *, now: datetime, occasion: int) -> None:
    """Its machine was just made, in place of a lost one: what is restricted is cut off there too (ABU-3)."""
    for holding in on_machine(server):
        for restriction in wanted_blocks(holding.address, holding.account_id):
            repair_block(holding.address, restriction, now=now, occasion=occasion)


def open_extra_block(address: Address, holding: AddressHolding, *, now: datetime, occasion: int) -> Operation:
    """Open an address that the host cuts off though nothing asks for it."""
    return _enqueue(UnblockAddress.kind, f"servers.unblock:repair:{occasion}", address, None, holding.account_id, now)


def _enqueue(
    kind: str, key: str, address: Address, restriction_id: int | None, account_id: int, now: datetime
) -> Operation:
    return operations.enqueue(
        kind, key=key, now=now, account_id=account_id, subject=address,
        payload={"address": address.pk, "restriction": restriction_id},
    )  # fmt: skip


def _cut_off(address: Address, holding: AddressHolding) -> bool:
    """Whether no packet passes: its place says so, or it is on no server."""
    if not holding.attached:
        return True
    return str(address.ip) in providers.get(holding.server.place).blocked(holding.server.provider_ref)


class _AddressOperation(operations.Handler):
    def _where(self, op: Operation) -> tuple[Address, AddressHolding | None]:
        """The address and who of the restricted account holds it now; NotYet while its machine is being made, or it
        is on its way to another one."""
        address = Address.objects.select_related("move").get(pk=op.payload["address"])
        holding = current_holding(address)
        if holding is None or holding.account_id != op.account_id:
            return address, None
        if address.move is not None and address.move.state == ServerAction.State.WAITING:
            raise NotYet(5, "the address is on its way to another server")
        if not holding.attached:
            return address, holding
        if not holding.server.provider_ref:
            if holding.server.state in {rules.State.ORDERED, rules.State.CREATING}:
                raise NotYet(10, "the machine is still being made")
            return address, None
        return address, holding

    def _tell(self, op: Operation, address: Address, event: str, now: datetime, data: dict[str, Any]) -> None:
        holding = current_holding(address)
        rows = Restriction.objects.filter(pk=op.payload["restriction"])
        events.record(
            event, now=now, actor=SYSTEM, subject=address, account_id=op.account_id,
            rule=next(iter(rows.values_list("rule", flat=True)), ""),
            data={"address_id": address.pk, "restriction_id": op.payload["restriction"], **data},
        )  # fmt: skip
        topics = [f"account:{op.account_id}", "staff", *([f"server:{holding.server_id}"] if holding else [])]
        live.publish(topics, event, {"id": holding.server_id if holding else address.pk})


@operations.register
class BlockAddress(_AddressOperation):
    """No packet to or from the address passes any more."""

    kind = "servers.block"
    label = gettext_lazy("Deactivate an address")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        if not Restriction.objects.in_force().filter(pk=op.payload["restriction"]).exists():
            return {"skipped": "lifted"}
        address, holding = self._where(op)
        if holding is None:
            raise ProviderError("nobody of this account holds the address any more", permanent=True, code="not_held")
        if holding.attached:  # on no server, nobody sends from it
            providers.get(holding.server.place).block_address(holding.server.provider_ref, str(address.ip))
        return {"server": holding.server_id}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        address, holding = self._where(op)
        if holding is None:
            return None
        return {"server": holding.server_id} if _cut_off(address, holding) else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        address = Address.objects.select_for_update().get(pk=op.payload["address"])
        restriction = Restriction.objects.select_for_update().get(pk=op.payload["restriction"])
        if "skipped" in result:
            return
        address.blocked = True
        address.save(update_fields=["blocked"])
        if restriction.state != Restriction.State.ACTIVE:  # lifted while the host was being asked
            request_unblock(address, restriction=restriction, now=now, turn=op.pk)
            return
        restrictions.took_effect(restriction.pk, now=now)
        self._tell(op, address, "servers.address.blocked", now, {"server_id": result["server"]})

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        self._tell(op, Address.objects.get(pk=op.payload["address"]), "servers.address.block_failed", now, {})


@operations.register
class UnblockAddress(_AddressOperation):
    """Packets pass again, unless another restriction keeps the address closed."""

    kind = "servers.unblock"
    label = gettext_lazy("Reactivate an address")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        address, holding = self._where(op)
        if holding is None:
            return {"skipped": "not_held"}
        others = wanted_blocks(address, holding.account_id)
        if others:
            return {"kept_by": [row.pk for row in others]}
        if holding.attached:
            providers.get(holding.server.place).unblock_address(holding.server.provider_ref, str(address.ip))
        return {"server": holding.server_id}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        address, holding = self._where(op)
        if holding is None or wanted_blocks(address, holding.account_id):
            return None
        return None if holding.attached and _cut_off(address, holding) else {"server": holding.server_id}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        address = Address.objects.select_for_update().get(pk=op.payload["address"])
        if "kept_by" in result:
            self._tell(op, address, "servers.address.kept_blocked", now, {"by": result["kept_by"]})
            return
        holding = current_holding(address)
        renewed = wanted_blocks(address, holding.account_id) if holding else []
        address.blocked = False
        address.save(update_fields=["blocked"])
        self._tell(op, address, "servers.address.unblocked", now, {})
        for restriction in renewed:  # decided while the host was opening it
            repair_block(address, restriction, now=now, occasion=op.pk)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        self._tell(op, Address.objects.get(pk=op.payload["address"]), "servers.address.unblock_failed", now, {})
