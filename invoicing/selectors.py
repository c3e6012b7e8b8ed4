"""What the pages of this room read; only what the actor may see."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoicing.accounting import ledger
from invoicing.models import (
    ONCE,
    PACK,
    Dispute,
    Family,
    Interval,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    NumberSeries,
    Option,
    Order,
    OrderReview,
    OrderState,
    Package,
    Payment,
    PaymentMethod,
    PaymentState,
    Posting,
    Price,
    Subscription,
    SubscriptionOption,
    SubscriptionState,
)
from invoicing.offering import catalogue, group_rules, groups
from invoicing.paying.payment_rules import OWN
from invoicing.subscribing import kinds, ordering
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.calendars import add_months, paris_date
from panel.core.money import Cents, split

LIVE_PAYMENTS = (PaymentState.NEW, PaymentState.WAITING, PaymentState.PROCESSING)


# --- catalogue -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """A package or an option with its prices of today, in the reader's language."""

    item: Package | Option
    name: str
    summary: str
    month_cents: Cents | None
    year_cents: Cents | None
    month_setup: Cents = 0
    year_setup: Cents = 0
    own: bool = False
    """It is the price of the reader's group, not the listed one."""

    @property
    def year_per_month_cents(self) -> Cents | None:
        """What a month costs when a year is paid; for comparison only."""
        return None if self.year_cents is None else max(split(self.year_cents, [1] * 12))

    @property
    def why_not(self) -> str:
        """Why an option that is not on sale cannot be carried out by anybody now; "" where somebody can."""
        if isinstance(self.item, Package) or self.item.on_sale or self.item.service_kind not in kinds.registered():
            return ""
        return kinds.get(self.item.service_kind).why_not_offered(self.item.code)

    @property
    def spec(self) -> dict[str, Any]:
        return self.item.spec if isinstance(self.item, Package) else {}

    @property
    def by_interval(self) -> dict[str, Cents]:
        """The prices it has; none for what is not sold by that interval."""
        pairs = ((Interval.MONTH, self.month_cents), (Interval.YEAR, self.year_cents))
        return {str(interval): cents for interval, cents in pairs if cents is not None}


def offers(now: datetime, account: Account | None = None) -> list[tuple[Family, list[Offer], list[Offer]]]:
    """Each family on sale with its packages and its options, at the prices of `account` where it is given; what has
    no price today is left out. The same number of queries however many there are."""
    prices = _prices(now, account)
    packages = [one for one in (_offer(row, prices) for row in catalogue.packages()) if one.by_interval]
    sold = {one.item.family_id: one.item.family for one in packages}
    rows = Option.objects.filter(family__in=sold, on_sale=True)
    options = [one for one in (_offer(row, prices) for row in rows) if one.by_interval]
    return [
        (
            family,
            [one for one in packages if one.item.family_id == family.pk],
            [one for one in options if one.item.family_id == family.pk],
        )
        for family in sold.values()
    ]


def whole_catalogue(now: datetime) -> list[tuple[Family, list[Offer], list[Offer]]]:
    """Everything, on sale or not, as staff sees it."""
    prices = _prices(now)
    packages, options = list(Package.objects.exclude(service_kind=PACK)), list(Option.objects.all())
    return [
        (
            family,
            [_offer(one, prices) for one in packages if one.family_id == family.pk],
            [_offer(one, prices) for one in options if one.family_id == family.pk],
        )
        for family in Family.objects.all()
    ]


@dataclass(frozen=True, slots=True)
class PackOffer:
    """A prepaid pack as the catalogue shows it; no `cents` where it has no price yet."""

    item: Package
    name: str
    summary: str
    cents: Cents | None
    own: bool

    @property
    def units(self) -> Decimal:
        return Decimal(self.item.spec["units"])

    @property
    def unit(self) -> str:
        return str(self.item.spec["unit"])


def pack_offers(now: datetime, account: Account) -> list[PackOffer]:
    """The prepaid packs on sale that have a price, at the prices of `account`; none where its terms know none."""
    if terms_in_force.at(account, now).packs is None:
        return []
    return [one for one in _pack_offers(catalogue.packs(), _prices(now, account)) if one.cents is not None]


def all_packs(now: datetime) -> list[PackOffer]:
    """Every prepaid pack, on sale or not, as staff sees it."""
    rows = Package.objects.filter(service_kind=PACK).order_by("position", "code")
    return _pack_offers(rows, _prices(now))


