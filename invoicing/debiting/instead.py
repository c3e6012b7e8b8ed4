"""A person pays an invoice otherwise although its debit is announced (INV-5, OPR-3): the debit is withdrawn first, and
announced anew when it was not paid that way after all.

What a file holds stays: the bank may have it, and the customer would pay twice.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.debiting import debits
from invoicing.documents import texts
from invoicing.funding import topping_up
from invoicing.models import Debit, DebitState, Invoice, Mandate, MandateState, Payment, PaymentMethod
from invoicing.paying import collecting, payments, rejections, settlement
from invoicing.paying.payment_rules import OWN
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from panel.core.money import Cents

IN_A_FILE = gettext_lazy(
    "Its direct debit is on its way to the bank: paid otherwise as well, it would be paid twice. The bank answers "
    "within days."
)


def said(debit: Debit, language: str) -> str:
    """The sentence that tells the payer that a debit will not come."""
    return _("The debit announced for %(day)s is withdrawn.") % {"day": texts.day(language, debit.debit_on)}


def warning(debit: Debit, language: str) -> str:
    """The sentence that says so before."""
    return _("If you pay now, the debit announced for %(day)s is withdrawn.") % {
        "day": texts.day(language, debit.debit_on)
    }


@transaction.atomic
def pay(
    invoice: Invoice, *, key: str, actor: Actor, now: datetime, return_url: str = "", keep: bool = False,
    method: PaymentMethod | None = None,
) -> tuple[Payment, Debit | None]:  # fmt: skip
    """`payments.pay_invoice` for a person, and the announced debit that gave way to it. RuleViolation as there, while a
    file holds its debit, and for the `key` of a payment that ended: then the debit stays announced. Who chooses the
    mandate of the announced debit changes nothing."""
    gone = _make_way(invoice, method=method, actor=actor, now=now)
    payment = payments.pay_invoice(
        invoice, key=key, actor=actor, now=now, return_url=return_url, keep=keep, method=method
    )
    if payment.state not in payments.LIVE:  # a key that was used before: nothing would tell us to announce anew
        raise RuleViolation(
            _("This payment was asked for before and has ended. Please pay again, with a new key."), rule="INV-5"
        )
    return payment, gone


@transaction.atomic
def pay_from_funds(invoice: Invoice, *, actor: Actor, now: datetime) -> tuple[Cents, Debit | None]:
    """`topping_up.pay_invoice`, and the announced debit that gave way to it; what the funds do not reach is announced
    anew."""
    gone = _make_way(invoice, method=None, actor=actor, now=now)
    if gone is not None:
        _hold_means(invoice.account_id)
    cents = topping_up.pay_invoice(invoice, actor=actor, now=now)
    if gone is not None:
        _anew(gone, now=now)
    return cents, gone


def _make_way(invoice: Invoice, *, method: PaymentMethod | None, actor: Actor, now: datetime) -> Debit | None:
    """Withdraw the announced debit of an invoice; None when there is none, or `method` is its own mandate."""
    live = Payment.objects.select_for_update(of=("self",)).filter(
        invoice=invoice, provider=OWN, state__in=payments.LIVE
    )
    payment = live.first()
    if payment is None or (method is not None and method.pk == payment.method_id):
        return None
    debit = debits.known(Debit.objects.filter(payment=payment)).get()
    if not debits.withdraw(debit, actor=actor, now=now):
        raise RuleViolation(str(IN_A_FILE), rule="INV-5")
    return debit


def _hold_means(account_id: int) -> None:
    """Lock what announcing the rest anew will lock: the account and its mandates, before the invoice, as
    `payments.pay_invoice` and who signs a mandate do."""
    settlement.lock_account(account_id)
    rows = Mandate.objects.select_for_update(of=("self",)).filter(account=account_id, state=MandateState.ACTIVE)
    list(rows.order_by("pk").values_list("pk", flat=True))


def _anew(debit: Debit, *, now: datetime) -> None:
    invoice = Invoice.objects.select_related("account").get(pk=debit.invoice_id)
    owed = invoice.state in collecting.OWED and invoice.contested_at is None
    if owed and not invoice.payments.filter(state__in=payments.LIVE).exists():
        collecting.collect_now(invoice, debits.anew(debit), now=now)


@events.subscriber("invoicing.payment.cancelled", "debits.not_paid_instead")
@events.subscriber("invoicing.payment.failed", "debits.refused_instead")
def not_paid_after_all(event: Event, *, now: datetime) -> None:
    """The payment that a debit gave way to came to nothing: what is due is collected again, once."""
    payment = Payment.objects.get(reference=event.data["payment"])
    if payment.invoice_id is None or payment.key.startswith(rejections.AUTOMATIC):
        return
    gone = Debit.objects.filter(
        invoice=payment.invoice_id, state=DebitState.WITHDRAWN, ended_at=payment.created_at
    ).exclude(payment=payment)  # fmt: skip
    for debit in gone:
        _anew(debit, now=now)
