"""What the platform rejects, or a buyer refuses, waits for a person (INV-10): an invoice is credited and issued anew;
the rest is settled with the platform.

It stands in the staff's queue until all of the invoice is credited, or somebody discards it and says how it ended.
"""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from invoicing.models import EReport, Invoice, InvoiceKind, Transmission
from invoicing.taxing import platform_rules
from panel.core import events, operations
from panel.core.errors import ProviderError
from panel.core.models import Event, Operation

STATES = (platform_rules.REFUSED, platform_rules.REJECTED)
WHO = {platform_rules.REFUSED: "its buyer refused", platform_rules.REJECTED: "the platform rejected"}
TO_DO = {
    "invoice": "credit it and issue it anew, or discard this and say how it was settled",
    "note": "settle it with the platform, then discard this and say how",
}


def wait(row: Transmission | EReport, *, now: datetime) -> None:
    """Ask the staff about a document or a report that was turned down; inside the transaction of that state."""
    what = "transmission" if isinstance(row, Transmission) else "report"
    operations.enqueue(
        Judge.kind, key=_key(what, row.pk), now=now, account_id=getattr(row, "account_id", None), subject=row,
        payload={what: row.pk},
    )  # fmt: skip


def _key(what: str, pk: int) -> str:
    return f"turned-down:{what}:{pk}"


@events.subscriber("invoicing.invoice.credit_noted", "platform.turned_down")
def credited(event: Event, *, now: datetime) -> None:
    """A turned down invoice was credited: the question looks again whether it is answered."""
    row = Transmission.objects.filter(invoice__number=event.data["credits"], state__in=STATES).first()
    waiting = Operation.objects.filter(key=_key("transmission", row.pk)).first() if row is not None else None
    if waiting is not None:
        operations.retry(waiting.pk, now=now)


@operations.register
class Judge(operations.Handler):
    """Stands in the staff's queue until the invoice is credited, or somebody discards it with a reason."""

    kind = "invoicing.turned_down"
    label = _("Refused by the buyer or the e-invoicing platform: it needs a person")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        if "report" in op.payload:
            report = EReport.objects.get(pk=op.payload["report"])
            raise _unsettled(report.name, report.state, report.reason, TO_DO["note"])
        row = Transmission.objects.select_related("invoice").get(pk=op.payload["transmission"])
        is_invoice = row.invoice.kind != InvoiceKind.CREDIT_NOTE
        if is_invoice and _all_credited(row.invoice):
            return {"credited": row.invoice.number}
        raise _unsettled(row.invoice.number, row.state, row.reason, TO_DO["invoice" if is_invoice else "note"])


def _all_credited(invoice: Invoice) -> bool:
    return invoice.credited_cents >= invoice.total_cents


def _unsettled(name: str, state: str, reason: str, to_do: str) -> ProviderError:
    said = f" ({reason[:200]})" if reason else ""
    return ProviderError(f"{WHO[state]} {name}{said}: {to_do}", permanent=True, code=state)
