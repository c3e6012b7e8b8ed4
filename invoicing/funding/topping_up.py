"""Adding to the funds and spending them by hand (INV-6): a top-up is no sale; an order or an open invoice can be paid
from the funds; what was added comes back only when staff says why (`selling_by_hand/sending_back.py`)."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.funding import funds, funds_rules
from invoicing.journal import tell
from invoicing.models import Invoice, Order, OrderState, Payment, PaymentMethod, TopUp
from invoicing.paying import payments, settlement
from invoicing.subscribing import ordering, retaxing
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import references
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.money import Cents, format_eur


@transaction.atomic
def begin(
    account: Account,
    cents: Cents,
    *,
    key: str,
    actor: Actor,
    now: datetime,
    method: PaymentMethod | None = None,
    return_url: str = "",
) -> Payment:
    """Collect `cents` (EUR) for the funds, once per `key` of the account: from a kept card, or at the provider's page.

    RuleViolation when it is less or more than the terms allow at once. Nothing is credited before it has arrived.
    """
    bounds = terms_in_force.at(account, now).funds
    refused = funds_rules.top_up_refused(cents, bounds.smallest, bounds.largest)
    if refused:
        sentence = {
            "too_little": _("At least %(amount)s can be added at once.") % {"amount": format_eur(bounds.smallest)},
            "too_much": _("At most %(amount)s can be added at once.") % {"amount": format_eur(bounds.largest)},
        }[refused]
        raise RuleViolation(sentence, rule="INV-6", field="amount")
    top_up = TopUp(
        reference=references.new("TOP"), account=account, key=f"{account.pk}:{key}", amount_cents=cents, asked_at=now
    )
    try:
        with transaction.atomic():
            top_up.save(force_insert=True)
    except IntegrityError:
        known = TopUp.objects.get(key=f"{account.pk}:{key}")
        if known.amount_cents != cents:
            raise RuleViolation(_("This was asked for with another amount before."), rule="INV-6") from None
        return known.payments.latest("pk")
    tell("funds.asked", top_up, now=now, actor=actor, rule="INV-6",
         data={"top_up": top_up.reference, "amount_cents": cents})  # fmt: skip
    return payments.take(
        account, cents, purpose=top_up, key=f"top-up:{top_up.reference}", actor=actor, now=now, method=method,
        return_url=return_url.replace("REFERENCE", top_up.reference),
    )  # fmt: skip


@transaction.atomic
def pay_invoice(invoice: Invoice, *, actor: Actor, now: datetime) -> Cents:
    """Pay what is due of an open invoice from the funds, as far as they reach; the cents that were spent. RuleViolation
    while another payment of it is under way: it would be paid twice."""
    account = settlement.lock_account(invoice.account_id)
    held = Invoice.objects.select_for_update(of=("self",), no_key=True).select_related("account").get(pk=invoice.pk)
    cents = min(funds.balance(account), held.due_cents)
    if not held.due_cents:
        raise RuleViolation(_("Nothing is due on this invoice."), rule="INV-6")
    if held.payments.filter(state__in=payments.LIVE).exists():
        raise RuleViolation(_("A payment of this invoice is under way."), rule="INV-6")
    if not cents:
        raise RuleViolation(_("There are no funds left."), rule="INV-6")
    settlement.use_funds(held, cents, ref=f"{held.number}:{held.settlements.count() + 1}", now=now, actor=actor)
    return cents


def pay_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    """SUB-3: a first payment may come from the funds; they must hold all of it. RuleViolation else, or while another
    payment of the order is under way, or where its VAT is not the one that was shown."""
    retaxing.check(order, now=now)
    return _pay_order(order, actor=actor, now=now)


@transaction.atomic
def _pay_order(order: Order, *, actor: Actor, now: datetime) -> Order:
    held = Order.objects.select_for_update(of=("self",)).select_related("account", "package").get(pk=order.pk)
    if held.state != OrderState.AWAITING_PAYMENT:
        raise RuleViolation(_("This order cannot be paid any more."), rule="SUB-3")
    if held.payments.filter(state__in=payments.LIVE).exists():
        raise RuleViolation(_("A payment of this order is under way."), rule="SUB-3")
    account = settlement.lock_account(held.account_id)
    if not retaxing.renew(held, now=now, within=held.total_cents):
        raise retaxing.outdated()
    if funds.balance(account) < held.total_cents:
        raise RuleViolation(_("The funds do not hold that much."), rule="INV-6")
    ordering.paid_from_funds(held, actor=actor, now=now)
    return held
