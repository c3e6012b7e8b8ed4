"""The latest traffic month of each server of a list, as its present holder's (SRV-4, SUB-2)."""

from typing import Any

from django.db.models import F, OuterRef, Subquery

from servers.models import TrafficMonth


def _latest(bytes_: Any) -> Subquery:
    rows = TrafficMonth.objects.filter(server=OuterRef("pk")).order_by("-starts_on")
    return Subquery(rows.values(found=bytes_)[:1])


def own() -> Subquery:
    """Bytes of both directions since it is the present holder's; None where nothing was read yet."""
    return _latest(F("rx_bytes") + F("tx_bytes") - F("given_rx_bytes") - F("given_tx_bytes"))


def given() -> Subquery:
    """Bytes of who had it earlier in that month: they are off the included volume."""
    return _latest(F("given_rx_bytes") + F("given_tx_bytes"))


def left(included: int, given_before: int | None) -> int:
    """What is the present holder's of the included volume."""
    return max(0, included - (given_before or 0))
