"""Stopping the clock of a contested invoice, and letting it run again (INV-1, TIC-6). A card dispute that the
banks have not decided contests it too: the customer had paid, and may be found to have (INV-7 knows rejections alone).

While it stands nothing is collected, no reminder is sent, no late fee is added and nothing is suspended for it. Every
cause stops it by itself: it runs again when the last one is settled.
"""

from datetime import datetime

from django.db.models import Min

from invoicing.chasing import relieving
from invoicing.models import ClockStop, Invoice, LateInvoice
from panel.core.actors import SYSTEM

CASE, DISPUTE, WAIVER, PAID, BANK = "case", "dispute", "waiver", "paid", "bank"


def stop(invoice: Invoice, because: str, *, now: datetime) -> None:
    """Contested because of `because`: the clock stands from `now`; a repeat changes nothing. What it led to ends.

    Within the transaction that holds the account's lock.
    """
    ClockStop.objects.get_or_create(
        invoice=invoice, because=because, until=None, defaults={"account_id": invoice.account_id, "since": now}
    )
    _mark(invoice)
    relieving.relieve(invoice.account, now=now, actor=SYSTEM)


def go_on(invoice: Invoice, because: str, *, now: datetime) -> ClockStop | None:
    """This cause is settled; the clock runs again unless another one still holds it. Returns the stop that ended; None
    when the clock did not stand for it."""
    ended = ClockStop.objects.filter(invoice=invoice, because=because, until=None).first()
    if ended is not None:
        ended.until = now
        ended.save(update_fields=["until"])
        _mark(invoice)
    return ended


def was_paid(invoice: Invoice, since: datetime, *, now: datetime) -> None:
    """Paid at `since`, and taken back by the bank at `now`: the days between are none of lateness, and what lateness
    costs is followed again."""
    ClockStop.objects.create(invoice=invoice, account_id=invoice.account_id, because=PAID, since=since, until=now)
    LateInvoice.objects.filter(invoice=invoice).update(closed_at=None)


def _mark(invoice: Invoice) -> None:
    since = ClockStop.objects.filter(invoice=invoice, until=None).aggregate(since=Min("since"))["since"]
    Invoice.objects.filter(pk=invoice.pk).update(contested_at=since)
