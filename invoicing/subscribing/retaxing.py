"""An order carries the VAT that its customer's evidence asks for when it is paid, not when it was placed (INV-10).

Between the two the register may say no, the rate may change, or the customer may move. What is not paid yet is priced
anew and says so; money that covers the new total goes on, the rest of it waiting in the funds; where it does not, or
the new VAT cannot be told, the order is held for a person (`reviewing.holding`). Never is anything issued at 0 % whose
evidence says no.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.issuing import parties
from invoicing.journal import tell
from invoicing.models import Order, OrderState
from invoicing.offering import pricing
from invoicing.paying import payment_rules, settlement
from invoicing.rules import Quotation
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.accounts.models import Account
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from panel.core.models import Event
from panel.core.money import Cents

RETAXED = "retaxed_at"
"""The key of an order's quotation that says since when it carries another VAT than the one first shown."""


def renew(order: Order, *, now: datetime, within: Cents | None = None) -> bool:
    """Bring the VAT of an unpaid or held order (its row is locked) to what its account's evidence asks for at `now`,
    under the account's lock: no answer can come between. Whether it is the right one then: not where the new total
    would be beyond `within` cents, or cannot be told; the order stays as it was."""
    account = settlement.lock_account(order.account_id)
    kept = pricing.thawed(order.quotation)
    try:
        asked = parties.vat_treatment(account, terms.version(order.terms_version), now=now, net=kept.totals.net)
    except RuleViolation:
        return False
    if asked == kept.treatment:
        return True
    made = _taxed(order, kept, asked)
    if made is None or (within is not None and made.totals.total > within):
        return False
    _write(order, account, made, now=now)
    return True


def _taxed(order: Order, kept: Quotation, asked: VatTreatment) -> Quotation | None:
    """The same lines with another VAT; None where something in it has a VAT of its own: that is for a person."""
    items = [line.package or line.option for line in order.lines.select_related("package", "option")]
    if any(item is not None and item.vat.category != tax_rules.ELECTRONIC for item in items):
        return None
    lines = tuple(replace(line, vat_code=asked.code, vat_rate=asked.rate) for line in kept.lines)
    return replace(kept, lines=lines, totals=rules.total_of(lines), treatment=asked)


def _write(order: Order, account: Account, made: Quotation, *, now: datetime) -> None:
    before = order.total_cents
    order.quotation = {**pricing.frozen(made), RETAXED: now.isoformat()}
    order.vat_evidence = parties.vat_evidence(account, made.treatment)
    order.vat_cents, order.total_cents = made.totals.vat, made.totals.total
    order.save(update_fields=["quotation", "vat_evidence", "vat_cents", "total_cents"])
    tell("order.retaxed", order, now=now, actor=SYSTEM, rule="INV-10",
         data={"order": order.reference, "before_cents": before, "total_cents": order.total_cents})  # fmt: skip


def retaxed_at(order: Order) -> datetime | None:
    """When the order got another VAT than the one first shown, for its page."""
    said = order.quotation.get(RETAXED)
    return datetime.fromisoformat(said) if said else None


@events.subscriber("invoicing.vat.", "orders.retax_answered")
@events.subscriber("accounts.account.tax_changed", "orders.retax_changed")
def evidence_changed(event: Event, *, now: datetime) -> None:
    """What is known of a customer changed: the orders they have not paid show the right total at once; not one whose
    payment is on its way, which is looked at when it arrives."""
    rows = Order.objects.filter(account=event.account_id, state=OrderState.AWAITING_PAYMENT)
    for pk in rows.order_by("pk").values_list("pk", flat=True):
        _renew_unpaid(pk, now=now)


@transaction.atomic
def _renew_unpaid(pk: int, *, now: datetime) -> bool:
    """Whether what an unpaid order shows is what is to be paid. While a payment is on its way nothing moves."""
    order = Order.objects.select_for_update(of=("self",)).get(pk=pk)
    if order.state != OrderState.AWAITING_PAYMENT or order.payments.filter(state__in=payment_rules.LIVE).exists():
        return True
    before = order.quotation
    return renew(order, now=now) and order.quotation == before


def check(order: Order, *, now: datetime) -> None:
    """Before money is asked for: RuleViolation where the VAT of an unpaid order is not the one its page showed (it
    shows the new one from then on), so that nobody is charged what they did not see."""
    if not _renew_unpaid(order.pk, now=now):
        raise outdated()


def outdated() -> RuleViolation:
    """What one who wants to pay is told."""
    sentence = _("The VAT of this order has changed. Please look at the new total, or order again.")
    return RuleViolation(sentence, rule="INV-10")
