"""Terminals in the browser: who is let in, and who was there (SRV-8); changes of the firewall that staff is asked for
(TIC-5)."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from panel.api import auth, idempotency
from panel.api.endpoints.servers import RuleIn, mine
from panel.core import clock
from servers import actions
from servers.models import FirewallRequest, Server
from servers.networking import firewall_requests, firewall_rules, firewalls
from servers.networking.firewall_requests import Change
from servers.networking.firewall_rules import Rule, Wrong
from servers.terminals import permits, terminal_actions
from tickets.rules import MAX_BODY

router = Router(tags=["servers"])
LATEST = 50


class TerminalIn(Schema):
    permitted: bool = Field(description="false: the panel's key is forgotten and open terminals are closed")
    staff_days: int | None = Field(None, ge=0, description="for how many days staff is let in; 0: no longer")


class TerminalSessionOut(Schema):
    """`ending`: empty while it is open."""

    opened_at: datetime
    ended_at: datetime | None
    ending: str
    by_staff: bool


class TerminalOut(Schema):
    """`state`: ended, waiting (the key is being installed), in_force, ending or failed."""

    permitted: bool
    state: str
    public_key: str
    given_at: datetime | None
    staff_until: datetime | None
    sessions: list[TerminalSessionOut] = Field(description="the latest ones, newest first")


def _terminal(server: Server) -> TerminalOut:
    row = permits.of(server)
    kept = row if row is not None and row.wanted else None
    latest = server.terminals.filter(account=server.account_id)[:LATEST]
    return TerminalOut(
        permitted=kept is not None, state=row.state if row is not None else "ended",
        public_key=kept.public_key if kept else "", given_at=kept.given_at if kept else None,
        staff_until=kept.staff_until if kept else None,
        sessions=[
            TerminalSessionOut(
                opened_at=one.opened_at, ended_at=one.ended_at, ending=one.ending, by_staff=one.by_staff
            ) for one in latest
        ],
    )  # fmt: skip


@router.get("/{reference}/terminal", response=TerminalOut, summary="Get who is let in by terminal, and who was there")
def get_server_terminal(request: HttpRequest, reference: str) -> TerminalOut:
    return _terminal(mine(request, reference, terminal_actions.SEE))


@router.put("/{reference}/terminal", response={202: TerminalOut}, summary="Permit terminals, or no longer")
def permit_server_terminal(request: HttpRequest, reference: str, payload: TerminalIn) -> tuple[int, TerminalOut]:
    """Accepted; the key is on the server once `state` says so."""
    server, now = mine(request, reference, terminal_actions.PERMIT), clock.now()
    asking = auth.actor(request, terminal_actions.PERMIT)
    if not payload.permitted:
        permits.withdraw(server, actor=asking, now=now)
        return 202, _terminal(server)
    row = permits.of(server)
    if row is None or not row.wanted or row.state == "failed":
        permits.permit(server, actor=asking, now=now)
    if payload.staff_days is not None:
        permits.let_staff_in(server, payload.staff_days, actor=asking, now=now)
    return 202, _terminal(server)


class FirewallRequestIn(Schema):
    """`add` a rule, have one `remove`d, or both: one in the place of the other."""

    add: RuleIn | None = None
    remove: RuleIn | None = None
    why: str = Field(min_length=1, max_length=MAX_BODY)


class FirewallRequestOut(Schema):
    request: str = Field(description="The number of the request in which it is talked about.")
    state: str = Field(description="open, accepted, refused or withdrawn")
    asked_at: datetime
    decided_at: datetime | None
    applied_at: datetime | None = Field(description="when its place had confirmed it")


class FirewallRequestsOut(Schema):
    items: list[FirewallRequestOut]


def _request(row: FirewallRequest) -> FirewallRequestOut:
    plain = ("state", "asked_at", "decided_at", "applied_at")
    return FirewallRequestOut(request=row.ticket.number, **{name: getattr(row, name) for name in plain})


def _rule(given: RuleIn | None) -> Rule | None:
    try:
        return firewall_rules.rule_of(given.dict()) if given else None
    except Wrong as wrong:
        raise firewalls.violation(wrong) from wrong


@router.get(
    "/{reference}/firewall/requests", response=FirewallRequestsOut, summary="What staff was asked of a firewall"
)
def list_server_firewall_requests(request: HttpRequest, reference: str) -> FirewallRequestsOut:
    """Newest first."""
    server = mine(request, reference, actions.ASK_FIREWALL)
    rows = server.firewall_requests.filter(account=server.account_id).select_related("ticket").order_by("-pk")[:LATEST]
    return FirewallRequestsOut(items=[_request(row) for row in rows])


@router.post(
    "/{reference}/firewall/requests", response={201: FirewallRequestOut}, summary="Ask for a change of a firewall"
)
@idempotency.once(actions.ASK_FIREWALL)
def ask_server_firewall(request: HttpRequest, reference: str, payload: FirewallRequestIn) -> tuple[int, Schema]:
    """Staff decides; what is accepted applies itself."""
    server, asking = mine(request, reference, actions.ASK_FIREWALL), auth.actor(request, actions.ASK_FIREWALL)
    change = Change(_rule(payload.add), _rule(payload.remove))
    return 201, _request(firewall_requests.ask(server, change, why=payload.why, actor=asking, now=clock.now()))


@router.post(
    "/{reference}/firewall/requests/{number}/withdraw", response={200: FirewallRequestOut},
    summary="Withdraw a change of a firewall that was asked for",
)  # fmt: skip
@idempotency.once(actions.ASK_FIREWALL)
def withdraw_server_firewall(request: HttpRequest, reference: str, number: str) -> tuple[int, Schema]:
    """As long as staff has not decided."""
    server, asking = mine(request, reference, actions.ASK_FIREWALL), auth.actor(request, actions.ASK_FIREWALL)
    row = server.firewall_requests.select_related("ticket").get(ticket__number=number, account=server.account_id)
    return 200, _request(firewall_requests.withdraw(row.ticket, actor=asking, now=clock.now()))
