"""What is known of an order, and holding it for a person where a sign of the terms speaks against it (SUB-4).

Looked at twice: when it is placed, and again when its payment arrives, which may bring what is known of a card. A held
order provides nothing, reserves nothing and uses no invoice number; the customer is told until when they are answered.
"""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation

from invoicing import rules
from invoicing.documents import texts
from invoicing.funding import taken_back
from invoicing.journal import tell
from invoicing.models import (
    AccountStanding,
    Dispute,
    DisputeState,
    Entry,
    Invoice,
    InvoiceState,
    MailDomain,
    Order,
    OrderReview,
    OrderState,
    Payment,
    RejectionNotice,
    ReviewState,
    Subscription,
)
from invoicing.reviewing import review_rules
from invoicing.reviewing.review_rules import Evidence
from invoicing.taxing import ip_countries, location_rules
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account, Restriction, User
from panel.core import mail
from panel.core.actors import SYSTEM
from panel.core.states import move

ABUSE = "ABU-"


def on_placing(order: Order, *, ip: str | None, now: datetime) -> OrderReview | None:
    """Keep what is known of an order that is just being placed, and hold it where a sign says so."""
    known = gather(order, connection=ip_countries.of(ip))
    order.risk = asdict(known)
    order.save(update_fields=["risk"])
    return _held(order, known, None, now=now)


def on_payment(order: Order, payment: Payment, *, taxed: bool, now: datetime) -> OrderReview | None:
    """The (locked) order's money has arrived: hold it where a sign that nobody has accepted for it speaks up now, and
    where it is not `taxed` as its customer's evidence asks (INV-10). The money stays on the customer's account
    meanwhile."""
    kept = order.risk or {}
    known = replace(
        gather(order, connection=str(kept.get("connection_country", "")), card=payment.card_country),
        vat_changed=not taxed, card_street=payment.street_check, card_postcode=payment.postcode_check,
    )  # fmt: skip
    return _held(order, known, payment, now=now)


def waits_with(order: Order, payment: Payment) -> bool:
    """Whether this very payment is kept for an order that is being checked. Money that arrives for an order held
    before it was paid is kept too."""
    review = OrderReview.objects.filter(order=order, state=ReviewState.WAITING).first()
    if review is not None and review.payment_id is None:
        review.payment = payment
        review.save(update_fields=["payment"])
    return review is not None and review.payment_id == payment.pk


def gather(order: Order, *, connection: str, card: str = "") -> Evidence:
    """What the rows say of an order and its account, as of the order's own instant where time matters."""
    since = order.placed_at - terms.version(order.terms_version).review.velocity
    lately = Order.objects.filter(
        account=order.account, placed_at__gt=since, placed_at__lte=order.placed_at, pk__lte=order.pk
    )
    return _known(order.account, order.placed_by, lately.count(), connection=connection, card=card)


def signs_against(account: Account, person: User, *, ip: str | None, now: datetime) -> list[review_rules.Sign]:
    """What would hold an order that `person` placed for `account` now; for what is taken on without an order."""
    law = terms_in_force.at(account, now).review
    lately = Order.objects.filter(account=account, placed_at__gt=now - law.velocity, placed_at__lte=now)
    known = _known(account, person, lately.count() + 1, connection=ip_countries.of(ip))
    return list(review_rules.reasons(known, law))


def _known(account: Account, person: User | None, orders: int, *, connection: str, card: str = "") -> Evidence:
    standing = AccountStanding.objects.filter(account=account).first()
    return Evidence(
        billing_country=account.country,
        connection_country=connection,
        telephone_country=location_rules.of_telephone(account.phone),
        card_country=card,
        orders=orders,
        disposable_mail=_disposable(account, person),
        unpaid_invoices=_unpaid(account),
        rejected=RejectionNotice.objects.filter(account=account, ended_at=None).exists(),
        disputes=Dispute.objects.filter(account=account, state=DisputeState.OPEN).count(),
        restrictions=Restriction.objects.in_force().filter(account=account).count()
        + Subscription.objects.filter(account=account, end_rule__startswith=ABUSE).count(),
        competitor=standing is not None and standing.competitor,
    )


def _disposable(account: Account, person: User | None) -> bool:
    own = dict(MailDomain.objects.values_list("domain", "disposable"))
    listed = frozenset(settings.CLAUSE_DISPOSABLE_MAIL)
    addresses = {account.billing_email, person.email if person else ""}
    return any(review_rules.is_disposable(one, listed=listed, own=own) for one in addresses)


def _unpaid(account: Account) -> int:
    states = (InvoiceState.OVERDUE, InvoiceState.WRITTEN_OFF)
    unpaid = Invoice.objects.filter(account=account, state__in=states).count()
    return unpaid + Entry.objects.filter(kind=taken_back.WRITTEN_OFF, account=account).count()


def _held(order: Order, known: Evidence, payment: Payment | None, *, now: datetime) -> OrderReview | None:
    law = terms.version(order.terms_version).review
    reasons = review_rules.reasons(known, law, accepted=_accepted(order))
    if not reasons:
        return None
    move(order, OrderState.HELD, rules.ORDER_TRANSITIONS)
    review = OrderReview.objects.create(
        order=order, account=order.account, payment=payment, reasons=[str(one) for one in reasons],
        evidence=asdict(known), terms_version=order.terms_version, opened_at=now, due_at=now + law.answer,
    )  # fmt: skip
    tell("order.held", order, now=now, actor=SYSTEM, rule="SUB-4", data=named(order, reasons=review.reasons))
    told_of(review, "order_held", now=now)
    return review


def _accepted(order: Order) -> frozenset[str]:
    """The signs a person has looked at for this order and accepted."""
    rows = OrderReview.objects.filter(order=order, state=ReviewState.ACCEPTED).values_list("reasons", flat=True)
    return frozenset(sign for reasons in rows for sign in reasons)


def named(order: Order, **more: Any) -> dict[str, Any]:
    """What the journal says of an order."""
    return {"order": order.reference, "total_cents": order.total_cents, **more}


def told_of(review: OrderReview, template: str, *, now: datetime, **more: Any) -> None:
    """One mail to the customer about a review, once per review and template."""
    order = review.order
    with translation.override(order.language):
        why = str(review.get_why_display()) if review.why else ""
    mail.send(
        template, to=order.account.billing_email, lang=order.language, key=f"{template}:{review.pk}", now=now,
        account_id=order.account_id, subject=order,
        context={
            "name": order.account.name, "order": order.reference,
            "total": texts.money(order.language, order.total_cents), "until": review.due_at,
            "paid": review.payment_id is not None, "why": why, "words": review.words,
            "path": f"/services/orders/{order.reference}/", **more,
        },
    )  # fmt: skip
