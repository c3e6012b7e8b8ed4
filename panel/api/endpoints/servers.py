"""Servers: list, look, and what a person may have done to them (SRV-8)."""

from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from ninja import Field, Router, Schema

from panel.api import auth, idempotency, paging
from panel.core import clock
from panel.core.actions import Action
from servers import actions, months, places
from servers.models import AddressHolding, PortTest, ReverseName, Server, ServerAction
from servers.networking import firewall_rules, firewalls, port_tests, reverse_names
from servers.rules import Verb
from servers.verbs import destroying, naming, power, protection, rebuilding
from servers.watching import shown

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
    labels: list[str]
    protected: bool
    rescue_since: datetime | None


class ServerFull(ServerOut):
    addresses: list[str]
    host_key: str
    subscription: str


class PowerIn(Schema):
    action: Literal["start", "stop", "cut", "reboot"]


class ServerChange(Schema):
    """What is to be another; what is left out stays."""

    name: str | None = None
    labels: list[str] | None = Field(None, max_length=100)
    protected: bool | None = None


class RebuildIn(Schema):
    image: str
    confirm: str = Field(description="the server's name")


class RescueIn(Schema):
    on: bool = Field(description="false: leave the rescue system")


class DestroyIn(Schema):
    confirm: str = Field(description="the server's name")


class ActionOut(Schema):
    id: int
    action: str
    state: str
    requested_at: datetime
    finished_at: datetime | None


def action_out(made: ServerAction) -> ActionOut:
    """A line of the action log."""
    return ActionOut(
        id=made.pk, action=made.verb, state=made.state, requested_at=made.requested_at, finished_at=made.finished_at
    )


def _rows(request: HttpRequest) -> QuerySet[Server]:
    asking = auth.actor(request, actions.SEE)
    first = AddressHolding.objects.filter(server=OuterRef("pk"), until=None, is_first=True)
    mine = Server.objects.visible_to(asking).select_related("subscription").prefetch_related("labels")
    rows: QuerySet[Server] = mine.annotate(
        first_ip=Subquery(first.values("address__ip")[:1]), month_bytes=months.own()
    )  # fmt: skip
    return rows


def _fields(row: Server) -> dict[str, Any]:
    size = row.size
    return {
        **{name: getattr(row, name) for name in (
            "reference", "name", "state", "power", "reachable", "place", "image", "included_bytes", "ordered_at",
            "ready_at", "ended_at", "protected", "rescue_since")},
        "labels": [label.name for label in row.labels.all()],
        "simulated": places.is_simulated(row.place), "vcpu": size["vcpu"], "memory_mb": size["memory_mb"],
        "disk_gb": size["disk_gb"], "address": getattr(row, "first_ip", None),
        "traffic_bytes": getattr(row, "month_bytes", 0) or 0,
    }  # fmt: skip


@router.get("", response=paging.Pages[ServerOut], summary="List servers")
def list_servers(request: HttpRequest, paged: paging.Paging, ended: bool = False) -> dict[str, Any]:
    """The account's servers; `ended` shows the destroyed ones too."""
    rows = _rows(request)
    return paging.page(rows if ended else rows.exclude(state="destroyed"), paged, lambda row: ServerOut(**_fields(row)))


@router.get("/{reference}", response=ServerFull, summary="Get a server")
def get_server(request: HttpRequest, reference: str) -> ServerFull:
    return _full(_rows(request).get(reference=reference))


def _full(row: Server) -> ServerFull:
    held = row.holdings.attached().select_related("address").order_by("-is_first", "pk")
    return ServerFull(
        **_fields(row), addresses=[one.address.ip for one in held], host_key=row.host_key,
        subscription=row.subscription.reference,
    )  # fmt: skip


@router.patch("/{reference}", response=ServerFull, summary="Rename, label or protect a server")
def change_server(request: HttpRequest, reference: str, payload: ServerChange) -> ServerFull:
    """Takes effect at once; the machine learns its new name a little later, where its place can tell it. A protected
    server refuses to be destroyed and rebuilt; to take the protection off a token needs `order` too."""
    server, asking, now = mine(request, reference, actions.RENAME), auth.actor(request, actions.RENAME), clock.now()
    with transaction.atomic():
        if payload.name is not None:
            naming.rename(server, payload.name, actor=asking, now=now)
        if payload.labels is not None:
            naming.label(server, ",".join(payload.labels), actor=asking, now=now)
        if payload.protected is not None:
            protection.protect(server, on=payload.protected, actor=asking, now=now)
    return _full(_rows(request).get(reference=reference))


class VitalsOut(Schema):
    """`told`: now, stale (of then), off, soon (not read yet), not_here (the place does not tell) or nothing (there is
    no machine); figures only with the first two. Bytes, bytes a second, percent of all processors together."""

    told: str
    read_at: datetime | None = None
    cpu_percent: float | None = None
    load: float | None = None
    memory_bytes: int | None = None
    memory_total: int | None = None
    disk_bytes: int | None = None
    disk_total: int | None = None
    in_rate: float | None = None
    out_rate: float | None = None
    running_since: datetime | None = None