def _pack_offers(rows: QuerySet[Package], prices: dict[tuple[str, int, str], "_Seen"]) -> list[PackOffer]:
    language, found = get_language() or "en", []
    for row in rows:
        seen = prices.get(("package", row.pk, ONCE))
        cents, own = (seen.cents, seen.own) if seen else (None, False)
        found.append(PackOffer(row, row.named(language), row.told(language), cents, own))
    return found


def offer(item: Package | Option, now: datetime, account: Account | None = None) -> Offer:
    return _offer(item, _prices(now, account))


@dataclass(frozen=True, slots=True)
class _Seen:
    cents: Cents
    setup: Cents
    own: bool


def _prices(now: datetime, account: Account | None = None) -> dict[tuple[str, int, str], _Seen]:
    """The prices in force by (kind of item, id, interval): the newest that is valid wins, a group's before a listed."""
    group = groups.of(account, now=now) if account is not None else None
    rows = Price.objects.filter(valid_from__lte=now).filter(Q(group=None) | Q(group=group.pk if group else None))
    found, listed = dict[tuple[str, int, str], _Seen](), dict[tuple[str, int, str], _Seen]()
    for row in rows.order_by(F("group").asc(nulls_first=True), "valid_from"):
        kind = "package" if row.package_id else "option"
        key = kind, row.package_id or row.option_id or 0, row.interval
        if row.ends:  # of the group: the list holds again
            found.pop(key, None)
            found |= {key: listed[key]} if key in listed else {}
            continue
        own = group is not None and (row.group_id is not None or group.percent > 0)
        cents = row.amount_cents
        if group is not None and row.group_id is None:
            cents = group_rules.price(cents, None, group.percent) or 0
        found[key] = _Seen(cents, row.setup_cents, own)
        if row.group_id is None:
            listed[key] = found[key]
    return found


def _offer(item: Package | Option, prices: dict[tuple[str, int, str], _Seen]) -> Offer:
    kind, language = "package" if isinstance(item, Package) else "option", get_language() or "en"
    month, year = (prices.get((kind, item.pk, interval)) for interval in (Interval.MONTH, Interval.YEAR))
    return Offer(
        item, item.named(language), item.told(language), month.cents if month else None, year.cents if year else None,
        month.setup if month else 0, year.setup if year else 0,
        any(one is not None and one.own for one in (month, year)),
    )  # fmt: skip


# --- orders ----------------------------------------------------------------------------------------------------------


def orders(actor: Actor) -> QuerySet[Order]:
    return Order.objects.visible_to(actor).select_related("package", "account")


def live_payment(order: Order) -> Payment | None:
    """The payment of an order that is under way."""
    return order.payments.filter(state__in=LIVE_PAYMENTS).order_by("-pk").first()


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """The live part of an order's page."""

    order: Order
    steps: list[dict[str, Any]]
    payment: Payment | None
    invoice: Invoice | None
    subscription: Subscription | None
    service_url: str
    ready: bool
    review: OrderReview | None = None

    @property
    def moving(self) -> bool:
        """Something is still going to change by itself."""
        paid = self.order.state == OrderState.PAID and not self.ready
        return paid or self.payment is not None


def order_status(order: Order) -> OrderStatus:
    """Placed, paid, invoiced, and what the service itself reports while it is made (SRV-1)."""
    payment = live_payment(order)
    invoice = order.invoices.first()
    began = Subscription.objects.filter(order=order).select_related("package").first()
    subscription = began if began is not None and began.account_id == order.account_id else None
    steps: list[dict[str, Any]] = [{"title": _("Order placed"), "state": "done", "at": order.placed_at}]
    review = order.reviews.order_by("-pk").first()
    steps += _payment_steps(order, payment, review)
    paid = order.state == OrderState.PAID
    number = invoice.number if invoice else ""
    steps.append({"title": _("Invoice issued"), "state": "done" if paid else "waiting", "note": number,
                  "at": order.paid_at if paid else None})  # fmt: skip
    progress = kinds.Progress()
    if order.interval == ONCE:
        progress = kinds.Progress(reverse("invoicing:pack_list"), ready=paid)
        steps.append({"title": _("Pack ready to use"), "state": "done" if paid else "waiting"})
    elif subscription is not None:
        progress = kinds.get(subscription.service_kind).progress(subscription)
        steps += [dict(step) for step in progress.steps]
    elif order.state in (OrderState.AWAITING_PAYMENT, OrderState.HELD):
        steps.append({"title": _("Service set up"), "state": "waiting"})
    elif began is not None:
        steps.append({"title": _("Transferred to another account since"), "state": "done"})
        progress = kinds.Progress(ready=True)
    return OrderStatus(order, steps, payment, invoice, subscription, progress.url, progress.ready, review)


