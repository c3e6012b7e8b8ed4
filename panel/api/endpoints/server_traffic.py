"""The traffic of a server: its month, what is to be expected, its hours (SRV-4, SRV-5)."""

from datetime import date, datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema

from panel.api.endpoints.servers import mine
from panel.core import clock
from servers import actions, charting, selectors

router = Router(tags=["servers"])


class TrafficHourOut(Schema):
    starts_at: datetime
    in_bytes: int
    out_bytes: int


class TrafficOut(Schema):
    """`starts_on` to `ends_on` (excluded) is the running traffic month; the forecast is null while it is too early."""

    starts_on: date
    ends_on: date
    in_bytes: int
    out_bytes: int
    included_bytes: int
    forecast_bytes: int | None
    overage_cents: int
    read_at: datetime | None
    stale: bool
    hours: list[TrafficHourOut]


@router.get("/{reference}/traffic", response=TrafficOut, summary="Get the traffic of a server")
def get_server_traffic(
    request: HttpRequest, reference: str, span: Literal["24h", "7d", "30d", "period"] = "24h"
) -> TrafficOut:
    """The running month, and the UTC hours of `span` in which something was counted, oldest first."""
    server, now = mine(request, reference, actions.SEE), clock.now()
    traffic = selectors.traffic(server, now=now)
    since, until = charting.stretch(span, traffic=traffic, now=now)
    return TrafficOut(
        starts_on=traffic.month.starts_on, ends_on=traffic.month.ends_on, in_bytes=traffic.rx, out_bytes=traffic.tx,
        included_bytes=traffic.included, forecast_bytes=traffic.forecast_total, overage_cents=traffic.overage_now,
        read_at=traffic.read_at, stale=traffic.stale,
        hours=[TrafficHourOut(starts_at=hour, in_bytes=rx, out_bytes=tx)
               for hour, rx, tx in selectors.hours(server, since=since, until=until)],
    )  # fmt: skip
