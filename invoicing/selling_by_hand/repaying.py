"""Staff gives money back: a credit note, and where wanted the payment with it (INV-2, REFUND)."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from invoicing.accounting import ledger
from invoicing.consuming import packs
from invoicing.issuing import invoices
from invoicing.models import Invoice, Payment, PaymentState
from invoicing.paying import settlement
from invoicing.paying.payment_rules import OWN
from invoicing.selling_by_hand import sending_back
from panel.core.actors import Actor
from panel.core.money import Cents


@transaction.atomic
def credit(
    invoice: Invoice, amounts: Sequence[Cents], *, reason: str, refund: bool, key: str, actor: Actor, now: datetime
) -> Invoice:
    """Credit an invoice, once per `key`; with `refund`, what that freed goes back to the payments it came from, as far
    as they reach; beyond the terms' amount when another person agrees (INV-11). The rest stays in the customer's funds.
    Where all of a prepaid pack's price goes back, the pack goes:
    RuleViolation when it was used (OPR-9)."""
    payments = _payments(invoice)  # locked before the account, as everywhere
    bought = packs.of_invoice(invoice)
    before = ledger.funds(settlement.lock_account(invoice.account_id))
    once = f"staff:{invoice.number}:{key}"
    known = Invoice.objects.filter(once=once).first()
    if known is not None:
        return known
    note = invoices.credit(invoice, amounts, reason=reason, once=once, now=now, actor=actor)
    packs.credited(bought, actor=actor, now=now)
    freed = ledger.funds(invoice.account) - before
    if refund and freed > 0:
        parts = []
        for payment in payments:
            if (part := min(freed, payment.refundable_cents)) > 0:
                parts.append((payment, part))
                freed -= part
        sending_back.send(parts, note.account, reason=reason, key=once, credit_note=note, actor=actor, now=now)
    return note


def _payments(invoice: Invoice) -> list[Payment]:
    """The payments that settled the invoice, or its order, and can be sent back to where they came from, locked. What a
    file of debits collected cannot: it stays in the funds, or goes back by transfer."""
    of_order = Q(order=invoice.order_id) if invoice.order_id else Q()
    rows = Payment.objects.select_for_update().filter(Q(invoice=invoice) | of_order, state=PaymentState.SUCCEEDED)
    return list(rows.exclude(provider=OWN).order_by("pk"))
