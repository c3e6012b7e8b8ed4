"""Addresses: taking from the pool exactly once, giving back with a quarantine, who held which when (SRV-3), and cutting
one off for a restriction, confirmed by the host (ABU-3)."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext_lazy

from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import events, live, operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from servers import providers, rules
from servers.models import Address, AddressHolding, Server

# Unless the place says otherwise (`quarantine_days`): a new holder must not inherit an old quarrel.
QUARANTINE_DAYS = 30
LARGEST_BLOCK = 65_536
STOCK_AT_ONCE = 256
# Where a place's configuration names neither `addresses` nor a `subnet`: ranges that are nobody's on the internet.
DEFAULT_POOLS = {
    "simulated": ("203.0.113.0/24", "198.51.100.0/24", "198.18.0.0/16"),
    "local": ("10.77.0.0/24",),
}


# ---------------------------------------------------------------- the pool


def _blocks(place: str) -> list[str]:
    """What the place's configuration gives out: its `addresses`, else the `subnet` its hosts are on, else a default."""
    config = providers.places()[place]
    subnet = [config["subnet"]] if config.get("subnet") else ()
    blocks = config.get("addresses") or subnet or DEFAULT_POOLS.get(str(config.get("provider")), ())
    return [str(block) for block in blocks]


def _pool(place: str) -> Iterator[str]:
    """Every address of the place's configured blocks, without network, gateway and broadcast."""
    for block in _blocks(place):
        network = ip_network(block)
        if network.num_addresses > LARGEST_BLOCK:
            raise ProviderError(f"{block} is larger than {LARGEST_BLOCK} addresses", permanent=True, code="pool")
        hosts = network.hosts()
        if network.num_addresses > 2:
            next(hosts)  # the gateway
        yield from map(str, hosts)


def left(place: str) -> int:
    """How many addresses the place could still give out: free ones, and those not yet on the shelf."""
    if providers.get(place).capabilities.chooses_address:
        return LARGEST_BLOCK
    networks = [ip_network(block) for block in _blocks(place)]
    size = sum(max(network.num_addresses - 3, 1) for network in networks)
    return size - Address.objects.filter(place=place).exclude(state=Address.State.FREE).count()


def stock(place: str) -> int:
    """Put the next addresses of the place's blocks on the shelf; returns how many are new."""
    known = {str(ip) for ip in Address.objects.filter(place=place).values_list("ip", flat=True)}
    fresh: list[Address] = []
    for ip in _pool(place):
        if ip not in known:
            fresh.append(Address(ip=ip, place=place))
        if len(fresh) == STOCK_AT_ONCE:
            break
    Address.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def ensure_held(server: Server, *, now: datetime) -> list[AddressHolding]:
    """The server's open holdings, taking from the pool what is still missing: one, and those ordered besides (SRV-3).

    In a transaction that holds the server's row; ProviderError (code "no_address") when the pool is empty.
    """
    held = list(server.holdings.filter(until=None).select_related("address").order_by("-is_first", "id"))
    while len(held) < 1 + server.extra_addresses:
        address = _take_free(server.place)
        address.state, address.free_at = Address.State.HELD, None
        address.save(update_fields=["state", "free_at"])
        held.append(_hold(server, address, is_first=not held, now=now))
    return held


def adopt(server: Server, ips: Sequence[str], *, now: datetime) -> None:
    """Write down the addresses that a place gave the machine of its own accord, the first one first (SRV-3)."""
    known = {str(ip) for ip in server.holdings.filter(until=None).values_list("address__ip", flat=True)}
    for ip in ips:
        if ip in known:
            continue
        address, _ = Address.objects.get_or_create(ip=ip, defaults={"place": server.place})
        Address.objects.filter(pk=address.pk).update(state=Address.State.HELD, free_at=None, place=server.place)
        _hold(server, address, is_first=not known, now=now)
        known.add(ip)


def _hold(server: Server, address: Address, *, is_first: bool, now: datetime) -> AddressHolding:
    events.record(
        "servers.address.held", now=now, actor=SYSTEM, subject=address, account_id=server.account_id, rule="SRV-3",
        data={"address_id": address.pk, "server_id": server.pk},
    )  # fmt: skip
    return AddressHolding.objects.create(
        address=address, server=server, account_id=server.account_id, is_first=is_first, since=now
    )


