"""Compares the provider, the books, the invoices and the services, every hour (INV-11, INV-12).

The provider is asked by an operation; what it lists is compared there, and only the differences are kept. They wait in
the staff's queue until the next comparison no longer finds them.
"""

import sqlite3
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
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
from invoicing.gateways import Charge, PayoutState
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
AT_ONCE = 500  # rows of a kind, or charges, that are held at a time


class Listed:
    """What the provider listed: passed on some hundreds at a time. Of all that went by, only the names of what
    succeeded are kept, on disk, to be asked for afterwards."""

    def __init__(self, charges: Iterable[ChargeFact]) -> None:
        self._charges, self.count = charges, 0
        self._names = sqlite3.connect("", isolation_level=None)  # a file of its own, gone with the connection
        self._names.execute("CREATE TABLE there (ref TEXT PRIMARY KEY) WITHOUT ROWID")

    def __iter__(self) -> Iterator[list[ChargeFact]]:
        rest = iter(self._charges)
        while some := list(islice(rest, AT_ONCE)):
            self.count += len(some)
            told = [(one.ref,) for one in some if one.succeeded]
            self._names.executemany("INSERT OR IGNORE INTO there VALUES (?)", told)
            yield some

    def __contains__(self, ref: object) -> bool:
        return self._names.execute("SELECT 1 FROM there WHERE ref = ?", (ref,)).fetchone() is not None

    def __enter__(self) -> "Listed":
        return self

    def __exit__(self, *_error: object) -> None:
        self._names.close()


def gather(
    there: Container[str] | None, *, since: datetime, until: datetime, payouts: Iterable[PayoutFact] = ()
) -> Facts:
    """What is compared beside the charges: everything from `since` to `until`, some hundreds of rows at a time, each
    kind by a fixed number of queries."""
    return Facts(
        there=there, payments=_payments(since, until), astray=_astray(since, until),
        documents=_documents(since, until), orders=_orders(since, until), payouts=payouts,
        paid_out=payout_facts.paid_out(since), moved=payout_facts.moved(since),
    )  # fmt: skip


def _payments(since: datetime, until: datetime) -> Iterator[PaymentFact]:
    """Payments of the time, and those of which a refund was never sent."""
    unsent = Refund.objects.filter(state="new", created_at__lte=until)
    rows = Payment.objects.filter(Q(created_at__gte=since) | Q(pk__in=unsent.values("payment")))
    last = 0
    while some := _facts(rows.filter(pk__gt=last).order_by("pk")[:AT_ONCE], since, until):
        yield from some.values()
        last = max(some)


def _named(charges: Sequence[ChargeFact], since: datetime, until: datetime) -> Iterable[PaymentFact]:
    """The payments that these charges name, however old they are."""
    named = Q(reference__in=[one.payment for one in charges]) | Q(provider_ref__in=[one.ref for one in charges])
    return _facts(Payment.objects.filter(named), since, until).values()


def _facts(which: QuerySet[Payment], since: datetime, until: datetime) -> dict[int, PaymentFact]:
    sent, asked = Q(refunds__state__in=("pending", "succeeded")), ~Q(refunds__state="failed")
    stuck = Q(refunds__state="new", refunds__created_at__lte=until)
    rows = list(which.values_list(
        "pk", "reference", "provider_ref", "state", "amount_cents",
        Coalesce(Sum("refunds__amount_cents", filter=sent), 0), Coalesce(Sum("refunds__amount_cents", filter=asked), 0),
        Coalesce(Sum("refunds__amount_cents", filter=stuck), 0), "created_at", "provider",
    ))  # fmt: skip
    booked = _booked(Q(entry__ref__in=[row[1] for row in rows]))
    return {
        pk: PaymentFact(
            reference, ref or "", state == PaymentState.SUCCEEDED, cents, was_sent, was_asked, is_stuck,
            booked.get(reference), young=created_at > until, old=created_at < since,
            at_provider=provider != payment_rules.OWN,
        )
        for pk, reference, ref, state, cents, was_sent, was_asked, is_stuck, created_at, provider in rows
    }  # fmt: skip


def _booked(which: Q) -> dict[str, int]:
    """Cents of payments' entries, by the payment's reference."""
    rows = Posting.objects.filter(
        which, entry__kind="payment", ledger_account__code__in=(ledger.CLEARING, ledger.BANK)
    ).order_by()
    return dict(rows.values("entry__ref").annotate(sum=Sum("cents")).values_list("entry__ref", "sum"))


