"""Usage events, told by the operator's own systems (OPR-1)."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.security import HttpBearer
from pydantic import AwareDatetime, Field

from invoicing.consuming import usage, usage_setup
from invoicing.models import UsageSource
from panel.accounts.middleware import client_ip, neighbourhood
from panel.api import limits, problems
from panel.core import clock

router = Router(tags=["usage"])


class SourceKey(HttpBearer):
    """Sets `request.auth` to the source the key stands for."""

    openapi_scheme = "bearer"

    def authenticate(self, request: HttpRequest, token: str) -> UsageSource | None:
        now, source = clock.now(), usage_setup.authenticate(token)
        if source is None:
            limits.spend(request, limits.STRANGER, neighbourhood(client_ip(request)), now=now)
        return source


class EventIn(Schema):
    id: str = Field(min_length=1, max_length=120, description="Yours, unique: the event's idempotency key.")
    subscription: str = Field(max_length=20)
    meter: str = Field("", max_length=40)
    quantity: Decimal = Field(Decimal(0), description="As a text or a whole number; at most six decimals.")
    at: AwareDatetime | None = Field(None, description="When it was used, with its time zone.")
    corrects: str = Field("", max_length=120, description="Instead of the above: the id of the event to take back.")


class UsageIn(Schema):
    events: list[EventIn] = Field(max_length=usage.MOST)


class UsageOut(Schema):
    accepted: int
    repeated: int = Field(description="Known already, with the same content: counted once.")


@router.post("/events", response=UsageOut, auth=SourceKey(), summary="Send usage events")
def send_events(request: HttpRequest, payload: UsageIn) -> Any:
    """Up to 1,000 events, kept whole or not at all. Send a delivery again as often as you like: each id counts once. An
    id that comes again with another content is refused (409). What arrives after its month was invoiced comes on the
    next invoice."""
    source: UsageSource = request.auth  # type: ignore[attr-defined]
    told = [
        usage.Told(one.id, one.subscription, one.meter, one.quantity, one.at, one.corrects) for one in payload.events
    ]
    try:
        taken = usage.record(source.code, told, now=clock.now())
    except usage.Conflict as conflict:
        return problems.answer(409, "conflict", conflict.sentence)
    return UsageOut(accepted=taken.accepted, repeated=taken.repeated)
