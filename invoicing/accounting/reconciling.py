"""Compares the provider, the books, the invoices and the services, every hour (INV-11, INV-12).

The provider is asked by an operation; what it lists is compared there, and only the differences are kept. They wait in
the staff's queue until the next comparison no longer finds them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from invoicing import gateways
from invoicing.accounting import ledger, receivables, reconciling_rules
from invoicing.accounting.reconciling_rules import (
    ChargeFact,
    Difference,
    DocumentFact,
    Facts,
    OrderFact,
    PaymentFact,
    PayoutFact,
)
from invoicing.gateways import PayoutState
from invoicing.models import (
    Invoice,
    InvoiceKind,
    MoneyDifference,
    Order,
    OrderState,
    Pack,
    Payment,
    PaymentState,
    Payout,
    Posting,
    Refund,
    Settlement,
    Subscription,
    SubscriptionState,
)
from invoicing.paying import payment_rules
from invoicing.paying_out import asking, payout_facts
from invoicing.subscribing import kinds
from panel.accounts.models import Account
from panel.core import due, live, operations
from panel.core.due import SweepReport
from panel.core.models import Operation

LOOK_BACK = timedelta(days=62)
SETTLING = timedelta(hours=1)  # what is younger may still be under way
AT_ONCE = 500  # payments that are read, or asked for by name, at a time


def gather(
    charges: Sequence[ChargeFact] | None, *, since: datetime, until: datetime, payouts: Iterable[PayoutFact] = ()
) -> Facts:
    """What is compared: everything from `since` to `until`, each kind of row in a fixed number of queries; older
    payments that charges name by the hundreds."""
    return Facts(
        charges=charges, payments=list(_payments(charges or (), since, until)), booked=_booked(since, until),
        documents=_documents(since, until), orders=_orders(since, until), payouts=payouts,
        paid_out=payout_facts.paid_out(since), moved=payout_facts.moved(since),
    )  # fmt: skip


def _payments(charges: Sequence[ChargeFact], since: datetime, until: datetime) -> Iterator[PaymentFact]:
    """Payments of the time, those that the provider's charges name, and those of which a refund was never sent; of each
    what is compared, some hundreds at a time."""
    unsent = Refund.objects.filter(state="new", created_at__lte=until)
    of_the_time = Q(created_at__gte=since) | Q(pk__in=unsent.values("payment"))
    yield from _facts(of_the_time, until)
    told: set[str] = set()  # of the older ones: each once, however many charges name it
    for start in range(0, len(charges), AT_ONCE):
        some = charges[start : start + AT_ONCE]
        named = Q(reference__in=[one.payment for one in some]) | Q(provider_ref__in=[one.ref for one in some])
        for fact in _facts(named & ~of_the_time, until):
            if fact.reference not in told:
                told.add(fact.reference)
                yield fact


def _facts(which: Q, until: datetime) -> Iterator[PaymentFact]:
    sent, asked = Q(refunds__state__in=("pending", "succeeded")), ~Q(refunds__state="failed")
    stuck = Q(refunds__state="new", refunds__created_at__lte=until)
    rows = Payment.objects.filter(which).order_by("pk").values_list(
        "reference", "provider_ref", "state", "amount_cents",
        Coalesce(Sum("refunds__amount_cents", filter=sent), 0), Coalesce(Sum("refunds__amount_cents", filter=asked), 0),
        Coalesce(Sum("refunds__amount_cents", filter=stuck), 0), "created_at", "provider",
    )  # fmt: skip
    for reference, ref, state, cents, was_sent, was_asked, is_stuck, created_at, provider in rows.iterator(AT_ONCE):
        yield PaymentFact(
            reference, ref or "", state == PaymentState.SUCCEEDED, cents, was_sent, was_asked, is_stuck,
            created_at > until, at_provider=provider != payment_rules.OWN,
        )  # fmt: skip


def _booked(since: datetime, until: datetime) -> dict[str, int]:
    """Cents of each payment's entry; of payments that began in the same time."""
    began = Payment.objects.filter(created_at__range=(since, until)).values("reference")
    unknown = ~Exists(Payment.objects.filter(reference=OuterRef("entry__ref")))
    booked_then = Q(entry__booked_at__range=(since, until)) & unknown
    rows = Posting.objects.filter(
        Q(entry__ref__in=began) | booked_then,
        entry__kind="payment",
        ledger_account__code__in=(ledger.CLEARING, ledger.BANK),
    )
    return dict(rows.order_by().values("entry__ref").annotate(sum=Sum("cents")).values_list("entry__ref", "sum"))


def _documents(since: datetime, until: datetime) -> list[DocumentFact]:
    then = Invoice.objects.filter(issued_at__range=(since, until)).order_by()
    booked: dict[tuple[str, str], int] = {}
    asked = Posting.objects.filter(
        entry__kind__in=InvoiceKind.values, entry__ref__in=then.values("number"), ledger_account__code=ledger.CUSTOMERS
    )
    for kind, ref, cents in asked.values_list("entry__kind", "entry__ref", "cents"):
        booked[kind, ref] = booked.get((kind, ref), 0) + cents
    settled = dict(
        Settlement.objects.filter(invoice__in=then.values("pk")).exclude(means="credit_note").order_by()
        .values("invoice_id").annotate(sum=Sum("cents")).values_list("invoice_id", "sum")
    )  # fmt: skip
    return [
        DocumentFact(
            number, total * (-1 if kind == InvoiceKind.CREDIT_NOTE else 1), booked.get((kind, number)), paid,
            settled.get(pk, 0),
        )
        for pk, number, kind, total, paid in then.values_list("pk", "number", "kind", "total_cents", "paid_cents")
    ]  # fmt: skip