def _take_free(place: str) -> Address:
    for _ in range(2):
        free = Address.objects.filter(place=place, state=Address.State.FREE).order_by("pk")
        address = free.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked).first()
        if address is not None:
            return address
        if not stock(place):
            break
    raise ProviderError(f"{place} has no free address left", code="no_address")


def release(server: Server, *, now: datetime) -> None:
    """Give back everything the server holds, at its end."""
    give_back(server, server.holdings.filter(until=None).select_related("address"), now=now)


def surplus(server: Server) -> list[AddressHolding]:
    """What it holds beyond its first address and those that are wanted besides; the latest came last and goes first."""
    extra = server.holdings.filter(until=None, is_first=False).select_related("address").order_by("since", "pk")
    return list(extra)[server.extra_addresses :]


def give_back(server: Server, holdings: Iterable[AddressHolding], *, now: datetime) -> None:
    """Give some of the server's addresses back; they rest before somebody else gets them."""
    days = int(providers.places().get(server.place, {}).get("quarantine_days", QUARANTINE_DAYS))
    for holding in holdings:
        holding.until = max(now, holding.since)
        holding.save(update_fields=["until"])
        Address.objects.filter(pk=holding.address_id).update(
            state=Address.State.QUARANTINE, free_at=now + timedelta(days=days), blocked=False
        )
        events.record(
            "servers.address.released", now=now, actor=SYSTEM, subject=holding.address, account_id=server.account_id,
            rule="SRV-3", data={"address_id": holding.address_id, "server_id": server.pk},
        )  # fmt: skip


def end_quarantine(*, now: datetime) -> int:
    """Addresses whose quarantine is over can be given out again; how many those are."""
    rested = Address.objects.filter(state=Address.State.QUARANTINE, free_at__lte=now)
    return rested.update(state=Address.State.FREE, free_at=None)


# ---------------------------------------------------------------- who held it


def holders_between(ip: str, start: datetime, end: datetime) -> list[AddressHolding]:
    """Whoever held `ip` at any instant of [start, end], the latest first (ABU-1). `start` may equal `end`."""
    try:
        text = str(ip_address(ip))
    except ValueError:
        return []
    overlapping = Q(since__lte=end) & (Q(until=None) | Q(until__gt=start))
    found = AddressHolding.objects.filter(overlapping, address__ip=text)
    return list(found.select_related("address", "server", "server__subscription", "account").order_by("-since", "-pk"))


def current_holding(address: Address) -> AddressHolding | None:
    """Who holds the address now; None: nobody."""
    return AddressHolding.objects.filter(address=address, until=None).select_related("server").first()


def wanted_blocks(address: Address, account_id: int) -> list[Restriction]:
    """The restrictions in force that cut the address off for this holder; a later holder is not theirs."""
    return [row for row in restrictions.in_force_on(address) if row.account_id == account_id and row.scope == "address"]


# ---------------------------------------------------------------- cutting one off


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


class _AddressOperation(operations.Handler):
    def _where(self, op: Operation) -> tuple[Address, AddressHolding | None]:
        """The address and who of the restricted account holds it now; NotYet while its machine is being made."""
        address = Address.objects.get(pk=op.payload["address"])
        holding = current_holding(address)
        if holding is None or holding.account_id != op.account_id:
            return address, None
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
        cloud = providers.get(holding.server.place)
        cloud.block_address(holding.server.provider_ref, str(address.ip))
        return {"server": holding.server_id}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        address, holding = self._where(op)
        if holding is None:
            return None
        blocked = providers.get(holding.server.place).blocked(holding.server.provider_ref)
        return {"server": holding.server_id} if str(address.ip) in blocked else None

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
        providers.get(holding.server.place).unblock_address(holding.server.provider_ref, str(address.ip))
        return {"server": holding.server_id}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        address, holding = self._where(op)
        if holding is None or wanted_blocks(address, holding.account_id):
            return None
        blocked = providers.get(holding.server.place).blocked(holding.server.provider_ref)
        return None if str(address.ip) in blocked else {"server": holding.server_id}

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
