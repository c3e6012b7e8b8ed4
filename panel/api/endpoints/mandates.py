"""SEPA mandates of the account, to be read; drawn up, signed and ended they are by a person, in the panel."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.models import Mandate
from panel.api import auth, paging

router = Router(tags=["mandates"])


class MandateOut(Schema):
    reference: str
    creditor_id: str = Field(description="Ours, as your bank names it.")
    state: str = Field(description="draft (to be signed), active, cancelled, replaced, expired or refused.")
    holder: str
    last4: str = Field(description="The end of the account number; the number itself is not given out.")
    is_default: bool = Field(description="Whether invoices are collected under it.")
    replaces: str | None = Field(description="The mandate that ended with this one's signature.")
    created_at: datetime
    signed_at: datetime | None
    last_used_on: date | None = Field(description="The last day a debit was presented for (Paris).")
    ended_at: datetime | None


def _mandate(row: Mandate) -> MandateOut:
    return MandateOut(
        reference=row.reference, creditor_id=row.creditor_id, state=row.state, holder=row.holder, last4=row.last4,
        is_default=row.method is not None and row.method.is_default,
        replaces=row.replaces.reference if row.replaces else None, created_at=row.created_at, signed_at=row.signed_at,
        last_used_on=row.last_used_on, ended_at=row.ended_at,
    )  # fmt: skip


def _rows(request: HttpRequest) -> Any:
    asking = auth.actor(request, actions.MANDATE)
    return Mandate.objects.visible_to(asking).select_related("method", "replaces")


@router.get("", response=paging.Pages[MandateOut], summary="List SEPA mandates")
def list_mandates(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Those of today and those that ended."""
    return paging.page(_rows(request), paged, _mandate)


@router.get("/{reference}", response=MandateOut, summary="Get a SEPA mandate")
def get_mandate(request: HttpRequest, reference: str) -> MandateOut:
    return _mandate(_rows(request).get(reference=reference))
