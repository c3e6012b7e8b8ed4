"""What customers owe and what is held for them, as the books say it and as the invoices and the funds say it (INV-11).

Both sides are summed by the database in four queries. Accounts that differ are summed again under their lock, where no
money of theirs moves, and with what belongs to no invoice: paid for an order that is being checked, or taken back by a
bank beyond what was owed again.
"""

from django.db import transaction
from django.db.models import F, QuerySet, Sum

from invoicing.accounting import ledger
from invoicing.accounting.reconciling_rules import FUNDS_DIFFER, RECEIVABLES_DIFFER, Difference, uneven
from invoicing.funding import taken_back
from invoicing.models import (
    FundsCredit,
    Invoice,
    InvoiceState,
    Payment,
    PaymentState,
    Posting,
)
from invoicing.paying import settlement
from panel.core.money import Cents

OWED = (ledger.CUSTOMERS, ledger.DOUBTFUL)


def differences() -> list[Difference]:
    """Each account whose books say other than its invoices or its funds, under its reference."""
    found = []
    for pk in sorted({*uneven(_sums(_due()), _booked(*OWED)), *uneven(_sums(_held()), _booked(ledger.FUNDS, sign=-1))}):
        found += of(pk)
    return found


@transaction.atomic
def of(account_id: int) -> list[Difference]:
    """What differs for one account while nothing of its money moves."""
    account = settlement.lock_account(account_id)
    owed = _sums(_due(account_id)).get(account_id, 0) + taken_back.owed(account) - _waiting(account_id)
    held = _sums(_held(account_id)).get(account_id, 0)
    booked = sum(ledger.balance(code, account) for code in OWED)
    pairs = ((RECEIVABLES_DIFFER, owed, booked), (FUNDS_DIFFER, held, -ledger.balance(ledger.FUNDS, account)))
    return [Difference(kind, account.reference, asked, there) for kind, asked, there in pairs if asked != there]


def _booked(*codes: str, sign: int = 1) -> dict[int, Cents]:
    rows = Posting.objects.filter(ledger_account__code__in=codes).exclude(account=None).order_by()
    return {pk: sign * cents for pk, cents in rows.values_list("account_id").annotate(sum=Sum("cents"))}


def _due(account_id: int | None = None) -> QuerySet[Invoice]:
    """Invoices and statements on which something is due (`left`)."""
    rows = Invoice.objects.filter(state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
    rows = rows if account_id is None else rows.filter(account=account_id)
    return rows.annotate(left=F("total_cents") - F("credited_cents") - F("paid_cents")).filter(left__gt=0)


def _held(account_id: int | None = None) -> QuerySet[FundsCredit]:
    """What is left in the funds (`left`)."""
    rows = FundsCredit.objects.filter(left_cents__gt=0)
    rows = rows if account_id is None else rows.filter(account=account_id)
    return rows.annotate(left=F("left_cents"))


def _sums(rows: QuerySet[Invoice] | QuerySet[FundsCredit]) -> dict[int, Cents]:
    return dict(rows.order_by().values_list("account_id").annotate(sum=Sum("left")))


# --- what belongs to no invoice ---------------------------------------------------------------------------------------


def _waiting(account_id: int) -> Cents:
    """Money that arrived and has settled nothing: it waits for an order, or for its way back."""
    loose = [
        one
        for one in Payment.objects.filter(account=account_id, state=PaymentState.SUCCEEDED)
        if not taken_back.used(one)
    ]
    return sum(one.amount_cents - _given_back(one) for one in loose)


def _given_back(payment: Payment) -> Cents:
    """What of a payment that settled nothing was sent back, or taken back by the bank."""
    sent = [str(pk) for pk in payment.refunds.exclude(state="failed").values_list("pk", flat=True)]
    off = Posting.objects.filter(entry__kind="refund", entry__ref__in=sent, ledger_account__code=ledger.CUSTOMERS)
    taken = taken_back.with_left().filter(payment=payment).values_list("left", flat=True)
    return int((off.aggregate(sum=Sum("cents"))["sum"] or 0) + sum(taken))