def _orders(since: datetime, until: datetime) -> list[OrderFact]:
    """Orders with whether they were paid and whether what they became is there: a service, or a prepaid pack."""
    running = [SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED]
    began: QuerySet[Subscription] = Subscription.objects.filter(order__placed_at__range=(since, until))
    there = _delivered(began.filter(state__in=running).only("reference", "order_id", "service_kind"))
    packs = Pack.objects.filter(order__placed_at__range=(since, until)).values_list("order_id", flat=True)
    there |= dict.fromkeys(packs, True)
    ended = set(began.exclude(state__in=running).values_list("order_id", flat=True))
    rows = Order.objects.filter(placed_at__range=(since, until)).order_by("pk")
    return [
        OrderFact(reference, state == OrderState.PAID, there.get(pk, False))
        for pk, reference, state in rows.values_list("pk", "reference", "state")
        if pk not in ended and (state == OrderState.PAID or pk in there)
    ]


def _delivered(rows: Iterable[Subscription]) -> dict[int | None, bool]:
    """Whether the service of each subscription's order is there; each kind is asked once."""
    by_kind: dict[str, list[Subscription]] = {}
    for row in rows:
        by_kind.setdefault(row.service_kind, []).append(row)
    found: dict[int | None, bool] = {}
    for name, some in by_kind.items():
        ready = kinds.get(name).delivered(some)
        found |= {row.order_id: row.pk in ready for row in some}
    return found


def compare(
    charges: Sequence[ChargeFact] | None, *, now: datetime, payouts: Iterable[PayoutState] = ()
) -> list[Difference]:
    """Every difference as of `now`, in the order of its kind."""
    until = now - SETTLING
    facts = gather(charges, since=now - LOOK_BACK, until=until, payouts=payout_facts.told(payouts, until=until))
    return reconciling_rules.differences(facts)


@transaction.atomic
def keep(found: Sequence[Difference], *, now: datetime, kinds: Sequence[str] = reconciling_rules.KINDS) -> None:
    """Write down what was found of these kinds: new ones open, known ones seen again, gone ones resolved."""
    for one in found:
        row, _new = MoneyDifference.objects.get_or_create(
            kind=one.kind, ref=one.ref[:120], resolved_at=None, defaults={"first_seen": now, "last_seen": now}
        )
        row.last_seen, row.expected_cents, row.found_cents = now, one.expected, one.found
        row.save(update_fields=["last_seen", "expected_cents", "found_cents"])
    names = {(one.kind, one.ref[:120]) for one in found}
    for row in MoneyDifference.objects.filter(resolved_at=None, kind__in=kinds):
        if (row.kind, row.ref) not in names:
            row.resolved_at = now
            row.save(update_fields=["resolved_at"])
    live.publish(["staff"], "invoicing.compared", {"open": len(found)})


@transaction.atomic
def ask(because: str, *, now: datetime) -> Operation:
    """Compare now, once for each `because`."""
    return operations.enqueue(Compare.kind, key=f"compare:{because}", now=now)


@due.sweep("invoicing.compare", every_seconds=3600)
def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Have everything compared, once an hour."""
    if dry_run:
        return SweepReport(would=["compare the provider, the books, the invoices and the services"])
    ask(f"{now:%Y-%m-%dT%H}", now=now)
    return SweepReport(done=1)


@due.sweep("invoicing.compare_balances", every_seconds=3600)
def run_balances(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """INV-11: what the books say each customer owes and has with us, against the invoices and the funds; nobody else is
    asked, so it runs whether the provider answers or not."""
    found = receivables.differences()
    if dry_run:
        return SweepReport(would=[f"report {one.kind} of {one.ref}" for one in found])
    keep(found, now=now, kinds=reconciling_rules.OF_BALANCES)
    return SweepReport(done=1)


@operations.register
class Compare(operations.Handler):
    """Reads what the provider collected and compares; it changes nothing there, so repeating it is harmless."""

    kind = "payments.compare"
    label = _("Compare the provider with the books")
    max_attempts = 3  # the next hour asks again
    kept = timedelta(days=30)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        charges = [
            ChargeFact(one.ref, one.state == "succeeded", one.amount_cents, one.refunded_cents,
                       one.metadata.get("payment", ""))
            for one in gateways.get().list_payments(now - LOOK_BACK)
        ]  # fmt: skip
        found = compare(charges, now=now, payouts=gateways.get().list_payouts(now - LOOK_BACK))
        return {"compared": len(charges), "differences": [asdict(one) for one in found]}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        found = [Difference(**one) for one in result["differences"]]
        keep(found, now=now)
        for one in found:  # no message of it came, and the provider lists its messages no more
            if one.kind == reconciling_rules.PAYOUT_NOT_BOOKED:
                asking.look(one.ref, f"compared:{op.pk}", now=now)


def open_ones() -> QuerySet[MoneyDifference]:
    """What staff must look at, oldest first."""
    return MoneyDifference.objects.filter(resolved_at=None).order_by("first_seen", "pk")


def last_run() -> Operation | None:
    """The newest comparison, whatever became of it."""
    return Operation.objects.filter(kind=Compare.kind).order_by("-pk").first()


def things(rows: Sequence[MoneyDifference]) -> dict[str, Any]:
    """What the differences are about, by their reference, in five queries."""
    refs = [row.ref for row in rows]
    found: dict[str, Any] = {row.reference: row for row in Payment.objects.filter(reference__in=refs)}
    found |= {row.number: row for row in Invoice.objects.filter(number__in=refs)}
    found |= {row.reference: row for row in Order.objects.filter(reference__in=refs)}
    found |= {row.provider_ref: row for row in Payout.objects.filter(provider_ref__in=refs)}
    found |= {row.reference: row for row in Account.objects.filter(reference__in=refs)}
    return found