def _payment_steps(order: Order, payment: Payment | None, review: OrderReview | None) -> list[dict[str, Any]]:
    """The payment, and where a person looks at the order (SUB-4) that too, in the order in which they came."""
    if order.state != OrderState.HELD or review is None:
        return [_payment_step(order, payment)]
    checking = {"title": _("Being checked"), "state": "running", "note": _("A person looks at it.")}
    if review.payment_id is None:
        return [checking, {"title": _("Payment"), "state": "waiting"}]
    return [{"title": _("Payment arrived"), "state": "done", "at": review.opened_at}, checking]


def _payment_step(order: Order, payment: Payment | None) -> dict[str, Any]:
    if order.state == OrderState.PAID:
        return {"title": _("Payment confirmed"), "state": "done", "at": order.paid_at}
    if order.state == OrderState.CANCELLED:
        note = ordering.why_cancelled(order)
        return {"title": _("Cancelled"), "state": "failed", "at": order.cancelled_at, "note": note}
    if payment is None:
        return {"title": _("Payment"), "state": "waiting"}
    note = {
        PaymentState.NEW: _("The payment page is being opened."),
        PaymentState.WAITING: _("The payment page is open."),
        PaymentState.PROCESSING: _("The bank is checking the payment."),
    }[PaymentState(payment.state)]
    return {"title": _("Payment"), "state": "running", "note": note}


# --- subscriptions ---------------------------------------------------------------------------------------------------


def subscriptions(actor: Actor) -> QuerySet[Subscription]:
    return Subscription.objects.visible_to(actor).select_related("package", "account")


def described(rows: list[Subscription]) -> list[dict[str, Any]]:
    """Subscriptions with their service in words and what a period of them costs, in the order given; as many queries
    for many as for one."""
    language, names = get_language() or "en", dict[int, str]()
    for kind in {row.service_kind for row in rows}:
        asked = [(row, language) for row in rows if row.service_kind == kind]
        answers = kinds.get(kind)
        if isinstance(answers, kinds.AnswersForMany):
            told = answers.describe_each(asked)
        else:
            told = [answers.describe(row, language) for row, language in asked]
        names.update({row.pk: name for (row, _language), name in zip(asked, told, strict=True)})
    cents = period_cents(rows)
    return [{"row": row, "name": names[row.pk], "period_cents": cents[row.pk]} for row in rows]


def period_cents(rows: Sequence[Subscription]) -> dict[int, Cents]:
    """Net cents of one period of each, by its id: the package and its running options."""
    found = {row.pk: row.price_cents for row in rows}
    extras = SubscriptionOption.objects.filter(subscription__in=found, until=None)
    for pk, price, quantity in extras.values_list("subscription_id", "price_cents", "quantity"):
        found[pk] += price * quantity
    return found


# --- invoices --------------------------------------------------------------------------------------------------------

NUMBER = re.compile(r"[A-Za-z]{1,2}20\d\d(-|$)|\d+$")  # `F2026-000001`, `f2026`, `1`
STATES = {
    "open": Q(state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE]), "paid": Q(state=InvoiceState.PAID),
    "written_off": Q(state=InvoiceState.WRITTEN_OFF),
}  # fmt: skip


def invoices(actor: Actor, *, state: str = "", words: str = "") -> QuerySet[Invoice]:
    """Documents, newest first; `state` is a key of STATES."""
    rows = Invoice.objects.visible_to(actor).select_related("account", "credits").order_by("-issued_at", "-pk")
    if state in STATES:
        rows = rows.filter(STATES[state]).exclude(kind="credit_note")
    if NUMBER.match(words):
        return numbered(rows, words)
    if words:
        lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"))
        named = Exists(lines.filter(Q(description__icontains=words) | Q(rule__iexact=words)))
        rows = rows.filter(Q(number__icontains=words) | named)
    return rows


