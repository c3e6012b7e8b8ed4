"""Direct debits that wait for a person: for a file, for its way to the bank, for the bank's word (INV-5, OPR-3).

None of it happens by itself; a day that is missed is announced to the customer once more.
"""

from datetime import datetime

from django.db.models import Exists, F, Min, OuterRef, QuerySet

from invoicing.debiting import debit_rules
from invoicing.models import BatchState, Debit, DebitBatch, DebitNotice, DebitState
from panel.core.calendars import paris_date


def to_file(now: datetime) -> QuerySet[Debit]:
    """Announced debits that the next files must hold to reach their day. Those whose notice has not left are not among
    them: no file may hold them yet."""
    told = DebitNotice.objects.filter(
        debit=OuterRef("pk"), debit_on=OuterRef("debit_on"), cents=OuterRef("cents"), mail__accepted_at__isnull=False
    )
    until = debit_rules.soon(paris_date(now))
    rows = Debit.objects.filter(Exists(told), state=DebitState.ANNOUNCED, debit_on__lte=until)
    return rows.select_related("account", "invoice").order_by("debit_on", "pk")


def to_hand_over() -> QuerySet[DebitBatch]:
    """Files that were made and of which nobody has said that the bank has them; `first_day`: the nearest debit day."""
    rows = DebitBatch.objects.filter(state=BatchState.MADE)
    return rows.annotate(first_day=Min("debits__debit_on")).order_by(F("first_day").asc(nulls_last=True), "pk")


def silent(now: datetime) -> QuerySet[Debit]:
    """Debits that the bank has and of which it should have said by now what came of them."""
    last = debit_rules.silent_until(paris_date(now))
    rows = Debit.objects.filter(state=DebitState.SENT, debit_on__lte=last)
    return rows.select_related("account", "invoice").order_by("debit_on", "pk")
