"""Addresses of an account: where each is, where it goes, and giving one back (SRV-3)."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema

from panel.api import auth, idempotency, paging
from panel.api.endpoints.servers import ActionOut, action_out
from panel.core import clock
from panel.core.actions import Action
from panel.core.querysets import at_ip
from servers import actions
from servers.addressing import giving_back, moving
from servers.models import Address, AddressHolding, Server

router = Router(tags=["servers"])


class HeldOut(Schema):
    """`server`: the one it is on, empty for none; `ordered_with`: the one whose subscription pays for it; `first`: it
    came with its server and stays there."""

    address: str
    family: int
    place: str
    server: str
    ordered_with: str
    first: bool
    cut_off: bool
    since: datetime
    until: datetime | None


class MoveIn(Schema):
    server: str = Field(description="reference of the server it shall be on; empty: on none, and reserved")


def _out(row: AddressHolding) -> HeldOut:
    return HeldOut(
        address=str(row.address.ip), family=row.address.family, place=row.address.place,
        server=row.server.reference if row.attached else "", ordered_with=row.ordered_with.reference,
        first=row.is_first, cut_off=row.address.blocked and row.until is None, since=row.since, until=row.until,
    )  # fmt: skip


@router.get("", response=paging.Pages[HeldOut], summary="List addresses")
def list_addresses(request: HttpRequest, paged: paging.Paging, ended: bool = False) -> dict[str, Any]:
    """What the account holds; `ended` shows what it held before too, each stretch on one server a row of its own."""
    rows = AddressHolding.objects.visible_to(auth.actor(request, actions.SEE_ADDRESSES))
    rows = rows.select_related("address", "server", "ordered_with")
    return paging.page(rows if ended else rows.now(), paged, _out)


def _mine(request: HttpRequest, address: str, action: Action) -> Address:
    rows = AddressHolding.objects.visible_to(auth.actor(request, action)).now().select_related("address")
    return rows.get(at_ip(address, "address__ip")).address


@router.post("/{address}/move", response={202: ActionOut}, summary="Move an additional address")
@idempotency.once(actions.MOVE_ADDRESS)
def move_address(request: HttpRequest, address: str, payload: MoveIn) -> tuple[int, Schema]:
    """To another of the account's servers at the same place, or to none. Accepted, and carried out by the panel: the
    actions of the server show how it ended. What is restricted stays where it is."""
    asking, held = auth.actor(request, actions.MOVE_ADDRESS), _mine(request, address, actions.MOVE_ADDRESS)
    to = Server.objects.visible_to(asking).get(reference=payload.server) if payload.server else None
    return 202, action_out(moving.move(held, to, actor=asking, now=clock.now()))


@router.post("/{address}/give-back", response={202: HeldOut}, summary="Give an additional address back")
@idempotency.once(actions.GIVE_BACK_ADDRESS)
def give_address_back(request: HttpRequest, address: str) -> tuple[int, Schema]:
    """From the renewal of the subscription that pays for it on; take the planned change back there to keep it."""
    asking, held = auth.actor(request, actions.GIVE_BACK_ADDRESS), _mine(request, address, actions.GIVE_BACK_ADDRESS)
    giving_back.give_back(held, actor=asking, now=clock.now())
    rows = AddressHolding.objects.now().select_related("address", "server", "ordered_with")
    return 202, _out(rows.get(address=held))
