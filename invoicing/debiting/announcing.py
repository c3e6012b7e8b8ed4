"""Pre-notification: no debit that its payer was not told of, with amount, day, mandate and creditor (OPR-3, INV-5).

Called inside the transaction that decides to collect; nothing here asks a bank.
"""

from datetime import date, datetime

from django.conf import settings
from django.utils.translation import gettext as _

from invoicing.debiting import debit_rules
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Debit, DebitNotice, Mandate, MandateState, Payment, PaymentMethod
from invoicing.paying.payment_rules import OWN
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import CLOCK
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation


def first_day(account: Account, *, now: datetime) -> date:
    """The first day on which a debit announced at `now` may be collected from this account."""
    return debit_rules.first_day(paris_date(now), terms_in_force.at(account, now).debit)


def is_debited(account: Account) -> bool:
    """Whether its invoices are collected under a mandate of our own."""
    rows = PaymentMethod.objects.filter(account=account, is_default=True, removed_at=None, provider=OWN)
    return rows.exists()


def begin(payment: Payment, *, now: datetime) -> Debit:
    """Announce the debit of a payment's invoice. RuleViolation when its mandate is no longer active."""
    mandate = Mandate.objects.select_for_update(of=("self",)).filter(method=payment.method_id).first()
    if mandate is None or mandate.state != MandateState.ACTIVE or payment.invoice is None:
        raise RuleViolation(_("This mandate is no longer active."), rule="INV-5", field="method")
    debit = Debit.objects.create(
        payment=payment, account_id=payment.account_id, invoice=payment.invoice, mandate=mandate,
        cents=payment.amount_cents, debit_on=first_day(payment.account, now=now), announced_at=now,
        terms_version=terms_in_force.at(payment.account, now).name,
    )  # fmt: skip
    announce(debit, now=now)
    return debit


def announce(debit: Debit, *, now: datetime) -> DebitNotice:
    """Tell the payer; again with a new day when the one told can no longer be kept. The caller holds the row."""
    account, mandate = debit.account, debit.mandate
    debit.debit_on = first_day(account, now=now)
    debit.terms_version = terms_in_force.at(account, now).name
    debit.save(update_fields=["debit_on", "terms_version"])
    language, again = texts.language_of(account.language), debit.notices.count()
    message = mail.send(
        "debit_notice", to=account.billing_email, lang=language, key=f"debit-notice:{debit.pk}:{again + 1}", now=now,
        account_id=account.pk, subject=debit,
        context={
            "name": account.name, "invoice": debit.invoice.number, "amount": texts.money(language, debit.cents),
            "day": texts.day(language, debit.debit_on), "mandate": mandate.reference, "last4": mandate.last4,
            "creditor": settings.CLAUSE_SELLER["name"], "creditor_id": mandate.creditor_id, "again": again,
        },
    )  # fmt: skip
    notice = DebitNotice.objects.create(
        debit=debit, account=account, mail=message, cents=debit.cents, debit_on=debit.debit_on, told_at=now
    )
    tell("debit.announced", debit, now=now, actor=CLOCK, rule="INV-5", data=named(debit))
    return notice


def named(debit: Debit) -> dict[str, object]:
    """For the journal."""
    return {
        "invoice": debit.invoice.number, "payment": debit.payment.reference, "mandate": debit.mandate.reference,
        "amount_cents": debit.cents, "on": debit.debit_on.isoformat(),
    }  # fmt: skip
