"""Lost webhooks are made good: what the provider lists is read, and what is pending for long is asked for (INV-12)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.models import Payment, Payout, Refund
from invoicing.paying import payments, refunds, webhooks
from invoicing.paying.payment_rules import OWN
from invoicing.paying_out import asking
from panel.core import due, operations
from panel.core.due import SweepReport
from panel.core.models import Operation

PENDING_FOR = timedelta(minutes=10)
ASK_AGAIN = timedelta(minutes=30)
OVERLAP = timedelta(minutes=15)
LONGEST_MEMORY = timedelta(days=30)
"""How far back the provider lists its events."""


@due.sweep("payments.reconcile", every_seconds=300)
def reconcile(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Have the provider's list of events read, and ask for each payment, refund and payout that is pending for long."""
    before = now - PENDING_FOR
    pending = Payment.objects.filter(state__in=payments.LIVE, created_at__lt=before)
    waiting = pending.exclude(provider=OWN).order_by("pk")
    sent = Refund.objects.filter(state__in=("new", "pending"), created_at__lt=before).order_by("pk")
    moving = asking.due(now)
    if dry_run:
        asked = (*waiting, *sent, *moving)
        return SweepReport(would=["read the provider's events", *(f"ask for {row}" for row in asked)])
    with transaction.atomic():
        operations.enqueue(CatchUp.kind, key=f"catch-up:{now.isoformat()}", now=now)
    because = f"sweep:{int(now.timestamp()) // int(ASK_AGAIN.total_seconds())}"
    report = due.each(
        list(waiting.values_list("pk", flat=True)),
        lambda pk: payments.look(Payment.objects.get(pk=pk), because, now=now),
    )
    report = due.each(
        list(sent.values_list("pk", flat=True)),
        lambda pk: refunds.look(Refund.objects.get(pk=pk), because, now=now),
        report=report,
    )
    return due.each(
        list(moving.values_list("pk", flat=True)),
        lambda pk: asking.look(Payout.objects.get(pk=pk).provider_ref, because, now=now),
        report=report,
    )


@operations.register
class CatchUp(operations.Handler):
    """Reads the provider's list of events from where the last reading began, and keeps those that never came."""

    kind = "payments.catch_up"
    label = _("Read the payment provider's events")
    max_attempts = 3  # the next sweep asks again
    kept = timedelta(days=30)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        last = Operation.objects.filter(kind=self.kind, state=Operation.State.DONE).order_by("-pk").first()
        since = now - LONGEST_MEMORY
        if last and "until" in last.result:
            since = max(since, datetime.fromisoformat(last.result["until"]) - OVERLAP)
        listed = list(gateways.get().list_events(since))
        new = webhooks.keep(listed, via=webhooks.LISTING, now=now)
        return {"until": op.created_at.astimezone(UTC).isoformat(), "new": new}
