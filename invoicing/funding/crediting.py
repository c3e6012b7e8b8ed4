"""A top-up that arrived (INV-6): credited once, however often it is told, with a receipt by mail and no invoice."""

from datetime import datetime

from invoicing.accounting import ledger
from invoicing.documents import texts
from invoicing.funding import funds, taken_back
from invoicing.journal import tell
from invoicing.models import Payment, TopUp
from invoicing.paying import settlement
from panel.core import mail
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date


def credited(top_up: TopUp, payment: Payment, *, now: datetime) -> None:
    """Its payment is confirmed: from now on, and not before, the credit can be spent (INV-6, INV-12)."""
    account = settlement.lock_account(top_up.account_id)
    before = taken_back.owed(account)
    funds.put_in(account, payment.amount_cents, source=ledger.CLEARING, kind="payment", ref=payment.reference, now=now)
    if not TopUp.objects.filter(pk=top_up.pk, credited_at=None).update(credited_at=now):
        return
    top_up.refresh_from_db()
    tell("funds.credited", top_up, now=now, actor=SYSTEM, rule="INV-6",
         data={"top_up": top_up.reference, "amount_cents": payment.amount_cents})  # fmt: skip
    language = texts.language_of(account.language)
    mail.send(
        "funds_credited", to=account.billing_email, lang=language, key=f"funds-credited:{top_up.reference}", now=now,
        account_id=account.pk, subject=top_up,
        context={"name": account.name, "top_up": top_up.reference, "payment": payment.reference,
                 "amount": texts.money(language, payment.amount_cents), "day": texts.day(language, paris_date(now)),
                 "settled": texts.money(language, settled) if (settled := before - taken_back.owed(account)) else "",
                 "balance": texts.money(language, funds.balance(account))},
    )  # fmt: skip
