"""What is known of unpaid invoices, and whether they are ground for a suspension now (SRV-6, INV-7, OPR-3,
SUB-8).

The ground follows from the balance alone: paid, credited or contested there is none (SUB-8).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from invoicing.chasing import dunning_rules
from invoicing.chasing.dunning_rules import Patience, Step, Stop, Unpaid
from invoicing.models import (
    ClockStop,
    DisputeState,
    Invoice,
    InvoiceLine,
    InvoiceState,
    MethodKind,
    Payment,
    PaymentMethod,
    PaymentState,
    RejectionNotice,
)
from invoicing.paying import payment_rules, rejections
from panel import terms
from panel.core.calendars import is_missed, paris_date
from panel.terms import Terms

OVERAGE = "SRV-5"  # the rule of the lines whose non-payment leads to SRV-6
REJECTED = "OPR-3"  # a rejected payment suspends until it is paid, where the terms say so
FEES = "SUB-8"  # every other fee left unpaid
UNPAID = (InvoiceState.OPEN, InvoiceState.OVERDUE)


def stops(rows: Iterable[ClockStop]) -> tuple[Stop, ...]:
    """The stretches as the rules read them, in Paris days."""
    return tuple(Stop(paris_date(row.since), paris_date(row.until) if row.until else None) for row in rows)


def refused() -> QuerySet[Payment]:
    """Payments by which an unpaid invoice was collected, and which its means refused."""
    rows = Payment.objects.filter(key__startswith=rejections.AUTOMATIC, state=PaymentState.FAILED)
    return rows.exclude(decline_code__in=payment_rules.NOT_THE_CUSTOMERS)


def returned() -> QuerySet[Payment]:
    """Direct debits that an unpaid invoice was paid by, and that the payer's bank took back."""
    rows = Payment.objects.filter(state=PaymentState.SUCCEEDED, method__kind=MethodKind.SEPA)
    return rows.filter(disputes__state=DisputeState.LOST).exclude(disputes__reason__in=payment_rules.NOT_THE_CUSTOMERS)


def _last(rows: QuerySet[Payment], instant: str) -> Any:
    return Subquery(rows.filter(invoice=OuterRef("pk")).order_by(f"-{instant}").values(instant)[:1])


def with_the_bank() -> QuerySet[Payment]:
    """Payments that nothing but their bank keeps waiting, or our charging them: a debit whose day we have announced, a
    charge that has not got through to the provider yet."""
    ours = Q(state=PaymentState.NEW, method__isnull=False)
    return Payment.objects.filter(Q(state=PaymentState.PROCESSING) | ours)


def never_reached() -> QuerySet[Payment]:
    """Attempts to collect an invoice that all got lost on the way to the means, which is still there: they go on
    (INV-5)."""
    means = PaymentMethod.objects.filter(account=OuterRef("account"), is_default=True, removed_at=None)
    tried = Payment.objects.filter(key__startswith=rejections.AUTOMATIC, state=PaymentState.FAILED)
    answered = tried.filter(invoice=OuterRef("invoice")).exclude(decline_code__in=rejections.NEVER_REACHED)
    return tried.filter(Exists(means), ~Exists(answered), invoice__collectable=True)


