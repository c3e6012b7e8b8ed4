"""Servers: list, look, switch on and off."""

from datetime import datetime
from typing import Any, Literal

from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from ninja import Router, Schema

from panel.api import auth, idempotency, paging
from panel.core import clock
from servers import actions, places, power
from servers.models import AddressHolding, Server, TrafficMonth
from servers.rules import Verb

router = Router(tags=["servers"])


class ServerOut(Schema):
    reference: str
    name: str
    state: str
    power: str
    reachable: bool | None
    place: str
    simulated: bool
    image: str
    vcpu: int
    memory_mb: int
    disk_gb: int
    address: str | None
    traffic_bytes: int
    included_bytes: int
    ordered_at: datetime
    ready_at: datetime | None
    ended_at: datetime | None


class ServerFull(ServerOut):
    addresses: list[str]
    host_key: str
    subscription: str


class PowerIn(Schema):
    action: Literal["start", "stop", "reboot"]


class ActionOut(Schema):
    id: int
    action: str
    state: str
    requested_at: datetime
    finished_at: datetime | None


def _rows(request: HttpRequest) -> QuerySet[Server]:
    asking = auth.actor(request, actions.SEE)
    first = AddressHolding.objects.filter(server=OuterRef("pk"), until=None, is_first=True)
    month = TrafficMonth.objects.filter(server=OuterRef("pk")).order_by("-starts_on")
    rows: QuerySet[Server] = Server.objects.visible_to(asking).select_related("subscription").annotate(
        first_ip=Subquery(first.values("address__ip")[:1]), month_rx=Subquery(month.values("rx_bytes")[:1]),
        month_tx=Subquery(month.values("tx_bytes")[:1]),
    )  # fmt: skip
    return rows


def _fields(row: Server) -> dict[str, Any]:
    size = row.size
    return {
        **{name: getattr(row, name) for name in (
            "reference", "name", "state", "power", "reachable", "place", "image", "included_bytes", "ordered_at",
            "ready_at",
            "ended_at")},
        "simulated": places.is_simulated(row.place), "vcpu": size["vcpu"], "memory_mb": size["memory_mb"],
        "disk_gb": size["disk_gb"], "address": getattr(row, "first_ip", None),
        "traffic_bytes": (getattr(row, "month_rx", 0) or 0) + (getattr(row, "month_tx", 0) or 0),
    }  # fmt: skip


@router.get("", response=paging.Pages[ServerOut], summary="List servers")
def list_servers(request: HttpRequest, paged: paging.Paging, ended: bool = False) -> dict[str, Any]:
    """The account's servers; `ended` shows the destroyed ones too."""
    rows = _rows(request)
    return paging.page(rows if ended else rows.exclude(state="destroyed"), paged, lambda row: ServerOut(**_fields(row)))


@router.get("/{reference}", response=ServerFull, summary="Get a server")
def get_server(request: HttpRequest, reference: str) -> ServerFull:
    row = _rows(request).get(reference=reference)
    held = row.holdings.filter(until=None).select_related("address").order_by("-is_first", "pk")
    return ServerFull(
        **_fields(row), addresses=[one.address.ip for one in held], host_key=row.host_key,
        subscription=row.subscription.reference,
    )  # fmt: skip


@router.post("/{reference}/power", response={202: ActionOut}, summary="Start, stop or reboot a server")
@idempotency.once(actions.STOP)  # each verb asks for the same permission
def power_server(request: HttpRequest, reference: str, payload: PowerIn) -> tuple[int, Schema]:
    """Accepted, and carried out by the panel: look at the server to see when it is done. Stopping does not stop
    billing."""
    verb = Verb(payload.action)
    asking = auth.actor(request, actions.BY_VERB[verb])
    server = Server.objects.visible_to(asking).get(reference=reference)
    made = power.request(server, verb, actor=asking, now=clock.now())
    return 202, ActionOut(
        id=made.pk, action=made.verb, state=made.state, requested_at=made.requested_at, finished_at=made.finished_at
    )