def numbered(rows: QuerySet[Invoice], words: str) -> QuerySet[Invoice]:
    """Documents by their number as people type it (`F2026-000042`, how it begins, or just `42`), found by an index
    however many there are; newest first."""
    if words.isascii() and words.isdigit() and len(words) < 10:
        rows = rows.filter(series__in=NumberSeries.objects.values("pk"), position=int(words))
    else:
        rows = rows.filter(number__startswith=words.upper())
    return rows.order_by("-pk")


SHORT = 10  # rows of a list on the overview
DUE = F("total_cents") - F("credited_cents") - F("paid_cents")  # of an invoice that is open or overdue


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of an account's money: sums of everything, and of each list the first SHORT rows."""

    due_cents: Cents
    overdue_cents: Cents
    funds_cents: Cents
    unpaid: list[Invoice]
    unpaid_count: int
    upcoming: list[Subscription]
    upcoming_count: int
    month_cents: Cents
    means: PaymentMethod | None


def overview(account: Account, *, now: datetime) -> Overview:
    """What is due, what comes within a month, and how it will be paid; the same few queries for any number of rows."""
    unpaid = Invoice.objects.filter(STATES["open"], account=account).exclude(kind=InvoiceKind.CREDIT_NOTE)
    late = Q(state=InvoiceState.OVERDUE)
    owed = unpaid.aggregate(count=Count("pk"), due=Sum(DUE), overdue=Sum(DUE, filter=late))
    running = Subscription.objects.filter(
        account=account, state__in=[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED],
        period_end__lte=add_months(paris_date(now), 1),
    )  # fmt: skip
    extras = SubscriptionOption.objects.filter(subscription__in=running, until=None)
    renewed = running.aggregate(count=Count("pk"), cents=Sum("price_cents"))
    more = extras.aggregate(cents=Sum(F("price_cents") * F("quantity")))["cents"]
    return Overview(
        due_cents=owed["due"] or 0, overdue_cents=owed["overdue"] or 0, funds_cents=ledger.funds(account),
        unpaid=list(unpaid.order_by("due_on", "pk")[:SHORT]), unpaid_count=owed["count"],
        upcoming=list(running.select_related("package").order_by("period_end", "pk")[:SHORT]),
        upcoming_count=renewed["count"], month_cents=(renewed["cents"] or 0) + (more or 0),
        means=means(account).filter(is_default=True).first(),
    )  # fmt: skip


def funds_movements(actor: Actor) -> QuerySet[Posting]:
    """What was added to the funds (a credit: negative cents) and what was spent, newest first."""
    rows = Posting.objects.visible_to(actor).filter(ledger_account__code=ledger.FUNDS)
    return rows.select_related("entry", "entry__settlement__invoice").order_by("-pk")


PAYMENTS = {"live": Q(state__in=LIVE_PAYMENTS), "succeeded": Q(state=PaymentState.SUCCEEDED),
            "disputed": Q(pk__in=Dispute.objects.values("payment")),
            "failed": Q(state__in=[PaymentState.FAILED, PaymentState.CANCELLED])}  # fmt: skip


def payments(actor: Actor, *, state: str = "", words: str = "") -> QuerySet[Payment]:
    """Payments, newest first; `state` is a key of PAYMENTS, `words` a part of a reference."""
    rows = Payment.objects.visible_to(actor).select_related("account", "order", "invoice", "top_up", "method")
    if state in PAYMENTS:
        rows = rows.filter(PAYMENTS[state])
    if words:
        rows = rows.filter(
            Q(reference__icontains=words) | Q(provider_ref__icontains=words) | Q(invoice__number__icontains=words)
            | Q(order__reference__icontains=words) | Q(top_up__reference__icontains=words)
        )  # fmt: skip
    return rows


def means(account: Account) -> QuerySet[PaymentMethod]:
    """Cards and mandates on file, the default first."""
    return PaymentMethod.objects.filter(account=account, removed_at=None).select_related("mandate")


def means_for(invoice: Invoice) -> QuerySet[PaymentMethod]:
    """Those that can pay this invoice: no mandate of our own for a statement of late payment (INV-8)."""
    rows = means(invoice.account)
    return rows if invoice.collectable else rows.exclude(provider=OWN)
