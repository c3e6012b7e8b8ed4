"""Who holds which address: taken from the pool exactly once, given back with a quarantine, never forgotten (SRV-3)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from django.db.models import Q

from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import events
from panel.core.actors import SYSTEM
from servers import providers
from servers.addressing import pool
from servers.models import Address, AddressHolding, Server

# Unless the place says otherwise (`quarantine_days`): a new holder must not inherit an old quarrel.
QUARANTINE_DAYS = 30


def ensure_held(server: Server, *, now: datetime) -> list[AddressHolding]:
    """The open holdings that were ordered with the server, wherever they are, taking from the pool what is still
    missing: one, and those ordered besides (SRV-3). What is new is on the server.

    In a transaction that holds the server's row; ProviderError (code "no_address") when the pool is empty.
    """
    held = _ordered(server)
    wanted = {pool.IPV4: 1 + server.extra_addresses, pool.IPV6: server.extra_addresses6}
    for family, count in wanted.items():
        for _one in range(count - sum(one.address.family == family for one in held)):
            address = pool.take(server.place, family)
            address.state, address.free_at = Address.State.HELD, None
            address.save(update_fields=["state", "free_at"])
            held.append(_hold(server, address, is_first=not held, now=now))
    return held


def _ordered(server: Server) -> list[AddressHolding]:
    rows = server.ordered_holdings.now().select_related("address__move", "server")
    return list(rows.order_by("-is_first", "since", "pk"))


def on_machine(server: Server) -> list[AddressHolding]:
    """What its machine answers at, the first address first: also what others lent it, not what is elsewhere."""
    rows = server.holdings.attached().select_related("address")
    return list(rows.order_by("-is_first", "since", "pk"))


def adopt(server: Server, ips: Sequence[str], *, now: datetime) -> None:
    """Write down the addresses that a place gave the machine of its own accord, the first one first (SRV-3). Those of
    a machine before it, lost or exchanged, go back; so does what a lost machine of another server's had. None given:
    nothing changes."""
    if not ips:
        return
    held = {str(one.address.ip): one for one in server.holdings.now().select_related("address")}
    give_back(server, [one for ip, one in held.items() if ip not in ips], now=now)
    for ip in ips:
        if ip in held:
            continue
        family = ip_address(ip).version
        address, _ = Address.objects.get_or_create(ip=ip, defaults={"place": server.place, "family": family})
        for one in AddressHolding.objects.now().filter(address=address).select_related("address", "server"):
            give_back(one.server, [one], now=now)
        Address.objects.filter(pk=address.pk).update(state=Address.State.HELD, free_at=None, place=server.place)
        _hold(server, address, is_first=False, now=now)
    if not server.holdings.now().filter(is_first=True).exists():
        server.holdings.now().filter(address__ip=ips[0]).update(is_first=True)


def _hold(server: Server, address: Address, *, is_first: bool, now: datetime) -> AddressHolding:
    events.record(
        "servers.address.held", now=now, actor=SYSTEM, subject=address, account_id=server.account_id, rule="SRV-3",
        data={"address_id": address.pk, "server_id": server.pk},
    )  # fmt: skip
    return AddressHolding.objects.create(
        address=address, server=server, ordered_with=server, account_id=server.account_id, is_first=is_first, since=now
    )


def release(server: Server, *, now: datetime) -> None:
    """At the server's end: what was ordered with it goes back, wherever it is; what others ordered stays theirs."""
    for holding in server.holdings.now().exclude(ordered_with=server).select_related("address", "ordered_with"):
        rehold(holding, None, now=now)
    give_back(server, _ordered(server), now=now)


def rehold(holding: AddressHolding, to: Server | None, *, now: datetime) -> AddressHolding:
    """From `now` on the address is on `to`, or on no server: the open holding ends, another begins (SRV-3)."""
    holding.until = max(now, holding.since)
    holding.save(update_fields=["until"])
    return AddressHolding.objects.create(
        address=holding.address, server=to or holding.ordered_with, ordered_with=holding.ordered_with,
        account_id=holding.account_id, is_first=False, attached=to is not None, leaves=holding.leaves,
        since=holding.until,
    )  # fmt: skip


def lent(server: Server) -> list[AddressHolding]:
    """What was ordered with the server and is on another one."""
    return [one for one in _ordered(server) if one.server_id != server.pk]


def elsewhere(server: Server) -> bool:
    """Whether an address that was ordered with the server is on another, or one of another's on it."""
    away = Q(ordered_with=server) & ~Q(server=server) | Q(server=server) & ~Q(ordered_with=server)
    return AddressHolding.objects.now().filter(away).exists()


def surplus(server: Server) -> list[AddressHolding]:
    """What was ordered with it beyond its first address and those that are wanted besides. Those go first that their
    holder chose, then those on no server, then the latest; one that is restricted goes last."""
    held, found = [one for one in _ordered(server) if not one.is_first], []
    for family, wanted in ((pool.IPV4, server.extra_addresses), (pool.IPV6, server.extra_addresses6)):
        mine = [one for one in held if one.address.family == family]
        mine.sort(key=lambda one: (bool(wanted_blocks(one.address, one.account_id)), not one.leaves, one.attached,
                                   -one.since.timestamp(), -one.pk))  # fmt: skip
        found += mine[: max(len(mine) - wanted, 0)]
    return found


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
