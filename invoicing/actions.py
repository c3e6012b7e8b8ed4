"""Who may do what with orders, subscriptions, invoices and means of payment, and why not just now."""

from django.utils.translation import gettext_lazy as _

from invoicing import rules
from invoicing.issuing import deducting
from invoicing.models import (
    Invoice,
    InvoiceKind,
    InvoiceState,
    Mandate,
    MandateState,
    Order,
    OrderReview,
    OrderState,
    Payment,
    PaymentState,
    ReviewState,
    Subscription,
    SubscriptionState,
)
from invoicing.subscribing import kinds
from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor

STAFF = ("billing", "support")


def _not_payable(actor: Actor, order: Order | None) -> Reason:
    if order is not None and order.state == OrderState.HELD:
        return _("This order is being checked; there is nothing to pay before the answer.")
    if order is not None and order.state != OrderState.AWAITING_PAYMENT:
        return _("This order cannot be paid any more.")
    return None


def _not_cancellable(actor: Actor, order: Order | None) -> Reason:
    if order is not None and order.state not in (OrderState.AWAITING_PAYMENT, OrderState.HELD):
        return _("This order cannot be cancelled any more.")
    return None


def _decided(actor: Actor, review: OrderReview | None) -> Reason:
    return None if review is None or review.state == ReviewState.WAITING else _("This has been decided already.")


def _nothing_due(actor: Actor, invoice: Invoice | None) -> Reason:
    if invoice is not None and invoice.due_cents == 0:
        return _("Nothing is due on this invoice.")
    return None


def _ended(actor: Actor, subscription: Subscription | None) -> Reason:
    if subscription is None:
        return None
    if SubscriptionState.TERMINATED not in rules.SUBSCRIPTION_TRANSITIONS[subscription.state]:
        return _("This subscription has ended.")
    return kinds.refusal_to_end(subscription) or None


def _unchangeable(actor: Actor, subscription: Subscription | None) -> Reason:
    if subscription is None:
        return None
    if subscription.state != SubscriptionState.ACTIVE:
        return _("Only a running subscription can be changed.")
    if subscription.on_trial:
        return _("A free trial can be changed once it is paid for.")
    if subscription.ends_on is not None:
        return _("This subscription is going to end. Take the end back first, then change it.")
    return None


def _not_creditable(actor: Actor, invoice: Invoice | None) -> Reason:
    if invoice is None:
        return None
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return _("Only an invoice can be credited.")
    return _("All of it is credited already.") if invoice.credited_cents >= invoice.total_cents else None


def _not_deductible(actor: Actor, invoice: Invoice | None) -> Reason:
    if invoice is None:
        return None
    if not invoice.down_payment or invoice.state != InvoiceState.PAID:
        return _("Only a down payment that is paid can be deducted.")
    return None if deducting.left(invoice) else _("All of this down payment is deducted or credited already.")


def _not_returnable(actor: Actor, payment: Payment | None) -> Reason:
    if payment is None:
        return None
    if payment.top_up_id is None:
        return _("Only a top-up of funds is given back here; an invoice is credited.")
    return None if payment.state == PaymentState.SUCCEEDED else _("It has not arrived.")


def _mandate_ended(actor: Actor, mandate: Mandate | None) -> Reason:
    if mandate is None or mandate.state in (MandateState.DRAFT, MandateState.ACTIVE):
        return None
    return _("This mandate has ended.")


CATALOGUE = Action("invoicing.catalogue", _("Services"), permission="")
ORDER = Action("invoicing.order", _("Order"), permission="order", danger=Danger.COSTS)
SEE_ORDER = Action("invoicing.order_see", _("See an order"), permission="see")
PAY_ORDER = Action("invoicing.order_pay", _("Pay"), permission="pay", danger=Danger.COSTS, why_not=_not_payable)
CANCEL_ORDER = Action(
    "invoicing.order_cancel", _("Cancel the order"), permission="order", danger=Danger.CONFIRM, why_not=_not_cancellable
)
PACKS = Action("invoicing.packs", _("Prepaid packs"), permission="see")
SUBSCRIPTIONS = Action("invoicing.subscriptions", _("Subscriptions"), permission="see")
END_SUBSCRIPTION = Action(
    "invoicing.subscription_end", _("End the subscription"), permission="order", danger=Danger.DESTROYS, why_not=_ended
)
ORDER_NUMBER = Action("invoicing.order_number", _("Change the order number of a service"), permission="order")
CHANGE_SUBSCRIPTION = Action(
    "invoicing.subscription_change", _("Change the subscription"), permission="order", danger=Danger.COSTS,
    why_not=_unchangeable,
)  # fmt: skip
PAUSE_SUBSCRIPTION = Action(
    "invoicing.subscription_pause", _("Pause the subscription"), permission="order", danger=Danger.CONFIRM
)
TRANSFER = Action("invoicing.transfer", _("Transfer to another account"), permission="order", danger=Danger.CONFIRM)
TAKE_OVER = Action("invoicing.take_over", _("Take a service over"), permission="order", danger=Danger.COSTS)
INVOICES = Action("invoicing.invoices", _("Invoices"), permission="pay")
PAY_INVOICE = Action("invoicing.invoice_pay", _("Pay"), permission="pay", danger=Danger.COSTS, why_not=_nothing_due)
CONTEST = Action("invoicing.contest", _("Dispute an invoice"), permission="pay", danger=Danger.CONFIRM)
MEANS = Action("invoicing.means", _("Means of payment"), permission="pay")
MANDATE = Action("invoicing.mandate", _("SEPA mandate"), permission="pay")
END_MANDATE = Action(
    "invoicing.mandate_end", _("End the mandate"), permission="pay", danger=Danger.CONFIRM, why_not=_mandate_ended
)
QUOTES = Action("invoicing.quotes", _("Quotes"), permission="pay")
SIGN_QUOTE = Action("invoicing.quote_sign", _("Sign"), permission="order", danger=Danger.COSTS)