def not_with_the_bank(rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Invoices but those whose payment only the bank keeps waiting: they are not late, and ground for nothing."""
    return rows.exclude(pk__in=with_the_bank().exclude(invoice=None).values("invoice"))


def chased(rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Those of unpaid invoices that become overdue and are reminded of: not while they are contested, nor while it is
    the banks or we who keep them from being paid, nor for less than can be collected."""
    enough = F("paid_cents") + F("credited_cents") + payment_rules.SMALLEST_CENTS
    lost = never_reached().exclude(invoice=None).values("invoice")
    return not_with_the_bank(rows.filter(contested_at=None, total_cents__gte=enough)).exclude(pk__in=lost)


def _overage() -> QuerySet[InvoiceLine]:
    """Lines of consumption of which something is left after their credit notes."""
    rows = InvoiceLine.objects.filter(rule=OVERAGE).annotate(credited=Coalesce(Sum("credited_by__net_cents"), Value(0)))
    return rows.filter(net_cents__gt=F("credited"))


def followed(rows: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Invoices with what `facts` reads, in a constant number of queries."""
    told = RejectionNotice.objects.filter(account=OuterRef("account"), ended_at=None)
    return (
        rows.select_related("account")
        .annotate(
            stage=Coalesce(Max("reminders__stage"), Value(0)),
            overage=Exists(_overage().filter(invoice=OuterRef("pk"))),
            rejected=Exists(refused().filter(invoice=OuterRef("pk"))),
            came_back=Greatest(
                Coalesce(_last(refused(), "ended_at"), _last(returned(), "disputes__opened_at")),
                Coalesce(_last(returned(), "disputes__opened_at"), _last(refused(), "ended_at")),
            ),
            told=told.values("replace_by")[:1],
            is_chased=Exists(chased(Invoice.objects.filter(pk=OuterRef("pk")))),
        )
        .prefetch_related("stops")
    )


def facts(invoice: Invoice) -> Unpaid:
    """The facts of an invoice that came through `followed`."""
    row: Any = invoice
    return Unpaid(
        due_on=row.due_on, stops=stops(row.stops.all()), sent=row.stage, overage=row.overage,
        told=paris_date(row.told) if row.told and row.rejected else None, chased=row.is_chased,
    )  # fmt: skip


def patience(law: Terms) -> Patience:
    """How long a version of the terms waits for its money."""
    return Patience(law.invoicing.remind_days, law.bandwidth.unpaid_days, law.termination.unpaid_days)


def coming(invoice: Invoice, *, now: datetime) -> list[Step]:
    """What still happens to an unpaid invoice, and when; for one that came through `followed`."""
    law = patience(terms.version(invoice.terms_version))
    return dunning_rules.steps(facts(invoice), law, today=paris_date(now))


@dataclass(frozen=True, slots=True)
class Ground:
    """Why an account may be suspended: by which rule, for which debt, and since which Paris day."""

    key: str
    rule: str
    invoice: Invoice
    due_on: date


def _warned(known: Unpaid, waits: Patience) -> bool:
    """Whether the last reminder was sent."""
    return known.sent >= len(waits.remind_after)


def grounds(account_id: int, *, now: datetime) -> list[Ground]:
    """Every ground there is at `now`, one a debt. None for what is paid, contested, with the bank or was never reminded
    of."""
    unpaid = not_with_the_bank(Invoice.objects.filter(account=account_id, state__in=UNPAID, contested_at=None))
    notice = rejections.current(account_id)
    found: dict[str, Ground] = {}
    for invoice in followed(unpaid).order_by("due_on", "pk"):
        row: Any = invoice
        law, known = terms.version(invoice.terms_version), facts(invoice)
        waits = patience(law)
        on = dunning_rules.overage_on(known, waits)
        if known.sent and on is not None and paris_date(now) >= on:
            found[f"SRV-6:{invoice.number}"] = Ground(f"SRV-6:{invoice.number}", "SRV-6", invoice, on)
        if law.debit.suspends and row.came_back:
            on_day = paris_date(row.came_back)
            found[f"{REJECTED}:{invoice.number}"] = Ground(f"{REJECTED}:{invoice.number}", REJECTED, invoice, on_day)
        elif (on := dunning_rules.fee_on(known, waits)) is not None and _warned(known, waits) and paris_date(now) >= on:
            found[f"{FEES}:{invoice.number}"] = Ground(f"{FEES}:{invoice.number}", FEES, invoice, on)
        if notice and row.rejected and row.state == InvoiceState.OVERDUE and is_missed(now, notice.replace_by):
            found.setdefault(
                f"INV-7:{notice.pk}", Ground(f"INV-7:{notice.pk}", "INV-7", invoice, paris_date(notice.replace_by))
            )
    return list(found.values())
