"""What a bank took back of money the customer had spent already (INV-6, INV-11): owed, and on no invoice.

A disputed top-up is first taken from the funds and, where it settled an invoice, that is open again. What is left after
both stands on the customer's account in the books; the next money that comes into the funds settles it.
"""

from typing import Any

from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat

from invoicing.models import Dispute, DisputeState, FundsCredit, FundsDebit, Payment, Posting, Settlement
from panel.accounts.models import Account
from panel.core.money import Cents

WRITTEN_OFF = "funds_written_off"
"""The kind of the entry by which what is left of a dispute is given up; it is called after the dispute."""

FROM_FUNDS = "dispute_funds"
"""The kind of the entries that take it from the funds: the first is called after the dispute, each later one after the
dispute and its number."""


def with_left() -> QuerySet[Any]:
    """Disputes that are not won, and what of each (`left`, in cents) neither an invoice nor the funds bear again and
    nobody has given up."""
    reopened = Settlement.objects.filter(entry__kind="dispute", entry__ref=OuterRef("provider_ref"))
    later = Concat(OuterRef("provider_ref"), Value(":"))
    taken = FundsDebit.objects.filter(entry__kind=FROM_FUNDS).filter(
        Q(entry__ref=OuterRef("provider_ref")) | Q(entry__ref__startswith=later)
    )
    rows = Dispute.objects.exclude(state=DisputeState.WON)
    given_up = given_up_of(OuterRef("provider_ref"))
    return rows.annotate(left=F("returned_cents") + _sum(reopened) - _sum(taken) - _sum(given_up))


def given_up_of(ref: Any) -> QuerySet[Posting]:
    """What was written off of a dispute, by the provider's name of it."""
    return Posting.objects.filter(entry__kind=WRITTEN_OFF, entry__ref=ref, cents__gt=0)


def _sum(rows: QuerySet[Settlement] | QuerySet[FundsDebit] | QuerySet[Posting]) -> Coalesce:
    sums = rows.order_by().values("entry__kind").annotate(sum=Sum("cents")).values("sum")
    return Coalesce(Subquery(sums, output_field=BigIntegerField()), 0, output_field=BigIntegerField())


def outstanding() -> QuerySet[Any]:
    """Those of which something is owed, the oldest first: of payments that were used, for an invoice or the funds. What
    settled nothing yet lies on the customer's account by itself."""
    reference = OuterRef("payment__reference")
    settled = Settlement.objects.filter(entry__kind="payment", entry__ref=reference)
    put_in = FundsCredit.objects.filter(
        Q(entry__ref=reference) | Q(entry__ref=Concat(Value("payment:"), OuterRef("payment__reference")))
    )
    return with_left().filter(Exists(settled) | Exists(put_in), left__gt=0).order_by("pk")


def used(payment: Payment) -> bool:
    """Whether a payment settled an invoice or went to the funds."""
    names = (payment.reference, f"payment:{payment.reference}")
    settled = Settlement.objects.filter(entry__kind="payment", entry__ref=payment.reference)
    return settled.exists() or FundsCredit.objects.filter(entry__ref__in=names).exists()


def owed(account: Account) -> Cents:
    """What the account owes of it, in cents."""
    return sum(outstanding().filter(account=account).values_list("left", flat=True))
