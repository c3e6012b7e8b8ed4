"""What the pages of payouts show, in a fixed number of queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, Sum

from invoicing.accounting import ledger
from invoicing.models import BankReceipt, Payment, Payout, PayoutLine, Posting
from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Balances:
    """Cents that stand on the provider's account and in transit, by the books."""

    held: Cents
    moving: Cents


def balances() -> Balances:
    """What the provider holds and what is on its way to the bank."""
    rows = Posting.objects.filter(ledger_account__code__in=(ledger.CLEARING, ledger.TRANSIT)).order_by()
    grouped = rows.values("ledger_account__code").annotate(sum=Sum("cents"))
    sums = dict(grouped.values_list("ledger_account__code", "sum"))
    return Balances(sums.get(ledger.CLEARING, 0), sums.get(ledger.TRANSIT, 0))


@dataclass(frozen=True, slots=True)
class Explained:
    """A line with the payment it is about; None where none here is known as that."""

    line: PayoutLine
    payment: Payment | None


def explained(lines: Iterable[PayoutLine]) -> list[Explained]:
    """The lines of a page, each with its payment."""
    lines = list(lines)
    named = [one.source for one in lines]
    about = Q(provider_ref__in=named) | Q(refunds__provider_ref__in=named) | Q(disputes__provider_ref__in=named)
    rows = Payment.objects.filter(about).select_related("account").prefetch_related("refunds", "disputes").distinct()
    known: dict[str, Payment] = {}
    for row in rows:
        own = {row.provider_ref, *(one.provider_ref for one in row.refunds.all())}
        known |= dict.fromkeys(filter(None, own | {one.provider_ref for one in row.disputes.all()}), row)
    return [Explained(one, known.get(one.source)) for one in lines]


def receipt_of(payout: Payout) -> BankReceipt | None:
    """The line of the bank's file that shows it."""
    return BankReceipt.objects.filter(payout=payout).first()
