"""Staff asks for a down payment, and later invoices the whole with what was paid taken off (INV-2, OPR-4)."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.issuing import invoices, parties
from invoicing.issuing.deducting import DOWN_PAYMENT
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice
from invoicing.paying import collecting
from invoicing.rules import Wanted
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.money import Cents


@transaction.atomic
def ask(
    account: Account, description: str, net_cents: Cents, *, reference: str, once: str, actor: Actor, now: datetime
) -> Invoice:
    """Invoice a down payment of `net_cents` (excluding VAT), once per `once`; it is collected like any invoice."""
    if net_cents <= 0:
        raise RuleViolation(_("A down payment asks for something."), rule="INV-2", field="amount")
    version = terms_in_force.at(account, now)
    treatment = parties.vat_treatment(account, version, now=now, net=net_cents)
    line = rules.priced(Wanted(DOWN_PAYMENT, description, net_cents, rule="INV-2"), treatment)
    return invoices.issue(
        account, [Billed(line)], once=f"down-payment:{once}", terms_version=version.name, treatment=treatment, now=now,
        actor=actor, reference=reference, collected=collecting.has_means(account), down_payment=True,
    )  # fmt: skip


@transaction.atomic
def finish(
    down_payment: Invoice, description: str, quantity: Decimal, unit_price: Decimal, *, once: str, actor: Actor,
    now: datetime,
) -> Invoice:  # fmt: skip
    """The final invoice over the whole price (`unit_price` in EUR, excluding VAT), the down payment taken off with its
    VAT. By the terms of the down payment (LEG-1). RuleViolation when it is less than the down payment, or that is not
    paid."""
    account = down_payment.account
    version = terms_in_force.at(account, down_payment.issued_at)
    treatment = parties.vat_treatment(account, version, now=now)
    line = rules.counted(Wanted("final", description, 0, rule="INV-2"), quantity, unit_price, treatment)
    if line.net < down_payment.net_cents - down_payment.credited_cents:
        raise RuleViolation(_("The whole price is not less than the down payment."), rule="INV-2", field="unit_price")
    return invoices.issue(
        account, [Billed(line)], once=f"final:{down_payment.number}:{once}", terms_version=version.name,
        treatment=treatment, now=now, actor=actor, reference=str(down_payment.document["reference"]),
        collected=collecting.has_means(account), off=[down_payment],
    )  # fmt: skip
