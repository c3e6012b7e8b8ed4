"""What should be against what is: machines, their power, blocked addresses, firewalls, silent meters. Repairs what is
the panel's to repair, reports the rest, and closes a finding once it is gone (SRV-1, ABU-3)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from panel.accounts.models import Restriction
from panel.core import bulk, due, events, operations
from panel.core.actors import CLOCK
from panel.core.errors import ProviderError
from panel.core.models import Operation
from panel.core.querysets import in_parts
from servers import enforcement, metering, providers
from servers.addressing import astray, blocking, holdings, pool
from servers.models import Address, AddressHolding, Discrepancy, Firewall, Meter, Server, ServerAction
from servers.networking import firewalls
from servers.rules import ON_THE_HOST, Finding, Power, State
from servers.safekeeping import comparing

COMPARED = frozenset(Finding) - {Finding.HOST_KEY, Finding.PUSH, Finding.UNPATCHED}
SILENT_METER = timedelta(hours=1)
PART = 2000  # servers compared at once


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that is not as it should be."""

    kind: Finding
    ref: str
    detail: str
    server: Server | None = None


@due.sweep("servers.reconcile", every_seconds=300)
def reconcile(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Compare every place with the panel; what cannot be compared is itself a finding."""
    report = due.SweepReport()
    for place in providers.places():
        if not dry_run:
            report.done += firewalls.end_locks(place, now=now)
        try:
            seen = _compare(place, now)
        except ProviderError as error:
            seen = [Seen(Finding.UNREACHABLE_PLACE, place, str(error)[:300])]
            report.failed.append(f"{place}: {error}")
        if dry_run:
            report.would += [f"{place}: {one.kind} {one.ref} {one.detail}" for one in seen]
            continue
        silent = any(one.kind is Finding.UNREACHABLE_PLACE for one in seen)
        report.done += keep(place, seen, now, kinds=() if silent else COMPARED)
    if not dry_run:
        report.done += pool.end_quarantine(now=now)
    return report


def _compare(place: str, now: datetime) -> list[Seen]:
    """The place's list is one answer; the panel's rows are read beside it in parts."""
    cloud = providers.get(place)
    by_ref = {node.ref: node for node in cloud.list() if node.power is not Power.GONE}
    busy = set(ServerAction.objects.filter(state=ServerAction.State.WAITING).values_list("server_id", flat=True))
    seen = _strangers(place, by_ref)
    mine = Server.objects.filter(place=place, state__in=ON_THE_HOST).select_related("subscription")
    strays: list[Seen] = []
    for part in in_parts(mine, PART):
        servers = {server.provider_ref: server for server in part}
        seen += _machines(by_ref, servers, busy)
        there = {ref: server for ref, server in servers.items() if ref in by_ref}
        seen += _blocks(cloud, there)
        seen += _firewalls(cloud, there, busy)
        strays += [Seen(*one) for one in astray.findings(place, cloud, by_ref, servers, busy)]
    # an address is taken off where it does not belong before it is put where it does
    seen += sorted(strays, key=lambda one: one.kind is not Finding.ADDRESS_EXTRA)
    seen += [Seen(*one) for one in comparing.findings(place, cloud, now=now)]
    seen += _meters(place, now)
    return seen


def _machines(by_ref: Mapping[str, providers.Node], servers: dict[str, Server], busy: set[int]) -> Iterator[Seen]:
    """Machines that are gone, and such that run although they are suspended."""
    for ref, server in servers.items():
        node = by_ref.get(ref)
        if server.pk in busy:
            continue
        if node is None:
            yield Seen(Finding.MISSING, ref, f"the machine of {server.reference} is gone", server)
        elif node.power is Power.ON and server.state == State.SUSPENDED:
            yield Seen(Finding.POWER, ref, f"{server.reference} is suspended, but its machine runs", server)


def _strangers(place: str, by_ref: dict[str, providers.Node]) -> list[Seen]:
    """Machines of ours that no living server is, and second ones of a server that has its own (SRV-1)."""
    strange: dict[str, list[providers.Node]] = {}
    for node in by_ref.values():
        if node.token:
            strange.setdefault(node.token, []).append(node)
    seen = []
    living = Server.objects.filter(place=place).exclude(state=State.DESTROYED).select_related("subscription")
    for part in in_parts(living, PART):
        for owner in part:
            known = [*strange.pop(owner.token, ()), *strange.pop(providers.mark(owner.token), ())]
            for node in known if owner.provider_ref else ():
                if node.ref != owner.provider_ref:
                    words = f"machine {node.name!r} is a second one of {owner.reference}, which is {owner.provider_ref}"
                    seen.append(Seen(Finding.DUPLICATE, node.ref, words, owner))
    for node in (node for nodes in strange.values() for node in nodes):
        words = f"machine {node.name!r} of the token {node.token!r} belongs to no living server"
        seen.append(Seen(Finding.ORPHAN, node.ref, words))
    return seen


def _blocks(cloud: providers.CloudProvider, servers: dict[str, Server]) -> list[Seen]:
    """Addresses that are or should be cut off: only their machines are asked."""
    if not cloud.capabilities.block_address:
        return []
    restricted = _restricted_addresses()
    concerned = Q(address__blocked=True) | Q(address__in=bulk.among({address for address, _account in restricted}))
    these = bulk.among(server.pk for server in servers.values())
    held = AddressHolding.objects.attached().filter(concerned, server__in=these).select_related("address", "server")
    seen = []
    for holding in held.order_by("server_id", "pk"):
        wanted = (holding.address_id, holding.account_id) in restricted
        if not (wanted or holding.address.blocked):
            continue
        ip, server = str(holding.address.ip), holding.server
        try:
            is_blocked = ip in cloud.blocked(server.provider_ref)
        except ProviderError as error:
            if error.code == "not_found":
                continue  # it went while we looked; the machine itself will be a finding
            raise
        if wanted and not is_blocked:
            seen.append(Seen(Finding.BLOCK_MISSING, ip, "restricted, but packets pass", server))
        if is_blocked and not wanted:
            seen.append(Seen(Finding.BLOCK_EXTRA, ip, "cut off, but nothing asks for it", server))
    return seen


def _firewalls(cloud: providers.CloudProvider, servers: dict[str, Server], busy: set[int]) -> list[Seen]:
    """Firewalls that were confirmed and are not so any more: only machines that have rules are asked, in one call
    where the place can tell so many."""
    if cloud.capabilities.firewall is None:
        return []
    these = bulk.among(server.pk for server in servers.values() if server.pk not in busy)
    rows = Firewall.objects.filter(server__in=these, state=Firewall.State.IN_FORCE).exclude(in_force="")
    by_server = {row.server_id: row for row in rows}
    asked = [ref for ref, server in servers.items() if server.pk in by_server]
    told = cloud.firewalls_of(asked) if asked and cloud.capabilities.firewalls_at_once else {}
    seen = []
    for ref in asked:
        server, row = servers[ref], by_server[servers[ref].pk]
        words = f"the firewall of {server.reference} at its place is not the one that was confirmed"
        try:
            same = (told[ref] if ref in told else cloud.firewall(ref)) == row.wanted
        except ProviderError as error:
            if error.code == "not_found":
                continue  # the machine itself is a finding
            if error.code in providers.NO_PLACE:
                raise
            same, words = False, f"the firewall of {server.reference} cannot be read: {error}"
        if not same and rows.filter(pk=row.pk, turn=row.turn).exists():  # it was not changed while we looked
            seen.append(Seen(Finding.FIREWALL, ref, words, server))
    return seen


def _restricted_addresses() -> set[tuple[int, int]]:
    rows = Restriction.objects.in_force().filter(scope="address", subject_type=Address._meta.label_lower)
    return {(subject, account) for subject, account in rows.values_list("subject_id", "account_id") if subject}


def _meters(place: str, now: datetime) -> list[Seen]:
    silent = Meter.objects.filter(
        server__place=place, server__state__in=ON_THE_HOST, failing_since__lte=now - SILENT_METER, closed_at=None
    )
    return [
        Seen(
            Finding.METER,
            meter.server.provider_ref,
            f"not read since {meter.at or meter.server.ready_at}",
            meter.server,
        )
        for meter in silent.select_related("server")
    ]


def keep(place: str, seen: list[Seen], now: datetime, *, kinds: Collection[Finding]) -> int:
    """Open findings are renewed, new ones opened with their repair; those of `kinds`, which were compared in full, are
    resolved where they were not seen again."""
    for one in seen:
        with transaction.atomic():
            _open(place, one, now)
    still = {(str(one.kind), one.ref) for one in seen}
    for row in Discrepancy.objects.filter(place=place, resolved_at=None, kind__in=kinds):
        if (row.kind, row.ref) not in still:
            Discrepancy.objects.filter(pk=row.pk).update(resolved_at=now)
    return len(seen)


def settle(kind: Finding, before: datetime, *, now: datetime) -> int:
    """Findings of `kind` that were not seen again since `before` are over; how many."""
    rows = Discrepancy.objects.filter(kind=kind, resolved_at=None, last_seen__lt=before)
    return rows.update(resolved_at=now)


def _open(place: str, one: Seen, now: datetime) -> None:
    known = Discrepancy.objects.filter(place=place, kind=one.kind, ref=one.ref, resolved_at=None)
    if known.update(last_seen=now, detail=one.detail[:300]):
        return
    row = Discrepancy(
        place=place,
        kind=one.kind,
        ref=one.ref,
        server=one.server,
        detail=one.detail[:300],
        first_seen=now,
        last_seen=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return
    events.record(
        "servers.discrepancy.found", now=now, actor=CLOCK, subject=row,
        account_id=one.server.account_id if one.server else None,
        data={"kind": str(one.kind), "place": place, "ref": one.ref},
    )  # fmt: skip
    row.operation = _repair(row, one, now)
    row.save(update_fields=["operation"])


def _repair(row: Discrepancy, one: Seen, now: datetime) -> Operation | None:
    """What the panel may put right by itself; what destroys or revives a machine is left to a person."""
    match one.kind:
        case Finding.POWER if one.server is not None and enforcement.held_by(one.server):
            enforcement.suspend(one.server, because="SRV-1", key=f"repair:{row.pk}", now=now)
            return None
        case Finding.BLOCK_MISSING | Finding.BLOCK_EXTRA:
            return _repair_block(row, one, now)
        case Finding.ADDRESS_EXTRA | Finding.ADDRESS_LOST if one.server is not None:
            return astray.repair(one.server, one.ref.split()[1], occasion=row.pk, now=now)
        case Finding.FIREWALL if one.server is not None:
            return firewalls.repair(one.server, now=now)
        case Finding.METER if one.server is not None:
            return operations.enqueue(
                metering.ReadMeter.kind, key=f"servers.read_meter:{row.pk}", now=now, account_id=one.server.account_id,
                subject=one.server, payload={"server": one.server.pk},
            )  # fmt: skip
        case _:
            return operations.enqueue(
                Review.kind, key=f"servers.review:{row.pk}", now=now, subject=row,
                account_id=one.server.account_id if one.server else None, payload={"discrepancy": row.pk},
            )  # fmt: skip


def _repair_block(row: Discrepancy, one: Seen, now: datetime) -> Operation | None:
    address = Address.objects.get(ip=one.ref)
    holding = holdings.current_holding(address)
    if holding is None:
        return None
    wanted = holdings.wanted_blocks(address, holding.account_id)
    if wanted:
        return blocking.repair_block(address, wanted[0], now=now, occasion=row.pk)
    return blocking.open_extra_block(address, holding, now=now, occasion=row.pk)


@operations.register
class Review(operations.Handler):
    """A finding only a person can judge: it stands in the staff's queue until it is gone or somebody discards it."""

    kind = "servers.review"
    label = _("A place is not as it should be")
    max_attempts = 2

    def perform(self, op: Operation, *, now: datetime) -> dict[str, object]:
        row = Discrepancy.objects.get(pk=op.payload["discrepancy"])
        if row.resolved_at is not None:
            return {"resolved": True}
        raise ProviderError(f"{row.place}: {row.kind} {row.ref}: {row.detail}", permanent=True, code=row.kind)
