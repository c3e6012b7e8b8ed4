"""The live state of every machine as two facts: what its host says, and whether SSH answers (SRV-12)."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from django.db import transaction

from panel.core import due
from panel.core.errors import ProviderError
from panel.core.states import move
from servers import outages, providers, remote, rules
from servers.action_log import published, told
from servers.models import Server, ServerAction
from servers.providers.simulated import SimulatedCloud
from servers.rules import TRANSITIONS, Power, State

PROBES = 16
PATIENCE = 3.0  # seconds


@due.sweep("servers.watch", every_seconds=15)
def watch(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-12: ask each place once for all its machines, and each machine's SSH; changes reach open pages."""
    servers = list(Server.objects.on_the_host().order_by("pk"))
    if dry_run:
        return due.SweepReport(would=[f"look at {server.reference}" for server in servers])
    waiting = ServerAction.objects.filter(state=ServerAction.State.WAITING)
    busy = set(waiting.values_list("server_id", flat=True))
    report, by_place = due.SweepReport(), _nodes({server.place for server in servers})
    seen = []
    for server in servers:
        if server.pk in busy:
            continue
        nodes = by_place[server.place]
        if isinstance(nodes, ProviderError):
            power = Power.UNKNOWN
        else:
            power = nodes[server.provider_ref].power if server.provider_ref in nodes else Power.GONE
        seen.append((server, power))
    report.failed += [f"{place}: {nodes}" for place, nodes in by_place.items() if isinstance(nodes, ProviderError)]
    same: dict[bool, list[int]] = {True: [], False: []}
    for server, power, reachable in _probed(seen):
        if (server.power, server.reachable) == (power, reachable):
            same[bool(reachable)].append(server.pk)
        elif note(server, power=power, reachable=reachable, now=now):
            report.done += 1
    outages.close_settled(now=now)
    Server.objects.filter(pk__in=same[True]).update(checked_at=now, seen_at=now)
    Server.objects.filter(pk__in=same[False]).update(checked_at=now)
    return report


@transaction.atomic
def note(server: Server, *, power: Power, reachable: bool | None, now: datetime) -> bool:
    """Keep what was newly seen of `server` and tell open pages; False if an operation changed the row meanwhile.

    A machine that its owner switched off from inside is stopped from now on, so that the button to start it applies.
    """
    seen_at = now if reachable else server.seen_at
    as_known = Server.objects.filter(pk=server.pk, power=server.power, reachable=server.reachable, state=server.state)
    if not as_known.update(power=power, reachable=reachable, checked_at=now, seen_at=seen_at):
        return False
    outages.seen(server, power=power, reachable=reachable, now=now)
    adopted = rules.adopted(server.state, power)
    if adopted is None:
        published(server, "servers.server.seen")
    else:
        move(server, adopted, TRANSITIONS)
        told(server, "servers.server.went_off" if adopted is State.STOPPED else "servers.server.came_up", now=now)
    return True


def _nodes(places: Iterable[str]) -> dict[str, dict[str, providers.Node] | ProviderError]:
    """Every machine of each place by its ref; a place that lists one twice has it once."""
    found: dict[str, dict[str, providers.Node] | ProviderError] = {}
    for place in sorted(places):
        try:
            found[place] = {node.ref: node for node in providers.get(place).list()}
        except ProviderError as error:
            found[place] = error
    return found


def _probed(seen: list[tuple[Server, Power]]) -> Iterable[tuple[Server, Power, bool | None]]:
    first = dict(
        Server.objects.filter(pk__in=[server.pk for server, _ in seen], holdings__until=None, holdings__is_first=True)
        .values_list("pk", "holdings__address__ip")
    )  # fmt: skip

    def one(pair: tuple[Server, Power]) -> tuple[Server, Power, bool | None]:
        server, power = pair
        if power in {Power.OFF, Power.GONE}:
            return server, power, False
        return server, power, answers(server, first.get(server.pk))

    with ThreadPoolExecutor(PROBES, thread_name_prefix="watch") as pool:
        yield from pool.map(one, seen)


def answers(server: Server, ip: str | None) -> bool | None:
    """Whether the machine's SSH answers; None where there is nothing to ask."""
    cloud = providers.get(server.place)
    if isinstance(cloud, SimulatedCloud):
        return cloud.answers_ssh(server.provider_ref)
    return remote.answers(ip, timeout=PATIENCE) if ip else None
