"""Direct debits that wait for a person: for a file, for its way to the bank, for the bank's word (INV-5, OPR-3).

None of it happens by itself; a day that is missed is moved, and the customer told, once.
"""

from datetime import datetime

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet

from invoicing.debiting import debit_rules
from invoicing.models import BatchState, Debit, DebitBatch, DebitNotice, DebitState
from panel.core.calendars import paris_date


def to_file(now: datetime) -> QuerySet[Debit]:
    """Announced debits that the next files must hold to reach their day. Those whose notice has not left are not among
    them: no file may hold them yet."""
    told = DebitNotice.objects.filter(
        debit=OuterRef("pk"), debit_on=OuterRef("debit_on"), cents=OuterRef("cents"), mail__accepted_at__isnull=False
    )
    today = paris_date(now)
    days = (debit_rules.reachable_from(today), debit_rules.soon(today))
    rows = Debit.objects.filter(Exists(told), state=DebitState.ANNOUNCED, debit_on__range=days)
    return rows.select_related("account", "invoice").order_by("debit_on", "pk")


def missed(now: datetime) -> QuerySet[Debit]:
    """Announced debits of which the payer was told two days, or more, that passed without a file: nobody is told
    another day before staff says so."""
    first = debit_rules.reachable_from(paris_date(now))
    passed = Q(notices__debit_on__lt=first, notices__mail__accepted_at__isnull=False)
    rows = Debit.objects.filter(state=DebitState.ANNOUNCED, debit_on__lt=first).annotate(
        passed=Count("notices", filter=passed)
    )
    rows = rows.filter(passed__gt=debit_rules.MOVED_BY_ITSELF)
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
