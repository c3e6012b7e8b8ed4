"""A payout reaches the bank: by a line of the bank's file, whichever comes first, or by a person's word (INV-11)."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from invoicing.banking import bank_models, bank_rules
from invoicing.models import BankReceipt, Payout
from invoicing.paying_out import payout_rules, payouts
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.states import move


def awaited() -> QuerySet[Payout]:
    """Payouts that the bank has not shown yet, oldest first."""
    return Payout.objects.filter(state=Payout.State.PAID, arrived_on=None).order_by("arrives_on", "pk")


def credited(receipt: BankReceipt, *, actor: Actor, now: datetime) -> bool:
    """Whether a credit of the bank is a payout, without a doubt; then it is matched with it."""
    fitting = _fitting(receipt, awaited().filter(amount_cents=receipt.cents))
    if len(fitting) != 1:
        return False
    try:
        with transaction.atomic():
            matched(receipt, fitting[0], actor=actor, now=now)
    except RuleViolation:  # another file told of it at the same time, or its day is still to come
        return False
    return True


def looks_like_one(receipt: BankReceipt) -> bool:
    """Whether a credit that is matched with nothing names the provider."""
    said, known = _said(receipt), Payout.objects.order_by().values_list("provider", flat=True).distinct()
    return any(payout_rules.mentions(said, name) for name in known)


def matched(receipt: BankReceipt, payout: Payout, *, actor: Actor, now: datetime) -> None:
    """A credit of the bank is this payout. RuleViolation when it is not on its way, or of another amount."""
    if payout.amount_cents != receipt.cents:
        raise RuleViolation(_("This payout is of another amount."), rule="INV-11", field="payout")
    payouts.arrived(payout, receipt.booked_on, actor=actor, now=now)
    receipt.payout, receipt.ended_at, receipt.why = payout, now, ""
    receipt.save(update_fields=["payout", "ended_at", "why"])
    move(receipt, BankReceipt.State.MATCHED, bank_rules.RECEIPT_TRANSITIONS)


@transaction.atomic
def find_receipt(payout: Payout, *, now: datetime) -> None:
    """The bank's file may have come before the provider's message."""
    rows = BankReceipt.objects.select_for_update(of=("self",)).filter(
        state=BankReceipt.State.WAITING, cents=payout.amount_cents,
        why__in=(bank_models.NAMELESS, bank_models.PAYOUT),
    )  # fmt: skip
    for receipt in rows.order_by("booked_on", "pk"):
        if credited(receipt, actor=SYSTEM, now=now):
            return


def _said(receipt: BankReceipt) -> str:
    return f"{receipt.payer} {receipt.text} {receipt.bank_ref}"


def _fitting(receipt: BankReceipt, rows: Iterable[Payout]) -> list[Payout]:
    by_provider: dict[str, list[Payout]] = {}
    for row in rows:
        by_provider.setdefault(row.provider, []).append(row)
    found = []
    for provider, some in by_provider.items():
        known = {row.pk: row for row in some}
        waiting = [payout_rules.Expected(row.pk, row.provider_ref, row.trace, row.amount_cents, row.arrives_on)
                   for row in some]  # fmt: skip
        keys = payout_rules.whose(_said(receipt), receipt.cents, receipt.booked_on, provider, waiting)
        found += [known[key] for key in keys]
    return found
