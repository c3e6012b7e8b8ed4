"""Each day managed servers are looked over for updates; what is late ends in the staff's queue (SRV-9)."""

from datetime import datetime, timedelta

from panel.core import due
from panel.core.actors import CLOCK
from servers import reconcile
from servers.managing import patch_rules, patching, runs
from servers.models import Discrepancy, ManagedRun, ManagedService, PendingUpdate, Server
from servers.reconcile import Seen
from servers.rules import Finding
from servers.verbs.power import hold

EACH = timedelta(days=1)
AT_ONCE = 500  # runs begun by one sweep
NAMED = 5  # packages of a finding


@due.sweep("servers.patches", every_seconds=900)
def sweep(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-9: servers whose day has come are gone over; what is late is a finding until it is installed."""
    rows = ManagedService.objects.filter(wanted=True, state=ManagedService.State.IN_FORCE, due_at__lte=now)
    pks = list(rows.order_by("due_at", "pk").values_list("pk", flat=True)[:AT_ONCE])
    late = _late(now)
    if dry_run:
        findings = [one.detail for seen in late.values() for one in seen]
        return due.SweepReport(would=[*(f"go over server {pk}" for pk in pks), *findings])
    report = due.each(pks, lambda pk: _begin(pk, now))
    for place, seen in late.items():
        report.done += reconcile.keep(place, seen, now, kinds={Finding.UNPATCHED})
    return report


def _begin(pk: int, now: datetime) -> None:
    server = hold(Server.objects.get(pk=pk))
    row = ManagedService.objects.select_for_update().get(pk=pk)
    if not row.wanted or row.due_at is None or row.due_at > now:
        return
    row.server = server
    runs.begin(row, ManagedRun.Kind.PATCHES, actor=CLOCK, now=now)
    row.due_at += EACH * ((now - row.due_at) // EACH + 1)  # after a gap of the clock one makes up for all it missed
    row.save(update_fields=["due_at"])


def _late(now: datetime) -> dict[str, list[Seen]]:
    """By place, also those where nothing is late any more."""
    open_ones = Discrepancy.objects.filter(kind=Finding.UNPATCHED, resolved_at=None)
    seen: dict[str, list[Seen]] = {place: [] for place in open_ones.values_list("place", flat=True)}
    waiting = PendingUpdate.objects.filter(resolved_at=None, server__managed__wanted=True)
    late: dict[Server, list[PendingUpdate]] = {}
    for row in waiting.select_related("server__subscription").order_by("first_seen", "package"):
        if patch_rules.late_after(row.first_seen, patching.law_of(row.server)) < now:
            late.setdefault(row.server, []).append(row)
    for server, rows in late.items():
        names = ", ".join(row.package for row in rows[:NAMED])
        words = f"{len(rows)} updates of {server.reference} wait since {rows[0].first_seen:%Y-%m-%d}: {names}"
        seen.setdefault(server.place, []).append(Seen(Finding.UNPATCHED, server.provider_ref, words, server))
    return seen
