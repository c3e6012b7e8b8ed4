"""The provider ends a subscription: because its client asked us to, for a breach, or for reasons of our own; each with
its money (SUB-6, SUB-8)."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.compensating import service_credits
from invoicing.documents import texts
from invoicing.issuing import invoices
from invoicing.models import InvoiceKind, InvoiceLine, Subscription, SubscriptionState
from invoicing.rules import Quotation
from invoicing.subscribing import leaving, subscriptions
from invoicing.subscribing.leaving import Wishes
from invoicing.subscribing.period_rules import Period, part
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents


class Ground(StrEnum):
    """Why we end it."""

    ASKED = "asked"
    BREACH = "breach"
    OURS = "ours"


RULES = {Ground.ASKED: "SUB-6", Ground.BREACH: "SUB-8", Ground.OURS: "SUB-8"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What an end on a ground means in money. `to_pay`: what is invoiced at once, None for nothing; `credited`: what
    is given back, in cents without VAT."""

    ground: Ground
    to_pay: Quotation | None
    credited: Cents


def costs(row: Subscription, *, now: datetime) -> list[Cost]:
    """What each ground would cost now."""
    return [Cost(ground, _quote(row, ground, now=now), unused(row, now=now) if ground is Ground.OURS else 0)
            for ground in Ground]  # fmt: skip


def _quote(row: Subscription, ground: Ground, *, now: datetime) -> Quotation | None:
    if ground is Ground.OURS:
        return None
    return leaving.quote(row, Wishes(), rule=RULES[ground], now=now)


def unused(row: Subscription, *, now: datetime) -> Cents:
    """What was invoiced for the days from tomorrow on, less what was credited of it, in cents without VAT: the day of
    the end is charged."""
    tomorrow = paris_date(now) + timedelta(days=1)
    lines = InvoiceLine.objects.filter(
        subscription=row, account_id=row.account_id, invoice__kind=InvoiceKind.INVOICE, period_end__gt=tomorrow
    )
    by_invoice: dict[int, list[InvoiceLine]] = defaultdict(list)
    for line in lines.order_by("invoice", "position"):
        if not line.metered:
            by_invoice[line.invoice_id].append(line)
    found = 0
    for rows in by_invoice.values():
        for line, left in zip(rows, invoices.creditable(rows), strict=True):
            if line.period_start is None or line.period_end is None:
                continue
            whole = Period(line.period_start, line.period_end)
            found += part(left.net - left.credited, whole, max(tomorrow, whole.start), whole.end)
    return max(found, 0)


@transaction.atomic
def end(row: Subscription, ground: Ground, *, reason: str, actor: Actor, now: datetime) -> Subscription:
    """End it now; `reason` is what its client is told. On a ground of our own nothing of a commitment is claimed, and
    the unused days that were invoiced are credited. Ended already: nothing. RuleViolation without a reason."""
    if not reason.strip():
        raise RuleViolation(_("Please write something."), field="reason")
    held = subscriptions.hold(row)
    if held.state == SubscriptionState.TERMINATED:
        return held
    credit = unused(held, now=now) if ground is Ground.OURS else 0
    if credit:
        with translation.override(texts.language_of(held.account.language)):
            words = _("Days of %(subscription)s that were paid for and not used") % {"subscription": held.reference}
        service_credits.grant_credit(
            held.account, held, credit, words, {"ground": ground, "on": paris_date(now).isoformat()}, rule="SUB-8",
            once=f"ended-by-us:{held.reference}", now=now, actor=actor,
        )  # fmt: skip
    return subscriptions.terminate(
        held, because=reason.strip(), rule=RULES[ground], now=now, actor=actor, claims=ground is not Ground.OURS
    )
