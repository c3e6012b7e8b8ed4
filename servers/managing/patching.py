"""What waits to be updated on a managed server, since when, and what is installed of it now (SRV-9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from panel import terms
from panel.terms.numbers import PatchTerms
from servers.action_log import told
from servers.managing import patch_rules
from servers.managing.patch_rules import Known, Waiting
from servers.models import ManagedService, PendingUpdate, Server

RULE = "SRV-9"


def law_of(server: Server) -> PatchTerms:
    """The terms that the server's subscription began under."""
    return terms.version(server.subscription.terms_version).patches


def due(service: ManagedService, waiting: Sequence[Waiting], *, now: datetime) -> list[str]:
    """Of what waits, the packages that are installed now; the clock of one seen the first time begins now."""
    since = _since(service.server)
    known = [Known(one.package, one.security, since.get(one.package, now)) for one in waiting]
    return patch_rules.to_install(known, now, law_of(service.server))


def _since(server: Server) -> dict[str, datetime]:
    rows = PendingUpdate.objects.filter(server=server, resolved_at=None)
    return dict(rows.values_list("package", "first_seen"))


def reported(service: ManagedService, result: dict[str, Any], *, now: datetime) -> None:
    """A run has told what waits still, in the transaction that closes it: the clocks of what waited before go on, those
    of what waits no more end."""
    server = service.server
    waiting = {one["package"]: Waiting(**one) for one in result["waiting"]}
    open_ones = {row.package: row for row in PendingUpdate.objects.filter(server=server, resolved_at=None)}
    gone = [row.pk for name, row in open_ones.items() if name not in waiting]
    PendingUpdate.objects.filter(pk__in=gone).update(resolved_at=now)
    for name, one in waiting.items():
        row = open_ones.get(name) or PendingUpdate(
            server=server, account_id=server.account_id, package=name, first_seen=now
        )
        row.installed, row.available, row.security = one.installed, one.available, one.security
        row.save()
    service.reported_at, service.restart_wanted = now, bool(result["restart"])
    service.save(update_fields=["reported_at", "restart_wanted"])
    told(
        server, "servers.managed.patched", now=now, rule=RULE, installed=len(result["installed"]),
        waiting=len(waiting),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """An update that waits, the end of its last day in time, and whether that is past."""

    update: PendingUpdate
    until: datetime
    late: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What waits on a server, the oldest first, and what was installed of late."""

    rows: list[Row]
    installed: list[PendingUpdate]

    @property
    def security(self) -> int:
        return sum(row.update.security for row in self.rows)

    @property
    def late(self) -> int:
        return sum(row.late for row in self.rows)


def report(server: Server, *, now: datetime, most_installed: int = 50) -> Report:
    """SRV-9: the patch report of a server."""
    law = law_of(server)
    rows = [
        Row(one, until := patch_rules.late_after(one.first_seen, law), now > until)
        for one in PendingUpdate.objects.filter(server=server, resolved_at=None)
    ]
    done = PendingUpdate.objects.filter(server=server).exclude(resolved_at=None).order_by("-resolved_at", "package")
    return Report(rows, list(done[:most_installed]))
