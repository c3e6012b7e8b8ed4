"""The reverse names of a server's addresses: asked by whoever holds them, published once they lead back (SRV-3)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import events, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Event, Operation
from servers import actions, dns
from servers.action_log import published, told
from servers.models import AddressHolding, ReverseName, Server
from servers.networking import reverse_rules
from servers.verbs.power import hold

RULE = "SRV-3"


@transaction.atomic
def set_name(server: Server, ip: str, name: str, *, actor: Actor, now: datetime) -> ReverseName | None:
    """Have an address of the server called `name`, "" for no name; None where that is so already.

    It is published once `name` leads to the address. RuleViolation for an address that is not the server's, for what is
    no host name, and where names cannot be set; PermissionDenied for who may not.
    """
    server = hold(server)
    actions.NAME_ADDRESS.check(actor, server)
    wanted = reverse_rules.host_name(name) if name.strip() else ""
    if wanted is None:
        raise RuleViolation(
            _("Write a full host name such as mail.example.com, of letters, digits and hyphens."), rule=RULE,
            field="name",
        )  # fmt: skip
    held = server.holdings.attached().select_related("address")
    holding = next((one for one in held if str(one.address.ip) == ip.strip()), None)
    if holding is None:
        raise RuleViolation(_("This is not an address of this server."), rule=RULE, field="ip")
    row = ReverseName.objects.select_for_update().filter(address=holding.address).first()
    if row is None:
        row = ReverseName(address=holding.address, account_id=server.account_id)
    settled = row.state in (ReverseName.State.WAITING, ReverseName.State.IN_FORCE)
    if row.name == wanted and (settled or not row.turn):
        return None
    row.account_id = server.account_id
    _carry_out(row, wanted, now=now)
    told(server, "servers.reverse.changed", now=now, actor=actor, rule=RULE)
    return row


def _carry_out(row: ReverseName, wanted: str, *, now: datetime) -> None:
    row.name, row.state, row.turn = wanted, ReverseName.State.WAITING, row.turn + 1
    row.operation = operations.enqueue(
        PublishName.kind, key=f"{PublishName.kind}:{row.address_id}:{row.turn}", now=now, account_id=row.account_id,
        subject=row.address, payload={"address": row.address_id},
    )  # fmt: skip
    row.save()


@events.subscriber("servers.address.released", "servers.unname")
def released(event: Event, *, now: datetime) -> None:
    """Its holder gave it back: it loses its name, so that nobody is called what another was."""
    address, account = event.data["address_id"], event.account_id
    rows = ReverseName.objects.select_for_update(of=("self",)).select_related("address")
    row = rows.filter(address=address, account=account).first()
    again = AddressHolding.objects.filter(address=address, until=None, account=account).exists()
    if row is not None and (row.name or row.published) and not again:
        _carry_out(row, "", now=now)


def handed_over(server: Server) -> None:
    """The addresses went over with their server, and so do their names."""
    held = server.holdings.attached().values("address_id")
    ReverseName.objects.filter(address__in=held).update(account=server.account_id)


def names_of(server: Server) -> list[tuple[AddressHolding, ReverseName | None]]:
    """Each address that the server holds, the first one first, with its name."""
    rows = server.holdings.attached().select_related("address__reverse__operation")
    return [(one, getattr(one.address, "reverse", None)) for one in rows.order_by("-is_first", "pk")]


@operations.register
class PublishName(operations.Handler):
    """The name server says what is wanted by now; a name that does not lead to its address is refused."""

    kind = "servers.reverse_name"
    label = gettext_lazy("Publish the reverse name of an address")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = self._of(op)
        names = dns.at(row.address.place)
        if names is None:
            raise ProviderError(f"nobody publishes names at {row.address.place}", permanent=True, code="not_supported")
        if row.name and str(row.address.ip) not in dns.addresses_of(row.name):
            return {"turn": row.turn, "refused": True}
        names.publish(str(row.address.ip), row.name)
        return {"turn": row.turn, "published": row.name}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        row = self._of(op)
        names = dns.at(row.address.place)
        there = names.published(str(row.address.ip)) if names else None
        return {"turn": row.turn, "published": row.name} if there == row.name else None

    def _of(self, op: Operation) -> ReverseName:
        return ReverseName.objects.select_related("address").get(pk=op.payload["address"])

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        row = ReverseName.objects.select_for_update(of=("self",)).select_related("address").get(
            pk=op.payload["address"]
        )  # fmt: skip
        if result["turn"] != row.turn:  # another name was asked for meanwhile: its own operation follows
            if result.get("published", row.name) != row.name:  # unless it came first, and this one wrote over it
                _carry_out(row, row.name, now=now)
            return
        if "refused" in result:
            row.state = ReverseName.State.REFUSED
        else:
            row.state, row.published, row.since = ReverseName.State.IN_FORCE, row.name, now
        row.save(update_fields=["state", "published", "since"])
        self._tell(row, "servers.reverse.refused" if "refused" in result else "servers.reverse.published", now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        row = self._of(op)
        if row.operation_id == op.pk:
            ReverseName.objects.filter(pk=row.pk).update(state=ReverseName.State.FAILED)
            self._tell(row, "servers.reverse.failed", now)

    def _tell(self, row: ReverseName, event: str, now: datetime) -> None:
        holding = AddressHolding.objects.filter(address=row.address, until=None).select_related("server").first()
        events.record(
            event, now=now, actor=SYSTEM, subject=row.address, account_id=row.account_id, rule=RULE,
            data={"address_id": row.address_id},
        )  # fmt: skip
        if holding is not None:
            published(holding.server, event)
