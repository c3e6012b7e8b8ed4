"""A person decides on a held order (SUB-4): accepted, it goes on as if it had never been held; refused, the reason is
told and what was paid for it goes back, once. The customer may withdraw it meanwhile.

Who locks a payment and its order locks the payment first, as everywhere.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.journal import tell
from invoicing.models import Entry, Order, OrderReview, OrderState, Payment, ReviewState, WhyRefused
from invoicing.paying import refunds
from invoicing.reviewing import holding, review_rules
from invoicing.subscribing import ordering, retaxing
from panel import terms
from panel.accounts.models import User
from panel.core import due, mail
from panel.core.actors import CLOCK, Actor
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.states import move

RULE = "SUB-4"
TOLD = ("billing", "administrator")
"""The roles that are reminded of an order nobody has decided on."""


@transaction.atomic
def accept(review_id: int, *, words: str = "", actor: Actor, now: datetime) -> Order:
    """Let a held order go on: paid, it comes to life now; unpaid, it can be paid. `words` stay with the staff.

    RuleViolation when it was decided already, when the bank took the payment back meanwhile, or when the order does not
    carry the VAT that the customer's evidence asks for now, and what was paid does not cover it (INV-10).
    """
    review = _open(review_id)
    order, payment = review.order, review.payment
    if payment is not None and payment.refundable_cents < order.total_cents:
        sentence = _("The payment was taken back meanwhile. This order can only be refused.")
        raise RuleViolation(sentence, rule=RULE)
    if not retaxing.renew(order, now=now, within=payment.refundable_cents if payment else None):
        sentence = _("The VAT of this order has changed since it was placed. It can only be refused, and ordered anew.")
        raise RuleViolation(sentence, rule="INV-10")
    _decided(review, ReviewState.ACCEPTED, words=words, actor=actor, now=now)
    tell("order.accepted", order, now=now, actor=actor, rule=RULE, data=holding.named(order))
    if payment is not None:
        entry = Entry.objects.get(kind="payment", ref=payment.reference)
        ordering.go_on(order, payment, entry, actor=actor, now=now)
    else:
        move(order, OrderState.AWAITING_PAYMENT, rules.ORDER_TRANSITIONS)
        order.expires_at = now + ordering.UNPAID_LIFETIME
        order.save(update_fields=["expires_at"])
        ordering.settle_nothing(order, actor=actor, now=now)
    holding.told_of(review, "order_accepted", now=now)
    return order


@transaction.atomic
def refuse(review_id: int, *, why: str, words: str = "", actor: Actor, now: datetime) -> Order:
    """Refuse a held order for one of `WhyRefused`, told with `words`; what was paid for it goes back where it came
    from. RuleViolation without a reason, or when it was decided already."""
    if why not in WhyRefused.values:
        raise RuleViolation(_("Please choose the reason."), rule=RULE, field="why")
    if why == WhyRefused.OTHER and not words.strip():
        raise RuleViolation(_("Please write the reason; the customer reads it."), rule=RULE, field="words")
    review = _open(review_id)
    _decided(review, ReviewState.REFUSED, why=why, words=words, actor=actor, now=now)
    _over(review, ordering.DECLINED, actor=actor, now=now)
    tell("order.refused", review.order, now=now, actor=actor, rule=RULE,
         data=holding.named(review.order, why=why))  # fmt: skip
    holding.told_of(review, "order_refused", now=now)
    return review.order


@transaction.atomic
def withdraw(order: Order, *, actor: Actor, now: datetime) -> Order:
    """The customer does not wait for the answer: the order is over, and what was paid goes back."""
    waiting = OrderReview.objects.filter(order=order, state=ReviewState.WAITING).first()
    if waiting is None:
        raise RuleViolation(_("This order cannot be cancelled any more."), rule="SUB-3")
    review = _open(waiting.pk)
    _decided(review, ReviewState.WITHDRAWN, actor=actor, now=now)
    _over(review, ordering.WITHDRAWN, actor=actor, now=now)
    holding.told_of(review, "order_withdrawn", now=now)
    return review.order


def _open(review_id: int) -> OrderReview:
    """The waiting review with its payment, order and itself locked, in this order."""
    known = OrderReview.objects.values_list("payment_id", flat=True).get(pk=review_id)
    payment = Payment.objects.select_for_update().get(pk=known) if known else None
    order_id = OrderReview.objects.values_list("order_id", flat=True).get(pk=review_id)
    order = Order.objects.select_for_update(of=("self",)).select_related("account", "package").get(pk=order_id)
    review = OrderReview.objects.select_for_update().get(pk=review_id)
    if review.state != ReviewState.WAITING or order.state != OrderState.HELD:
        raise RuleViolation(_("This has been decided already."), rule=RULE)
    if review.payment_id != known:  # its money has just arrived
        raise RuleViolation(_("Its payment has just arrived. Please look at it again."), rule=RULE)
    review.order, review.payment = order, payment
    return review


def _decided(
    review: OrderReview, state: ReviewState, *, why: str = "", words: str = "", actor: Actor, now: datetime
) -> None:
    move(review, state, review_rules.REVIEW_TRANSITIONS)
    review.decided_at, review.decided_by_id = now, actor.user_id
    review.why, review.words = why, words.strip()[:500]
    review.save(update_fields=["decided_at", "decided_by", "why", "words"])


def _over(review: OrderReview, reason: str, *, actor: Actor, now: datetime) -> None:
    """The order ends; nothing was provided and no number used, so only the money is to be given back."""
    ordering.end(review.order, reason, actor=actor, now=now)
    payment = review.payment
    if payment is not None and payment.refundable_cents:
        refunds.give_back(
            payment, payment.refundable_cents, reason=_("The order was not carried out."), key=f"review:{review.pk}",
            unused=True, actor=actor, now=now,
        )  # fmt: skip


@due.sweep("invoicing.review", every_seconds=600)
def remind(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Staff is reminded once of an order whose promised answer is near (SUB-4)."""
    near = [
        row
        for row in OrderReview.objects.filter(state=ReviewState.WAITING, reminded_at=None).order_by("due_at", "pk")
        if row.due_at - terms.version(row.terms_version).review.remind <= now
    ]
    if dry_run:
        return SweepReport(would=[f"remind staff of order {row.order}" for row in near])
    return due.each([row.pk for row in near], lambda pk: _remind(pk, now=now))


def _remind(pk: int, *, now: datetime) -> None:
    review = OrderReview.objects.select_for_update(of=("self",)).select_related("order").get(pk=pk)
    if review.state != ReviewState.WAITING or review.reminded_at is not None:
        return
    OrderReview.objects.filter(pk=pk).update(reminded_at=now)
    tell("order.review_near", review.order, now=now, actor=CLOCK, rule=RULE, data=holding.named(review.order))
    for person in User.objects.filter(staff_roles__role__in=TOLD, is_active=True).distinct():
        mail.send(
            "review_near", to=person.email, lang=person.language, key=f"review-near:{pk}:{person.pk}", now=now,
            subject=review.order,
            context={"order": review.order.reference, "until": review.due_at, "path": f"/ops/reviews/{pk}/"},
        )  # fmt: skip
