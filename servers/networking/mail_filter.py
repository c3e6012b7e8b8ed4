"""Outgoing mail of a server is filtered while a restriction of its ports is in force (ABU-14).

The restriction says which ports; the firewall closes them above its owner's rules, as it does for new accounts, and
what its place confirmed is when the restriction took effect.
"""

from datetime import datetime

from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.models import Event
from servers.models import Firewall, Server
from servers.networking import firewall_rules, firewalls
from servers.rules import State


@events.subscriber("accounts.restriction.started", "servers.filter_mail")
@events.subscriber("accounts.restriction.lifted", "servers.unfilter_mail")
def follow(event: Event, *, now: datetime) -> None:
    """Close what the restrictions in force want closed by now, and open what none of them does."""
    if event.data["scope"] != Restriction.Scope.PORTS or event.data["on"] != Server._meta.label_lower:
        return
    server = Server.objects.select_for_update().get(pk=event.data["on_id"])
    if server.state in {State.DESTROYING, State.DESTROYED}:
        return
    row, _made = Firewall.objects.select_for_update().get_or_create(
        server=server, defaults={"account_id": server.account_id, "state": Firewall.State.IN_FORCE}
    )
    ports = firewall_rules.ports_of(" ".join(one.evidence["ports"] for one in _in_force(server)))
    row.filtered_ports = firewall_rules.ports_text(ports)
    firewalls.carry_out(row, server, now=now)


def _in_force(server: Server) -> list[Restriction]:
    return [one for one in restrictions.in_force_on(server) if one.scope == Restriction.Scope.PORTS]


@events.subscriber("servers.firewall.applied", "servers.mail_filtered")
def confirmed(event: Event, *, now: datetime) -> None:
    """The place has what is wanted: each restriction of the ports took effect, once."""
    row = Firewall.objects.select_related("server").filter(server=event.data["server_id"]).first()
    if row is None or not row.is_in_force:
        return
    for one in _in_force(row.server):
        if one.effective_at is None:
            restrictions.took_effect(one.pk, now=now)
            events.record(
                "servers.mail.filtered", now=now, actor=SYSTEM, subject=row.server, account_id=one.account_id,
                rule=one.rule, data={"server_id": row.server_id, "restriction_id": one.pk},
            )  # fmt: skip
