"""Is a port reachable? The panel really tries, and says what it met (SRV-8)."""

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from servers import actions, providers, remote
from servers.action_log import published
from servers.models import PortTest, Server
from servers.networking import firewall_wording
from servers.networking.firewall_rules import Wrong
from servers.providers.simulated import SimulatedCloud
from servers.rules import ON_THE_HOST
from servers.verbs.power import hold

AT_ONCE, WITHIN = 12, timedelta(minutes=10)
SHOWN, KEPT = 5, 20
PATIENCE = 3.0  # seconds


@transaction.atomic
def ask(server: Server, ip: str, port: int, *, actor: Actor, now: datetime) -> PortTest:
    """Have the panel try to open a connection to `port` at one of the server's own addresses. The same under way
    already: that one.

    RuleViolation for any other address, for what is no port, after too many tries of the account, and where there is no
    machine; PermissionDenied for who may not.
    """
    server = hold(server)
    actions.TEST_PORT.check(actor, server)
    if not 0 < port < 65_536:
        raise RuleViolation(firewall_wording.sentence(Wrong("ports", "out_of_range", port)), field="port")
    held = {str(one) for one in server.holdings.attached().values_list("address__ip", flat=True)}
    if _plain(ip) not in held:
        raise RuleViolation(_("This is not an address of this server."), field="ip")
    under_way = server.port_tests.filter(ip=_plain(ip), port=port, state=PortTest.State.WAITING).first()
    if under_way is not None:
        return under_way
    if PortTest.objects.filter(account=server.account_id, asked_at__gt=now - WITHIN).count() >= AT_ONCE:
        raise RuleViolation(
            _("That was tried %(many)s times within ten minutes. Please wait a little.") % {"many": AT_ONCE},
            field="port",
        )  # fmt: skip
    kept = server.port_tests.exclude(asked_at__gt=now - WITHIN).values_list("pk", flat=True)[:KEPT]
    server.port_tests.filter(asked_at__lte=now - WITHIN).exclude(pk__in=list(kept)).delete()
    made = PortTest.objects.create(server=server, account_id=server.account_id, ip=_plain(ip), port=port, asked_at=now)
    operations.enqueue(
        TryPort.kind, key=f"{TryPort.kind}:{made.pk}", now=now, account_id=server.account_id, subject=server,
        payload={"server": server.pk, "test": made.pk},
    )  # fmt: skip
    return made


def latest(server: Server) -> list[PortTest]:
    """What was tried last for whoever has the server now."""
    return list(server.port_tests.filter(account=server.account_id)[:SHOWN])


def _plain(ip: str) -> str:
    try:
        return str(ip_address(ip.strip()))
    except ValueError:
        return ""


@operations.register
class TryPort(operations.Handler):
    """One connection is tried, and closed at once."""

    kind = "servers.try_port"
    label = gettext_lazy("Try a port of a server")
    max_attempts = 3
    kept = timedelta(days=1)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        test = PortTest.objects.select_related("server").get(pk=op.payload["test"])
        server = test.server
        still = server.holdings.attached().filter(account=test.account_id, address__ip=test.ip)
        if server.state not in ON_THE_HOST or not still.exists():
            return {"met": str(PortTest.State.FAILED)}
        cloud = providers.get(server.place)
        if isinstance(cloud, SimulatedCloud):
            return {"met": cloud.met_at(server.provider_ref, test.ip, test.port)}
        return {"met": str(remote.met_at(test.ip, test.port, timeout=PATIENCE))}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        self._close(op, result["met"], now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        self._close(op, PortTest.State.FAILED, now)

    def _close(self, op: Operation, state: str, now: datetime) -> None:
        PortTest.objects.filter(pk=op.payload["test"]).update(state=state, answered_at=now)
        published(Server.objects.get(pk=op.payload["server"]), "servers.port.tested")