def _astray(since: datetime, until: datetime) -> Iterable[tuple[str, int]]:
    """Entries of the time whose payment is not there."""
    unknown = ~Exists(Payment.objects.filter(reference=OuterRef("entry__ref")))
    return _booked(Q(unknown, entry__booked_at__range=(since, until))).items()


def _documents(since: datetime, until: datetime) -> Iterator[DocumentFact]:
    rows, last = Invoice.objects.filter(issued_at__range=(since, until)).order_by("pk"), 0
    columns = ("pk", "number", "kind", "total_cents", "paid_cents")
    while some := list(rows.filter(pk__gt=last).values_list(*columns)[:AT_ONCE]):
        last = some[-1][0]
        asked = Posting.objects.filter(
            entry__kind__in=InvoiceKind.values, entry__ref__in=[number for _pk, number, *_rest in some],
            ledger_account__code=ledger.CUSTOMERS,
        ).order_by()  # fmt: skip
        sums = asked.values("entry__kind", "entry__ref").annotate(sum=Sum("cents"))
        booked = {(kind, ref): cents for kind, ref, cents in sums.values_list("entry__kind", "entry__ref", "sum")}
        moved = Settlement.objects.filter(invoice__in=[pk for pk, *_rest in some]).exclude(means="credit_note")
        by_invoice = moved.order_by().values("invoice_id").annotate(sum=Sum("cents"))
        settled = dict(by_invoice.values_list("invoice_id", "sum"))
        for pk, number, kind, total, paid in some:
            sign = -1 if kind == InvoiceKind.CREDIT_NOTE else 1
            yield DocumentFact(number, total * sign, booked.get((kind, number)), paid, settled.get(pk, 0))


def _orders(since: datetime, until: datetime) -> Iterator[OrderFact]:
    """Orders with whether they were paid and whether what they became is there: a service, or a prepaid pack."""
    rows, last = Order.objects.filter(placed_at__range=(since, until)).order_by("pk"), 0
    running = [SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED]
    while some := list(rows.filter(pk__gt=last).values_list("pk", "reference", "state")[:AT_ONCE]):
        last = some[-1][0]
        began: QuerySet[Subscription] = Subscription.objects.filter(order__in=[pk for pk, *_rest in some])
        there = _delivered(began.filter(state__in=running).only("reference", "order_id", "service_kind"))
        packs = Pack.objects.filter(order__in=[pk for pk, *_rest in some]).values_list("order_id", flat=True)
        there |= dict.fromkeys(packs, True)
        ended = set(began.exclude(state__in=running).values_list("order_id", flat=True))
        for pk, reference, state in some:
            if pk not in ended and (state == OrderState.PAID or pk in there):
                yield OrderFact(reference, state == OrderState.PAID, there.get(pk, False))


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
    listed: Listed | None, *, now: datetime, payouts: Iterable[PayoutState] = ()
) -> list[Difference]:  # fmt: skip
    """Every difference as of `now`; `listed` None: the provider was not asked."""
    since, until = now - LOOK_BACK, now - SETTLING
    found = [one for some in listed or () for one in reconciling_rules.of_charges(some, _named(some, since, until))]
    told = payout_facts.told(payouts, until=until)
    return found + reconciling_rules.differences(gather(listed, since=since, until=until, payouts=told))


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


def _fact(one: Charge) -> ChargeFact:
    found = one.state == "succeeded"
    return ChargeFact(one.ref, found, one.amount_cents, one.refunded_cents, one.metadata.get("payment", ""))


@operations.register
class Compare(operations.Handler):
    """Reads what the provider collected and compares; it changes nothing there, so repeating it is harmless."""

    kind = "payments.compare"
    label = _("Compare the provider with the books")
    max_attempts = 3  # the next hour asks again
    kept = timedelta(days=30)

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        gateway = gateways.get()
        with Listed(map(_fact, gateway.list_payments(now - LOOK_BACK))) as listed:
            found = compare(listed, now=now, payouts=gateway.list_payouts(now - LOOK_BACK))
            return {"compared": listed.count, "differences": [asdict(one) for one in found]}

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
