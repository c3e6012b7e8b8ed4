"""What the pages of reviews read: the queue, what is known of an order in words, the customer's card beside it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from invoicing.issuing.parties import country_name
from invoicing.models import (
    Invoice,
    InvoiceState,
    MailDomain,
    Order,
    OrderReview,
    OrderState,
    ReviewState,
    Subscription,
    SubscriptionState,
)
from invoicing.paying import settlement
from invoicing.reviewing import review_rules
from invoicing.reviewing.review_rules import Evidence, Sign, Verdict
from panel import terms
from panel.accounts.models import Account, Membership
from panel.core.actors import Actor

SIGNS: dict[str, str | Promise] = {
    Sign.CONNECTION: _("Country of the connection"),
    Sign.CARD: _("Country of the card"),
    Sign.TELEPHONE: _("Country of the telephone"),
    Sign.STREET: _("Street of the card"),
    Sign.POSTCODE: _("Postcode of the card"),
    Sign.VELOCITY: _("Orders in a short time"),
    Sign.DISPOSABLE: _("Throw-away mail address"),
    Sign.DEBT: _("Unpaid debt"),
    Sign.DISPUTE: _("Running dispute"),
    Sign.MISUSE: _("Misuse of our services"),
    Sign.COMPETITOR: _("Competitor"),
    Sign.VAT: _("VAT of the order"),
}


def reviews(actor: Actor) -> QuerySet[OrderReview]:
    return OrderReview.objects.visible_to(actor).select_related("order__package", "account", "decided_by", "payment")


def waiting(actor: Actor) -> QuerySet[OrderReview]:
    """What waits for a decision, the nearest promise first."""
    return reviews(actor).filter(state=ReviewState.WAITING).order_by("due_at", "pk")


def decided(actor: Actor) -> QuerySet[OrderReview]:
    return reviews(actor).exclude(state=ReviewState.WAITING).order_by("-decided_at", "-pk")


def in_words(reasons: list[str]) -> list[str]:
    """Signs in the reader's language."""
    return [str(SIGNS.get(reason, reason)) for reason in reasons]


@dataclass(frozen=True, slots=True)
class Row:
    """One sign of a review's page: what it is, what is known, how it speaks (a tone, an icon and a word)."""

    name: str
    known: str
    tone: str
    icon: str
    word: str


def rows(review: OrderReview) -> list[Row]:
    """Every sign as the terms of the order weigh it: what holds it, what is only shown, what is not known."""
    evidence = Evidence(**review.evidence)
    law = terms.version(review.terms_version).review
    found = []
    for one in review_rules.findings(evidence, law):
        tone, icon, word = "good", "check", gettext("Nothing against it")
        if str(one.sign) in review.reasons:
            tone, icon, word = "bad", "warning", gettext("Holds the order")
        elif one.verdict is Verdict.AGAINST:
            tone, icon, word = "warn", "info", gettext("Shown only")
        elif one.verdict is Verdict.UNKNOWN:
            tone, icon, word = "neutral", "help", gettext("Not known")
        found.append(Row(str(SIGNS[one.sign]), _known(one.sign, evidence, review), tone, icon, word))
    return found


def _known(sign: Sign, known: Evidence, review: OrderReview) -> str:
    billed = {"billed": _country(known.billing_country)}
    if sign in (Sign.STREET, Sign.POSTCODE):
        return _card_address(getattr(known, str(sign)), review)
    match sign:
        case Sign.CONNECTION | Sign.CARD | Sign.TELEPHONE:
            country = getattr(known, str(sign))
            if country:
                return gettext("%(country)s; billed in %(billed)s") % {"country": _country(country), **billed}
            if sign is Sign.CARD and review.payment_id is None:
                return gettext("Nothing has been paid yet.")
            return gettext("Nothing tells it.")
        case Sign.VELOCITY:
            hours = int(terms.version(review.terms_version).review.velocity.total_seconds()) // 3600
            return gettext("Number %(number)s within %(hours)s hours") % {"number": known.orders, "hours": hours}
        case Sign.DISPOSABLE:
            return gettext("Its provider is on the list.") if known.disposable_mail else "\u2013"
        case Sign.DEBT:
            parts = [gettext("overdue or written off: %(count)s") % {"count": known.unpaid_invoices}]
            parts += [gettext("a means of payment was refused repeatedly")] if known.rejected else []
            return "; ".join(parts) if known.unpaid_invoices or known.rejected else "\u2013"
        case Sign.DISPUTE:
            return str(known.disputes or "\u2013")
        case Sign.MISUSE:
            return gettext("measures: %(count)s") % {"count": known.restrictions} if known.restrictions else "\u2013"
        case Sign.COMPETITOR:
            return gettext("Marked by staff") if known.competitor else "\u2013"
        case Sign.VAT:
            return gettext("What was paid does not cover the VAT due now") if known.vat_changed else "\u2013"


def _card_address(check: str, review: OrderReview) -> str:
    if check == "pass":
        return gettext("It is that of the billing address.")
    if check == "fail":
        return gettext("It is not that of the billing address.")
    return gettext("Nothing has been paid yet.") if review.payment_id is None else gettext("Nothing tells it.")


def _country(code: str) -> str:
    return country_name(code, get_language() or "en")


def card(account: Account) -> dict[str, Any]:
    """The customer beside the order: who they are, and what they ordered, run and paid before."""
    orders = Order.objects.filter(account=account).aggregate(
        all=Count("pk"), paid=Count("pk", filter=Q(state=OrderState.PAID)),
        cancelled=Count("pk", filter=Q(state=OrderState.CANCELLED)),
    )  # fmt: skip
    paid = Invoice.objects.filter(account=account, state=InvoiceState.PAID).aggregate(
        n=Count("pk"), s=Sum("paid_cents")
    )
    running = Subscription.objects.filter(account=account).exclude(state=SubscriptionState.TERMINATED).count()
    owner = Membership.objects.select_related("user").filter(account=account, is_owner=True).first()
    return {
        "orders": orders, "running": running, "paid_invoices": paid["n"], "paid_cents": paid["s"] or 0,
        "owed_cents": settlement.owed(account), "owner": owner.user if owner else None,
        "country": _country(account.country),
    }  # fmt: skip


def latest(order: Order) -> OrderReview | None:
    """The newest review of an order: what the customer's page says."""
    return order.reviews.order_by("-pk").first()


def mail_domains() -> QuerySet[MailDomain]:
    return MailDomain.objects.select_related("said_by")