STAFF_SELL = Action("invoicing.staff_sell", _("Invoices and payments by hand"), roles=("billing",))
STAFF_LEDGER = Action("invoicing.staff_ledger", _("Ledger"), roles=("billing",))
STAFF_QUOTES = Action("invoicing.staff_quotes", _("Quotes"), roles=STAFF)
STAFF_QUOTE = Action("invoicing.staff_quote", _("Draw up a quote"), roles=("billing",))
SPENDING = Action("invoicing.spending", _("Spending"), permission="pay")
FUNDS = Action("invoicing.funds", _("Funds"), permission="pay")

STAFF_ORDERS = Action("invoicing.staff_orders", _("Orders"), roles=STAFF)
STAFF_REVIEWS = Action("invoicing.staff_reviews", _("Orders to check"), roles=STAFF)
STAFF_REVIEW = Action(
    "invoicing.staff_review", _("Decide on an order"), roles=("billing",), danger=Danger.COSTS, why_not=_decided
)
STAFF_STANDING = Action("invoicing.staff_standing", _("Limits and standing of a customer"), roles=("billing",))
STAFF_RENEWAL = Action(
    "invoicing.staff_renewal", _("Refuse a renewal"), roles=("billing",), danger=Danger.DESTROYS, why_not=_ended
)
STAFF_TRANSFER = Action("invoicing.staff_transfer", _("Transfer a service"), roles=("billing",), danger=Danger.CONFIRM)
STAFF_MAIL_DOMAINS = Action("invoicing.staff_mail_domains", _("Throw-away mail domains"), roles=("billing",))
STAFF_INVOICES = Action("invoicing.staff_invoices", _("Invoices"), roles=STAFF)
STAFF_DUNNING = Action("invoicing.staff_dunning", _("Dunning"), roles=STAFF)
STAFF_DOWN_PAYMENT = Action(
    "invoicing.staff_down_payment", _("Invoice a down payment"), roles=("billing",), danger=Danger.COSTS
)
STAFF_FINAL = Action(
    "invoicing.staff_final", _("Issue the final invoice"), roles=("billing",), danger=Danger.COSTS,
    why_not=_not_deductible,
)  # fmt: skip
STAFF_RATES = Action("invoicing.staff_rates", _("Legal interest rates"), roles=("billing",))
STAFF_SUSPEND = Action(
    "invoicing.staff_suspend", _("Decide on suspensions for unpaid invoices"), roles=("billing",), danger=Danger.CONFIRM
)
STAFF_END_UNPAID = Action(
    "invoicing.staff_end_unpaid", _("End services for unpaid invoices"), roles=("billing",), danger=Danger.DESTROYS
)
STAFF_CREDIT = Action(
    "invoicing.staff_credit", _("Credit an invoice"), roles=("billing",), danger=Danger.COSTS, why_not=_not_creditable
)
STAFF_CONTEST = Action(
    "invoicing.staff_contest", _("Decide on disputed invoices"), roles=("billing",), danger=Danger.COSTS
)
STAFF_PAYMENTS = Action("invoicing.staff_payments", _("Payments"), roles=STAFF)
STAFF_GIVE_BACK = Action(
    "invoicing.staff_give_back", _("Give funds back"), roles=("billing",), danger=Danger.COSTS, why_not=_not_returnable
)
STAFF_CATALOGUE = Action("invoicing.staff_catalogue", _("Catalogue"), roles=STAFF)
STAFF_PROMOTIONS = Action("invoicing.staff_promotions", _("Promotional codes"), roles=STAFF)
EDIT_PROMOTIONS = Action(
    "invoicing.promotions_edit", _("Change promotional codes"), roles=("billing",), danger=Danger.COSTS
)
EDIT_CATALOGUE = Action("invoicing.catalogue_edit", _("Change the catalogue"), roles=("billing",), danger=Danger.COSTS)
STAFF_USAGE = Action("invoicing.staff_usage", _("Usage"), roles=STAFF)
STAFF_METERS = Action("invoicing.staff_meters", _("Metering"), roles=("billing",), danger=Danger.COSTS)
STAFF_VAT = Action("invoicing.staff_vat", _("VAT of a customer"), roles=STAFF)
STAFF_VAT_CHANGE = Action("invoicing.staff_vat_change", _("Change what decides the tax"), roles=("billing",))
BOOKS = Action("invoicing.books", _("Books"), roles=("billing",))
VAT_RATES = Action("invoicing.vat_rates", _("VAT rates"), roles=("billing",))
STAFF_BANK = Action("invoicing.staff_bank", _("Bank transfers"), roles=("billing",))
STAFF_PAYOUTS = Action("invoicing.staff_payouts", _("Payouts of the payment provider"), roles=("billing",))
STAFF_DEBITS = Action("invoicing.staff_debits", _("SEPA collections"), roles=("billing",))
MAKE_DEBITS = Action("invoicing.debits_make", _("Collect by SEPA"), roles=("billing",), danger=Danger.COSTS)
STAFF_RUNS = Action("invoicing.staff_runs", _("Billing runs"), roles=("billing",), danger=Danger.COSTS)
