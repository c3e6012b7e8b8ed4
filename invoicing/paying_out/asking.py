"""The provider is asked for a payout whenever a message names it, and while it is due and not told (INV-12)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from invoicing import gateways
from invoicing.models import Payout
from invoicing.paying_out import arriving, payout_rules, payouts
from panel.core import operations
from panel.core.calendars import paris_date
from panel.core.models import Operation

LOOK = "payouts.look"


def look(ref: str, because: str, *, now: datetime) -> None:
    """Ask the provider how a payout stands, once for each `because`."""
    operations.enqueue(LOOK, key=f"payout:{ref}:{because}", now=now, payload={"payout": ref})


def due(now: datetime) -> QuerySet[Payout]:
    """Payouts that should be at the bank by now, and of which the provider has not said so."""
    return Payout.objects.filter(state=Payout.State.MOVING, arrives_on__lte=paris_date(now)).order_by("pk")


@operations.register
class Look(operations.Handler):
    """Asks the provider how a payout stands, and what it is made of once that can be told."""

    kind = LOOK
    kept = timedelta(days=30)
    label = gettext_lazy("Ask how a payout of the payment provider stands")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        provider = gateways.get()
        told = provider.payout(op.payload["payout"])
        if not told.settled:  # it is booked once its parts are known; a message tells, and the sweep asks again
            told = replace(told, state=payout_rules.MOVING)
        done = told.state != payout_rules.MOVING
        lines = list(provider.movements(told.ref)) if done and told.itemised else []
        payout = payouts.conclude(told, lines, now=now)
        if payout.state == payout_rules.PAID and payout.arrived_on is None:
            arriving.find_receipt(payout, now=now)
        return {"state": payout.state}
