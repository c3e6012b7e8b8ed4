"""Payouts as the reconciliation compares them with the books (INV-11), in a fixed number of queries."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet, Sum

from invoicing.accounting.reconciling_rules import MovedFact, PaidOutFact, PayoutFact
from invoicing.gateways import PayoutState
from invoicing.models import Dispute, DisputeState, Payment, PaymentState, Payout, PayoutLine, Refund
from invoicing.models import RefundState as Refunded
from invoicing.paying_out import payout_rules
from panel.core.calendars import paris_date
from panel.core.money import Cents


def told(states: Iterable[PayoutState], *, until: datetime) -> list[PayoutFact]:
    """What the provider says of payouts that should be at the bank, beside how they stand here. A message about one
    that has just ended may be under way."""
    ended = [one for one in states if one.state != payout_rules.MOVING and one.arrives_on < paris_date(until)]
    known = dict(Payout.objects.filter(made_at__gte=min((one.at for one in ended), default=until))
                 .values_list("provider_ref", "state"))  # fmt: skip
    return [PayoutFact(one.ref, one.amount_cents, one.state, known.get(one.ref, "")) for one in ended]


def paid_out(since: datetime) -> list[PaidOutFact]:
    """Payouts since then that are booked, with what their lines come to."""
    rows = Payout.objects.filter(made_at__gte=since).exclude(state=Payout.State.MOVING).order_by("pk")
    sums = rows.annotate(parts=Sum(F("lines__gross_cents") - F("lines__fee_cents")))
    return [PaidOutFact(ref, cents, parts or 0) for ref, cents, parts in
            sums.values_list("provider_ref", "amount_cents", "parts")]  # fmt: skip


def moved(since: datetime) -> list[MovedFact]:
    """What each thing of the payouts since then moved in all payouts, beside what the books have of it."""
    lines = PayoutLine.objects.filter(payout__made_at__gte=since).exclude(kind=PayoutLine.Kind.FEE)
    named = lines.order_by().values("source")
    sums = PayoutLine.objects.filter(source__in=named).exclude(kind=PayoutLine.Kind.FEE).order_by()
    may = known(named)
    return [
        MovedFact(source, cents, may.get((kind, source)))
        for kind, source, cents in sums.values("kind", "source").annotate(sum=Sum("gross_cents"))
        .order_by("kind", "source").values_list("kind", "source", "sum")
    ]  # fmt: skip


def known(named: QuerySet[PayoutLine, Any]) -> dict[tuple[str, str], frozenset[Cents]]:
    """What the books may have of each of the provider's things that are `named`, by kind and name."""
    found: dict[tuple[str, str], frozenset[Cents]] = {}
    payments = Payment.objects.filter(provider_ref__in=named, state=PaymentState.SUCCEEDED)
    for ref, cents in payments.values_list("provider_ref", "amount_cents"):
        found[payout_rules.CHARGE, ref or ""] = frozenset({cents})
    refunds = Refund.objects.filter(provider_ref__in=named).values_list("provider_ref", "amount_cents", "state")
    for ref, cents, state in refunds:
        found[payout_rules.REFUND, ref or ""] = frozenset({-cents, 0} if state == Refunded.FAILED else {-cents})
    disputes = Dispute.objects.filter(provider_ref__in=named).values_list("provider_ref", "amount_cents", "state")
    for ref, cents, state in disputes:
        found[payout_rules.DISPUTE, ref] = frozenset({-cents, 0} if state == DisputeState.WON else {-cents})
    back = Payout.objects.filter(provider_ref__in=named, state=Payout.State.FAILED)
    for ref, cents in back.values_list("provider_ref", "amount_cents"):
        found[payout_rules.RETURNED, ref] = frozenset({cents})
    return found
