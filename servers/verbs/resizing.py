"""A running server follows its subscription to another package or other options (SUB-12, SRV-3, SRV-8)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.models import Package, Subscription
from panel.core import operations
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Operation
from servers import action_log, actions, enforcement, metering, providers
from servers.action_log import attach, begin, finish, reopen, step, told
from servers.addressing import holdings, moving, pool
from servers.addressing.address_rules import WhyNot as WhyNotMoved
from servers.addressing.address_wording import SENTENCES
from servers.models import Server, ServerAction, TrafficMonth
from servers.rules import ON_THE_HOST, Power, State, Verb, WhyNot

SIZE = ("vcpu", "memory_mb", "disk_gb")


def refusal(server: Server, package: Package, extra: Mapping[int, int]) -> str:
    """Why the server cannot become `package` with `extra` additional addresses of each family, in the reader's
    language; empty when it can."""
    if server.state not in ON_THE_HOST:
        reason = {State.FAILED: WhyNot.FAILED, State.ORDERED: WhyNot.NOT_READY, State.CREATING: WhyNot.NOT_READY}
        return str(actions.SENTENCES[reason.get(State(server.state), WhyNot.ENDED)])
    if enforcement.held_by(server):
        return str(actions.SENTENCES[WhyNot.SUSPENDED])
    if server.actions.filter(state=ServerAction.State.WAITING, verb=Verb.RESIZE).exists():
        return str(actions.SENTENCES[WhyNot.BUSY])
    if moving.under_way(server):
        return _("An address is on its way to or from this server. Please try again in a minute.")
    can = providers.get(server.place).capabilities
    had = {pool.IPV4: server.extra_addresses, pool.IPV6: server.extra_addresses6}
    more = {family: extra[family] - count for family, count in had.items()}
    if package.code != server.size["code"]:
        if not can.resize:
            return _("At this place a server cannot be given another size. Please order a new one and move.")
        if package.spec["disk_gb"] < server.size["disk_gb"]:
            return _(
                "The disk of %(has)s GB cannot be made smaller: %(package)s has %(gets)s GB. "
                "Please order a new server and move."
            ) % {"has": server.size["disk_gb"], "gets": package.spec["disk_gb"], "package": package.name}
    if (any(more.values()) and not can.extra_addresses) or (more[pool.IPV6] > 0 and not can.ipv6):
        return _("Additional addresses are not on offer at this place.")
    if any(pool.left(server.place, family) < count for family, count in more.items() if count > 0):
        return _("There are not enough free addresses at this place just now.")
    if any(count > 0 for count in more.values()) and enforcement.restrictions_on(server):
        return str(SENTENCES[WhyNotMoved.TARGET_RESTRICTED])
    return ""


def follow(server: Server, subscription: Subscription, extra: Mapping[int, int], *, now: datetime) -> None:
    """Write down what the server shall be, and have it carried out; in the transaction of the change. The running
    traffic month keeps the larger allowance, the ones after it have the new one (SRV-4)."""
    server = Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=server.pk)
    if server.state in {State.DESTROYING, State.DESTROYED}:
        return
    spec = subscription.package.spec
    server.size = {"code": subscription.package.code, **{name: spec[name] for name in SIZE}}
    server.extra_addresses, server.extra_addresses6 = extra[pool.IPV4], extra[pool.IPV6]
    server.included_bytes = spec["included_bytes"]
    server.save(update_fields=["size", "extra_addresses", "extra_addresses6", "included_bytes"])
    today, months = paris_date(now), TrafficMonth.objects.filter(server=server)
    months.filter(ends_on__gt=today, included_bytes__lt=server.included_bytes).update(
        included_bytes=server.included_bytes
    )
    months.filter(starts_on__gte=today).update(included_bytes=server.included_bytes)
    action = begin(server, Verb.RESIZE, actor=SYSTEM, because="SUB-12", now=now)
    attach(action, ResizeServer.kind, f"servers.resize:{action.pk}", now=now)
    told(server, "servers.server.resize_asked", now=now, rule="SUB-12")


@operations.register
class ResizeServer(operations.Handler):
    """The machine has the size and the addresses that the server shall have by now, whatever was asked in between."""

    kind = "servers.resize"
    label = gettext_lazy("Change a server")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        if server.state in {State.ORDERED, State.CREATING}:
            raise NotYet(10, "the machine is still being made")
        if server.state not in ON_THE_HOST:
            return {"skipped": server.state}
        reopen(op.payload["action"])
        moving.wait_for_moves(server)
        cloud = providers.get(server.place)
        node = cloud.get(server.provider_ref)
        if node is None:
            raise ProviderError(f"{server.reference} has no machine", code="not_found")
        if node.power is Power.PENDING:
            raise NotYet(5, "the machine is busy")
        if cloud.capabilities.resize and node.size != server.size["code"]:
            metering.last_reading(server, now=now)
            cloud.resize(node.ref, providers.Size(**server.size))
        step(op.payload["action"], "resized", now=now)
        return {"released": self._addresses(cloud, server, node.ref, now)}

    def _addresses(self, cloud: providers.CloudProvider, server: Server, ref: str, now: datetime) -> list[int]:
        """Attach what is missing, detach what is too much; the ids of the holdings to be given back."""
        if not cloud.capabilities.extra_addresses or cloud.capabilities.chooses_address:
            return []
        with transaction.atomic():
            server = Server.objects.select_for_update().get(pk=server.pk)
            held = holdings.ensure_held(server, now=now)
            surplus = holdings.surplus(server)
        gone = {holding.pk for holding in surplus}
        for holding in held:
            here = holding.attached and holding.server_id == server.pk
            if here and not holding.is_first and holding.pk not in gone:
                cloud.attach_address(ref, str(holding.address.ip))
        moving.detach(surplus)
        return sorted(gone)

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        if "skipped" in result:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
            return
        released = server.ordered_holdings.now().filter(pk__in=result["released"]).select_related("address")
        holdings.give_back(server, released, now=now)
        finish(op.payload["action"], ServerAction.State.DONE, now)
        told(server, "servers.server.resized", now=now, rule="SUB-12")

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.server.resize_failed", now=now)