@router.get("/{reference}/vitals", response=VitalsOut, summary="Get how a server does")
def get_server_vitals(request: HttpRequest, reference: str) -> VitalsOut:
    """As its host saw it last, every few minutes and every few seconds while somebody has its page open."""
    found = shown.vitals_of(mine(request, reference, actions.SEE), now=clock.now())
    if found.row is None or found.reading is None:
        return VitalsOut(told=found.told)
    rates, memory, disk = found.rates, found.memory or (None, None), found.disk or (None, None)
    return VitalsOut(
        told=found.told, read_at=found.row.read_at, cpu_percent=rates.cpu_percent, load=rates.load,
        memory_bytes=memory[0], memory_total=memory[1], disk_bytes=disk[0], disk_total=disk[1], in_rate=rates.rx_rate,
        out_rate=rates.tx_rate, running_since=found.reading.started_at,
    )  # fmt: skip


def mine(request: HttpRequest, reference: str, action: Action) -> Server:
    """The server of that reference that whoever asks may see."""
    return Server.objects.visible_to(auth.actor(request, action)).get(reference=reference)


@router.post("/{reference}/power", response={202: ActionOut}, summary="Start, stop, cut or reboot a server")
@idempotency.once(actions.STOP)  # each verb asks for the same permission
def power_server(request: HttpRequest, reference: str, payload: PowerIn) -> tuple[int, Schema]:
    """Accepted, and carried out by the panel: look at its actions to see how it ended. `stop` asks the machine to shut
    down and fails when it does not; `cut` takes its power away. Neither stops billing."""
    verb = Verb(payload.action)
    asking = auth.actor(request, actions.BY_VERB[verb])
    server = Server.objects.visible_to(asking).get(reference=reference)
    return 202, action_out(power.request(server, verb, actor=asking, now=clock.now()))


@router.post("/{reference}/rescue", response={202: ActionOut}, summary="Start or leave the rescue system")
@idempotency.once(actions.RESCUE)
def rescue_server(request: HttpRequest, reference: str, payload: RescueIn) -> tuple[int, Schema]:
    """The server restarts into a rescue system that lets in every key of the account and has its disk below /mnt."""
    verb = Verb.RESCUE if payload.on else Verb.LEAVE_RESCUE
    asking = auth.actor(request, actions.BY_VERB[verb])
    server = mine(request, reference, actions.BY_VERB[verb])
    return 202, action_out(power.request(server, verb, actor=asking, now=clock.now()))


@router.post("/{reference}/rebuild", response={202: ActionOut}, summary="Rebuild a server on a new disk")
@idempotency.once(actions.REBUILD)
def rebuild_server(request: HttpRequest, reference: str, payload: RebuildIn) -> tuple[int, Schema]:
    """Everything on its disk is lost; address, keys, size and price stay, its host key is another one."""
    asking, server = auth.actor(request, actions.REBUILD), mine(request, reference, actions.REBUILD)
    made = rebuilding.rebuild(server, payload.image, typed=payload.confirm, actor=asking, now=clock.now())
    return 202, action_out(made)


@router.post("/{reference}/destroy", response={202: ServerFull}, summary="Destroy a server")
@idempotency.once(actions.DESTROY)
def destroy_server(request: HttpRequest, reference: str, payload: DestroyIn) -> tuple[int, Schema]:
    """It is removed with its disk and addresses, and its subscription ends at once: what that costs is told by the
    preview of the subscription's end."""
    asking, server = auth.actor(request, actions.DESTROY), mine(request, reference, actions.DESTROY)
    destroying.destroy(server, typed=payload.confirm, actor=asking, now=clock.now())
    return 202, _full(Server.objects.visible_to(asking).select_related("subscription").get(pk=server.pk))


class RuleIn(Schema):
    """The first rule that fits decides."""

    direction: Literal["in", "out"]
    action: Literal["accept", "drop"]
    protocol: Literal["tcp", "udp", "icmp", "any"] = "any"
    ports: str = Field("", description="such as 22, 80, 8000-8100; empty: every port")
    peers: str = Field("", description="addresses or networks of one family; empty: everybody")
    note: str = ""


class FirewallIn(Schema):
    rules: list[RuleIn] = Field(max_length=200)
    default_in: Literal["accept", "drop"] = "accept"
    default_out: Literal["accept", "drop"] = "accept"
    seen: int | None = Field(None, description="the `turn` that was read; another one by now: refused")
    sure: bool = Field(default=False, description="true: also where nobody would reach SSH any more")


