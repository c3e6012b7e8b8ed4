"""The day on which money was collected: the bank's, whenever we read of it (INV-10, invariant 21)."""

from collections.abc import Collection
from datetime import date, datetime

from invoicing.models import Debit, ManualPayment, Settlement
from panel.core.calendars import paris_date, start_of_paris_day


def of(rows: Collection[Settlement]) -> dict[int, date]:
    """The value date (Paris) of each settlement by its id: of a transfer or cheque the day it was received, of a debit
    by our own files the day the bank booked it; never after the day on which we wrote it down. The rows come with their
    entries."""
    refs: dict[str, list[str]] = {"manual_payment": [], "payment": []}
    for row in rows:
        if row.entry.kind in refs:
            refs[row.entry.kind].append(row.entry.ref)
    by_hand = ManualPayment.objects.filter(pk__in=refs["manual_payment"]).values_list("pk", "received_on")
    debited = Debit.objects.filter(payment__reference__in=refs["payment"], receipt__isnull=False)
    days = {("manual_payment", str(pk)): on for pk, on in by_hand}
    days |= {("payment", ref): on for ref, on in debited.values_list("payment__reference", "receipt__booked_on")}
    return {row.pk: min(days.get((row.entry.kind, row.entry.ref), written), written)
            for row in rows for written in (paris_date(row.at),)}  # fmt: skip


def instant(row: Settlement) -> datetime:
    """When a settlement was collected: the instant we heard of it, or the start of the bank's day before."""
    day = of([row])[row.pk]
    return row.at if day == paris_date(row.at) else start_of_paris_day(day)
