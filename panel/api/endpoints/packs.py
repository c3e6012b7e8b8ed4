"""Prepaid packs: what was bought, what is left of it and until when (OPR-9)."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.consuming import packs
from invoicing.models import Pack
from panel.api import auth, paging

router = Router(tags=["packs"])


class PackOut(Schema):
    reference: str
    package: str
    meter: str
    unit: str
    bought: str = Field(description="Units, as a decimal text.")
    used: str = Field(description="Units that usage events drew from it, less what their corrections gave back.")
    left: str
    state: str = Field(description="open, expired or refunded")
    bought_at: datetime
    last_use_at: datetime = Field(description="The purchase, where nothing was used since.")
    usable_until: date | None = Field(description="The last day (Paris) of an open pack, unless it is used before.")
    invoice: str


def _out(one: packs.Shown) -> PackOut:
    row = one.row
    return PackOut(
        reference=row.reference, package=row.package.code, meter=row.meter, unit=row.unit,
        bought=_plain(row.units_bought), used=_plain(one.used), left=_plain(row.units_left),
        state=row.closing or "open", bought_at=row.bought_at, last_use_at=row.used_at,
        usable_until=None if row.closing else one.until, invoice=row.invoice.number,
    )  # fmt: skip


def _plain(units: Any) -> str:
    return f"{units.normalize():f}"


@router.get("", response=paging.Pages[PackOut], summary="List prepaid packs")
def list_packs(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Everything that was bought; usage draws from the pack that ends soonest first."""
    rows = packs.summed(Pack.objects.visible_to(auth.actor(request, actions.PACKS)))
    return paging.page(rows, paged, lambda row: _out(packs.shown(row)))


@router.get("/{reference}", response=PackOut, summary="Get a prepaid pack")
def get_pack(request: HttpRequest, reference: str) -> PackOut:
    rows = packs.summed(Pack.objects.visible_to(auth.actor(request, actions.PACKS)))
    return _out(packs.shown(rows.get(reference=reference)))
