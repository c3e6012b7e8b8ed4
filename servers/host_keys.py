"""Whether a server still shows the host key that its place vouched for (SRV-2, SRV-13).

The key changes by what the panel itself has done to the machine: a rebuild, a rescue system. Those operations read it
anew from the place. Any other change is believed by nobody: whoever logs in by the panel is refused, and staff is told,
who may trust the new key (`drifting`).
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from panel.core import due
from panel.core.errors import ProviderError
from panel.core.querysets import in_parts
from servers import places, providers, reconcile, remote
from servers.models import Server, ServerAction
from servers.reconcile import Seen
from servers.rules import Finding, State

PROBES = 16
PART = 2000  # servers asked at once
PATIENCE = 5.0  # seconds


@due.sweep("servers.host_keys", every_seconds=3600)
def check(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """Ask every running, reachable server for its host key; one that is not the pinned one becomes a finding."""
    busy = ServerAction.objects.filter(state=ServerAction.State.WAITING).values("server_id")
    asked = Server.objects.filter(state=State.RUNNING, reachable=True).exclude(host_key="").exclude(pk__in=busy)
    if dry_run:
        return due.SweepReport(
            would=[f"ask {name}" for name in asked.order_by("pk").values_list("reference", flat=True)]
        )
    report = due.SweepReport()
    seen: dict[str, list[Seen]] = {place: [] for place in providers.places()}
    for server, shown in (each for part in in_parts(asked, PART) for each in _shown(part)):
        if shown and shown.split()[:2] != server.host_key.split()[:2] and _still(server):
            words = f"{server.reference} shows another host key than its place gave: {shown}"
            seen.setdefault(server.place, []).append(Seen(Finding.HOST_KEY, server.provider_ref, words, server))
    for place, found in seen.items():
        report.done += reconcile.keep(place, found, now, kinds={Finding.HOST_KEY})
    return report


def _still(server: Server) -> bool:
    """Whether nobody has changed the machine while it was being asked."""
    now_busy = server.actions.filter(state=ServerAction.State.WAITING).exists()
    return not now_busy and Server.objects.filter(pk=server.pk, host_key=server.host_key, state=server.state).exists()


def _shown(servers: list[Server]) -> Iterable[tuple[Server, str]]:
    first = dict(
        Server.objects.filter(pk__in=[server.pk for server in servers], holdings__until=None, holdings__is_first=True)
        .values_list("pk", "holdings__address__ip")
    )  # fmt: skip
    with ThreadPoolExecutor(PROBES, thread_name_prefix="host-keys") as pool:
        shown = pool.map(lambda server: _ask(server, first.get(server.pk)), servers)
        yield from zip(servers, shown, strict=True)


def shown_by(server: Server) -> str:
    """The key that it shows now; empty where it does not answer."""
    return next(shown for _server, shown in _shown([server]))


def _ask(server: Server, ip: str | None) -> str:
    """The key it shows; empty where it does not answer."""
    try:
        if places.is_simulated(server.place):
            return providers.get(server.place).host_key(server.provider_ref)
        return remote.shown_host_key(ip, kind=server.host_key.split()[0], timeout=PATIENCE) if ip else ""
    except ProviderError:
        return ""
