"""Addresses that are not where their holdings say, found by comparing with a place, and put right (SRV-3)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from panel.core import bulk, operations
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from servers import providers
from servers.addressing.holdings import current_holding
from servers.models import Address, Server, ServerAction
from servers.rules import ON_THE_HOST, Finding, Power

Found = tuple[Finding, str, str, Server]


def findings(
    place: str, cloud: providers.CloudProvider, nodes: Mapping[str, providers.Node], servers: Mapping[str, Server],
    busy: set[int],
) -> Iterator[Found]:  # fmt: skip
    """Addresses of ours on a machine that does not hold them, and machines that lack one of theirs. What is being
    changed just now is left for the next look."""
    if not cloud.capabilities.extra_addresses or cloud.capabilities.chooses_address:
        return
    here = [nodes[ref] for ref in servers if ref in nodes]
    known = Address.objects.filter(place=place).exclude(state=Address.State.FREE)
    ours = {str(ip) for ip in known.filter(ip__in=[ip for node in here for ip in node.addresses[1:]])
            .values_list("ip", flat=True)}  # fmt: skip
    these = bulk.among(server.pk for server in servers.values())
    meant = Q(holdings__server__in=these) | Q(ip__in=ours)
    open_ones = known.filter(meant, holdings__until=None, holdings__attached=True, holdings__is_first=False)
    held = {str(ip): server for ip, server in open_ones.values_list("ip", F("holdings__server"))}
    of: dict[int, list[str]] = {}
    for ip, holder in held.items():
        of.setdefault(holder, []).append(ip)
    moving = {str(ip) for ip in known.filter(move__state=ServerAction.State.WAITING).values_list("ip", flat=True)}
    for ref, server in servers.items():
        node = nodes.get(ref)
        if node is None or node.power is Power.PENDING or server.pk in busy:
            continue
        for ip in node.addresses[1:]:
            if ip in ours and ip not in moving and held.get(ip) != server.pk:
                words = f"{server.reference} answers at {ip}, which it does not hold"
                yield Finding.ADDRESS_EXTRA, f"{ref} {ip}", words, server
        for ip in of.get(server.pk, ()):
            if ip not in moving and ip not in node.addresses:
                yield Finding.ADDRESS_LOST, f"{ref} {ip}", f"{server.reference} lacks {ip}, which it holds", server


def repair(server: Server, ip: str, *, occasion: int, now: datetime) -> Operation:
    """Have the machine get or lose the address, by what the holdings say when it is done."""
    return operations.enqueue(
        SettleAddress.kind, key=f"{SettleAddress.kind}:{occasion}", now=now, account_id=server.account_id,
        subject=server, payload={"server": server.pk, "ip": ip},
    )  # fmt: skip


@operations.register
class SettleAddress(operations.Handler):
    """The machine answers at the address if it is held for it, and else not."""

    kind = "servers.address_settle"
    label = gettext_lazy("Put an address right")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server, ip = Server.objects.get(pk=op.payload["server"]), op.payload["ip"]
        address = Address.objects.select_related("move").get(ip=ip)
        if address.move is not None and address.move.state == ServerAction.State.WAITING:
            raise NotYet(10, "the address is on its way")
        if server.state not in ON_THE_HOST:
            return {"skipped": server.state}
        holding, cloud = current_holding(address), providers.get(server.place)
        if holding is not None and holding.attached and holding.server_id == server.pk:
            if address.blocked:
                raise ProviderError(f"{ip} is cut off; put it back by hand", permanent=True, code="blocked")
            cloud.attach_address(server.provider_ref, ip)
            return {"attached": True}
        cloud.detach_address(server.provider_ref, ip)
        return {"attached": False}
