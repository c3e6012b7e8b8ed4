"""Money that went back to a customer by bank transfer (INV-6, INV-11): staff records it, out of the funds into the
bank.

Deposits are non-refundable: a person says why one goes back all the same, and never more than the funds hold. All that
is in them was paid in; what was written off or promised is not. The bank's own line is matched by the reference.
"""

import re
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.accounting import ledger
from invoicing.banking.camt import Outgoing
from invoicing.documents import texts
from invoicing.funding import funds
from invoicing.journal import tell
from invoicing.models import PaidBack
from invoicing.paying import settlement
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents

PAID_BACK = "paid_back"
"""The kind of the entry; it is called after the row's key."""


@transaction.atomic
def record(
    account: Account, cents: Cents, *, paid_on: date, reference: str, iban_last4: str, reason: str, now: datetime,
    actor: Actor,
) -> PaidBack:  # fmt: skip
    """Book `cents` (EUR) that our bank sent back on the Paris day `paid_on`, once per reference. RuleViolation for a
    day still to come, more than the funds hold, nothing said why, or a reference recorded with other facts."""
    reference, reason = " ".join(reference.split())[:80], reason.strip()[:200]
    if cents <= 0:
        raise RuleViolation(_("The amount must be more than nothing."), rule="INV-11", field="amount")
    if not reference:
        raise RuleViolation(_("Please give the reference of the transfer."), rule="INV-11", field="reference")
    if not reason:
        raise RuleViolation(_("Please give the reason."), rule="INV-6", field="reason")
    if not (len(iban_last4) == 4 and iban_last4.isalnum() and iban_last4.isascii()):
        sentence = _("Please give the last four characters of the IBAN.")
        raise RuleViolation(sentence, rule="INV-11", field="iban_last4")
    if paid_on > paris_date(now):
        raise RuleViolation(_("This day is still to come."), rule="INV-11", field="paid_on")
    held = settlement.lock_account(account.pk)
    facts: dict[str, Any] = {
        "account": held, "cents": cents, "paid_on": paid_on, "iban_last4": iban_last4.upper(), "reference": reference
    }  # fmt: skip
    if known := PaidBack.objects.filter(**facts).first():
        return known
    if cents > funds.balance(held):
        raise RuleViolation(_("The funds do not hold that much."), rule="INV-6", field="amount")
    try:
        with transaction.atomic():
            made = PaidBack.objects.create(**facts, reason=reason, recorded_at=now, recorded_by_id=actor.user_id or 0)
    except IntegrityError:
        raise RuleViolation(
            _("This reference has been recorded already, with other facts."), rule="INV-11", field="reference"
        ) from None
    funds.take_out(held, cents, to=ledger.BANK, kind=PAID_BACK, ref=str(made.pk), now=now)
    tell("funds.paid_back", made, now=now, actor=actor, rule="INV-6", data=_named(made))
    language = texts.language_of(held.language)
    mail.send(
        "funds_paid_back", to=held.billing_email, lang=language, now=now, account_id=held.pk, subject=made,
        key=f"paid-back:{made.pk}",
        context={"name": held.name, "amount": texts.money(language, cents), "reference": reference,
                 "day": texts.day(language, paid_on), "last4": made.iban_last4},
    )  # fmt: skip
    return made


@transaction.atomic
def seen(told: Outgoing, *, now: datetime) -> bool:
    """The bank's statement shows a transfer that went out: it is the one of its amount whose reference it names, when
    there is exactly one. Any other is left alone. Never news by itself."""
    rows = PaidBack.objects.select_for_update(of=("self",)).filter(cents=told.cents, bank_ref="")
    if PaidBack.objects.filter(bank_ref=told.bank_ref).exists():
        return False
    found = [row for row in rows.order_by("pk") if _names(told.text, row.reference)]
    if len(found) == 1:
        PaidBack.objects.filter(pk=found[0].pk).update(bank_ref=told.bank_ref, seen_on=told.booked_on)
        tell("funds.paid_back_seen", found[0], now=now, actor=SYSTEM, rule="INV-11", data=_named(found[0]))
    return False


def _names(text: str, reference: str) -> bool:
    """Whether a text holds a reference as a word of its own, whatever the spaces in it."""
    spelled = r"\s*".join(re.escape(char) for char in reference.upper() if not char.isspace())
    return re.search(rf"(?<![A-Z0-9]){spelled}(?![A-Z0-9])", text.upper()) is not None


def _named(row: PaidBack) -> dict[str, object]:
    return {"amount_cents": row.cents, "reference": row.reference}