class FirewallOut(Schema):
    """`state`: waiting, in_force or failed. `closed_ports`: what we close above every rule, to new accounts or
    against spam."""

    state: str
    in_force_since: datetime | None
    turn: int
    rules: list[RuleIn]
    default_in: str
    default_out: str
    closed_ports: str
    ssh: str = Field(description="who reaches port 22: everybody, some or nobody")


def _firewall(server: Server) -> FirewallOut:
    row = firewalls.of(server)
    kept = firewall_rules.as_json(row.own)
    return FirewallOut(
        state=row.state, in_force_since=row.in_force_since, turn=row.turn, closed_ports=row.locked_ports,
        default_in=kept["default_in"], default_out=kept["default_out"], ssh=str(firewall_rules.reach(row.wanted)),
        rules=[RuleIn(**one) for one in kept["rules"]],
    )  # fmt: skip


@router.get("/{reference}/firewall", response=FirewallOut, summary="Get the firewall of a server")
def get_server_firewall(request: HttpRequest, reference: str) -> FirewallOut:
    return _firewall(mine(request, reference, actions.SEE))


@router.put("/{reference}/firewall", response={202: FirewallOut}, summary="Set the firewall of a server")
def set_server_firewall(request: HttpRequest, reference: str, payload: FirewallIn) -> tuple[int, FirewallOut]:
    """Exactly these rules, however often it is sent; accepted, and in force once `state` says so."""
    server = mine(request, reference, actions.FIREWALL)
    wanted = firewalls.policy_of(payload.dict(include={"rules", "default_in", "default_out"}))
    firewalls.change(
        server, wanted, actor=auth.actor(request, actions.FIREWALL), now=clock.now(), seen=payload.seen,
        sure=payload.sure,
    )  # fmt: skip
    return 202, _firewall(server)


class PortTestIn(Schema):
    address: str
    port: int


class PortTestOut(PortTestIn):
    """`state`: waiting, open, closed, filtered (no answer) or failed (not tried)."""

    state: str
    asked_at: datetime
    answered_at: datetime | None


def _port_test(made: PortTest) -> PortTestOut:
    return PortTestOut(
        address=made.ip, port=made.port, state=made.state, asked_at=made.asked_at, answered_at=made.answered_at
    )


@router.post("/{reference}/port-tests", response={202: PortTestOut}, summary="Try whether a port is reachable")
@idempotency.once(actions.TEST_PORT)
def try_server_port(request: HttpRequest, reference: str, payload: PortTestIn) -> tuple[int, Schema]:
    """The panel opens a TCP connection to one of the server's addresses and closes it: ask the list what it met."""
    server, asking = mine(request, reference, actions.TEST_PORT), auth.actor(request, actions.TEST_PORT)
    return 202, _port_test(port_tests.ask(server, payload.address, payload.port, actor=asking, now=clock.now()))


@router.get("/{reference}/port-tests", response=list[PortTestOut], summary="List the ports that were tried")
def list_server_port_tests(request: HttpRequest, reference: str) -> list[PortTestOut]:
    """The latest ones, newest first."""
    return [_port_test(made) for made in port_tests.latest(mine(request, reference, actions.SEE))]


class NameIn(Schema):
    name: str = Field(description="empty: no name")


class NameOut(NameIn):
    """`state`: waiting, in_force, refused (it does not lead to the address) or failed; `published`: what is known."""

    address: str
    state: str
    published: str
    since: datetime | None


def _name(ip: str, row: ReverseName | None) -> NameOut:
    if row is None:
        return NameOut(address=ip, name="", state="in_force", published="", since=None)
    return NameOut(address=ip, name=row.name, state=row.state, published=row.published, since=row.since)


@router.get("/{reference}/names", response=list[NameOut], summary="List the reverse names of a server")
def list_server_names(request: HttpRequest, reference: str) -> list[NameOut]:
    found = reverse_names.names_of(mine(request, reference, actions.SEE))
    return [_name(str(held.address.ip), row) for held, row in found]


@router.put("/{reference}/names/{address}", response={202: list[NameOut]}, summary="Name an address of a server")
def set_server_name(request: HttpRequest, reference: str, address: str, payload: NameIn) -> tuple[int, list[NameOut]]:
    """It must lead back to the address by its A or AAAA record; accepted, and published once `state` says so."""
    server, asking = mine(request, reference, actions.NAME_ADDRESS), auth.actor(request, actions.NAME_ADDRESS)
    reverse_names.set_name(server, address, payload.name, actor=asking, now=clock.now())
    return 202, list_server_names(request, reference)


@router.get("/{reference}/actions", response=paging.Pages[ActionOut], summary="List what was done to a server")
def list_server_actions(request: HttpRequest, reference: str, paged: paging.Paging) -> dict[str, Any]:
    """Newest first: what was asked, how it ended, when."""
    server = mine(request, reference, actions.SEE)
    return paging.page(server.actions.filter(account=server.account_id), paged, action_out)
