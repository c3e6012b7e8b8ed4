"""From a choice to a running subscription (SUB-2, SUB-3): placed, paid, activated; or refused, and nothing is left."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import rules
from invoicing.consuming import packs
from invoicing.documents import PRO_FORMA, InvoiceDocument, sale_words, texts
from invoicing.funding import taken_back
from invoicing.issuing import drafting, invoices, parties
from invoicing.issuing.drafting import Content, Paid
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.limiting import limits
from invoicing.models import (
    ONCE,
    PACK,
    Entry,
    Invoice,
    InvoiceState,
    Order,
    OrderLine,
    OrderState,
    Pack,
    Package,
    Payment,
    Subscription,
    SubscriptionOption,
    SubscriptionPeriod,
)
from invoicing.offering import catalogue, pricing, promotions
from invoicing.offering.pricing import Priced
from invoicing.paying import payment_rules, settlement
from invoicing.reviewing import holding
from invoicing.rules import Quotation
from invoicing.subscribing import kinds, retaxing, trials
from invoicing.subscribing.period_rules import Period, period_number
from invoicing.taxing import vat_checks
from panel import terms
from panel.accounts import restrictions, signup
from panel.accounts.models import Account, Membership, User
from panel.core import due, mail, references
from panel.core.actors import CLOCK, SYSTEM, Actor
from panel.core.calendars import add_months, paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.states import move

UNPAID_LIFETIME = timedelta(days=3)  # an order nobody pays ends by itself; the price it showed is kept until then

REFUSALS = {
    "mail_unconfirmed": ("ACC-2", gettext_lazy("Please confirm your e-mail address first; it can be sent again.")),
    "account_closed": ("SUB-4", gettext_lazy("This account is closed.")),
    "restricted": ("SUB-4", gettext_lazy("Your account is restricted at the moment: nothing new can be ordered.")),
    "unpaid_invoice": ("SUB-4", gettext_lazy("An invoice is overdue. Please pay it first, then order again.")),
    "taken_back": ("SUB-4", gettext_lazy(
        "Your bank took back funds that you had spent. Please add funds to settle that first, then order again."
    )),
    "unavailable": ("SUB-4", gettext_lazy("This service is not available at the moment.")),
}  # fmt: skip
EXPIRED, REFUSED, WITHDRAWN, DECLINED = "expired", "refused", "withdrawn", "declined"
WHY_CANCELLED = {
    EXPIRED: gettext_lazy("it was not paid in time"),
    REFUSED: gettext_lazy("the payment was refused"),
    WITHDRAWN: gettext_lazy("you cancelled it"),
    DECLINED: gettext_lazy("we do not accept it"),
}


@transaction.atomic
def place(
    account: Account,
    package_code: str,
    interval: str,
    options: Mapping[str, Any],
    *,
    accepted: Sequence[str],
    actor: Actor,
    key: str,
    now: datetime,
    ip: str | None = None,
    promotion: str = "",
    trial: bool = False,
    order_number: str = "",
) -> Order:
    """Place an order, once per (account, key). `options` is what the service kind asks (name, place, keys ...) and
    `options["options"]`, the quantity of each option by its code; `accepted` names the documents that were ticked;
    `promotion` is a promotional code, used with the order; a `trial` is free, once for an account. With the interval
    ONCE it is a prepaid pack that is bought (OPR-9). `order_number` is the buyer's own, for this order's invoice and
    the service's; without it the account's stands there.

    RuleViolation (with `field`) when something is not on sale, not answered, not accepted (ACC-1), the code cannot be
    used, or the order is refused (ACC-2, SUB-4). Nothing is reserved and no number is used until it is paid (SUB-3); an
    order over nothing is carried out at once. Where a sign speaks against it, it is held until a person has looked
    (SUB-4).
    """
    code = promotions.lock(account, promotion) if promotion else None
    if (before := Order.objects.filter(account=account, key=key).first()) is not None:
        return before
    package = catalogue.sold(package_code, interval)
    quantities = _quantities(options)
    wanted = {**options, "options": quantities}
    priced = pricing.price(
        account, package, interval, quantities, now=now, language=account.language, promotion=promotion, trial=trial
    )
    missing = set(priced.terms.order_documents) - set(accepted)
    if missing:
        raise RuleViolation(_("Please accept the conditions to order."), rule="SUB-2", field="accept")
    settings = _settings(priced, package, wanted)
    kinds.check_own(package.service_kind, account, settings)
    _check_refusal(account, package, wanted, actor)
    settlement.lock_account(account.pk)  # orders of an account come one after the other, so a limit is taken once
    if (before := Order.objects.filter(account=account, key=key).first()) is not None:
        return before
    if trial:
        trials.check(account, package, quantities, promotion)
    limits.check_order(account, priced.quotation.totals.net, service=interval != ONCE, now=now)
    person = _person(actor, account)
    order, fresh = _write(
        priced,
        account,
        package,
        settings,
        person=person,
        key=key,
        now=now,
        order_number=rules.order_number(order_number),
    )
    if not fresh:
        return order
    signup.accept(account, person, sorted(accepted), priced.terms, ip=ip, now=now, subject=order)
    vat_checks.freshen(account, now=now)
    _tell(order, "placed", now=now, actor=actor)
    if code is not None and priced.promise is not None:
        promotions.use(code, priced.promise, order, priced.off, now=now, actor=actor)
    holding.on_placing(order, ip=ip, now=now)
    return settle_nothing(order, actor=actor, now=now)


def _settings(priced: Priced, package: Package, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What the order keeps of what was asked for; of a pack, what it holds now."""
    if priced.quotation.interval == ONCE:
        packs.sold_under(priced.terms)
        return dict(packs.ordered(package))
    return kinds.get(package.service_kind).validate(package, wanted)


def _write(
    priced: Priced, account: Account, package: Package, settings: dict[str, Any], *, person: User, key: str,
    now: datetime, order_number: str,
) -> tuple[Order, bool]:  # fmt: skip
    """The order with its lines, each at the price of one for a period, and whether it is new under its key."""
    quotation = priced.quotation
    order = Order(
        reference=references.new("ORD"), account=account, placed_by=person, key=key, package=package,
        interval=quotation.interval, settings=settings, quotation=pricing.frozen(quotation),
        vat_evidence=parties.vat_evidence(account, quotation.treatment), net_cents=quotation.totals.net,
        vat_cents=quotation.totals.vat, total_cents=quotation.totals.total, terms_version=priced.terms.name,
        language=texts.language_of(account.language), placed_at=now, expires_at=now + UNPAID_LIFETIME,
        trial_days=priced.trial_days, order_number=order_number,
    )  # fmt: skip
    try:
        with transaction.atomic():
            order.save(force_insert=True)
    except IntegrityError:
        return Order.objects.get(account=account, key=key), False
    items: list[tuple[Any, int]] = [(package, 1), *((choice.option, choice.quantity) for choice in priced.choices)]
    for position, (cents, (item, quantity)) in enumerate(zip(priced.units, items, strict=True)):
        OrderLine.objects.create(
            order=order, account=account, position=position, package=item if position == 0 else None,
            option=item if position else None, description=item.named(order.language), quantity=quantity,
            unit_cents=cents, net_cents=cents * quantity,
        )  # fmt: skip
    return order, True


def _first_period(order: Order, day: date) -> Period:
    """What the first invoice of an order that begins on `day` is for."""
    if order.trial_days:
        return Period(day, day + timedelta(days=order.trial_days))
    return period_number(day, order.interval, 0)


def _quantities(options: Mapping[str, Any]) -> dict[str, int]:
    try:
        asked = {str(code): int(count) for code, count in dict(options.get("options") or {}).items()}
    except (TypeError, ValueError):
        raise RuleViolation(_("Please give whole numbers."), rule="SUB-2", field="options") from None
    return {code: count for code, count in asked.items() if count}


def _person(actor: Actor, account: Account) -> User:
    """Who placed the order; an order without a person (a demonstration, an import) is the owner's."""
    if actor.user_id is not None:
        return User.objects.get(pk=actor.user_id)
    return Membership.objects.select_related("user").get(account=account, is_owner=True).user


def refusal(account: Account, actor: Actor, *, deliverable: bool = True) -> tuple[str, str] | None:
    """ACC-2, SUB-4: (code, sentence) why `account` cannot order now, or None. Pages show it before one types."""
    code = rules.refusal_to_order(
        mail_confirmed=_person(actor, account).confirmed_at is not None,
        account_open=account.state == Account.State.OPEN,
        restricted=restrictions.blocking(account.pk, "order") is not None,
        overdue_invoices=Invoice.objects.filter(account=account, state=InvoiceState.OVERDUE).count(),
        taken_back=taken_back.owed(account) > 0,
        deliverable=deliverable,
    )
    return None if code is None else (code, str(REFUSALS[code][1]))


def _check_refusal(account: Account, package: Package, wanted: Mapping[str, Any], actor: Actor) -> None:
    deliverable = package.service_kind == PACK or kinds.get(package.service_kind).available(package, wanted)
    refused = refusal(account, actor, deliverable=deliverable)
    if refused:
        raise RuleViolation(refused[1], rule=REFUSALS[refused[0]][0])


def pro_forma(order: Order) -> InvoiceDocument:
    """The unnumbered document of an order that is not paid (INV-1)."""
    period = None if order.interval == ONCE else _first_period(order, paris_date(order.placed_at))
    quotation = pricing.thawed(order.quotation, period)
    content = Content(
        kind=PRO_FORMA, account=order.account, lines=quotation.lines, totals=quotation.totals,
        treatment=quotation.treatment, terms=terms.version(order.terms_version), reference=order.reference,
        language=order.language, order_number=order.order_number or None,
    )  # fmt: skip
    day = paris_date(order.placed_at)
    return drafting.document(content, number="", issued_on=day, due_on=day)


# --- the payment's outcome --------------------------------------------------------------------------------------------


@transaction.atomic
def paid(order: Order, payment: Payment, *, now: datetime) -> Subscription | Pack | None:
    """The payment is confirmed (SUB-3): subscription (or prepaid pack), numbered and settled invoice, and the service
    is asked for, all or nothing; told twice, it happens once. None when the order is held for a person to look at
    (SUB-4): the money then waits on the customer's account; or when it was cancelled before, or paid by other means: it
    is to be given back.
    """
    held = Order.objects.select_for_update(of=("self",)).select_related("package").get(pk=order.pk)
    held.account = settlement.lock_account(held.account_id)  # not the package: others buy it too
    if held.state == OrderState.PAID and Entry.objects.filter(kind="payment", ref=payment.reference).exists():
        return held.pack if held.interval == ONCE else held.subscription
    entry = settlement.received(payment, now=now)
    if holding.waits_with(held, payment):
        return None
    if held.state != OrderState.AWAITING_PAYMENT:
        late = "paid_late" if held.state == OrderState.CANCELLED else "paid_again"
        _tell(held, late, now=now, actor=SYSTEM, data={"payment": payment.reference})
        return None
    if payment.amount_cents != held.total_cents:
        raise ValueError(f"{payment.reference} brought {payment.amount_cents}, not {held.total_cents}")
    taxed = retaxing.renew(held, now=now, within=payment.amount_cents)
    if holding.on_payment(held, payment, taxed=taxed, now=now):
        return None
    return go_on(held, payment, entry, actor=SYSTEM, now=now)


def go_on(order: Order, payment: Payment, entry: Entry, *, actor: Actor, now: datetime) -> Subscription | Pack:
    """The (locked) order comes to life with the money that `entry` booked: at once, or when a person has accepted it
    (SUB-4). What a lower VAT leaves over goes to the customer's funds."""
    known = Paid(order.total_cents, settlement.CARD, payment.reference, paris_date(payment.ended_at or now))
    made, invoice = _come_alive(order, known, now=now)
    settlement.pay(invoice.pk, payment.amount_cents, means=settlement.CARD, entry=entry, now=now)
    _started(order, made, invoice, actor=actor, now=now)
    return made


def paid_from_funds(order: Order, *, actor: Actor, now: datetime) -> Subscription | Pack:
    """The same, from funds that hold the whole total (INV-6); the caller has locked the order, then the account."""
    made, invoice = _come_alive(order, None, now=now)
    if invoice.due_cents:
        raise ValueError(f"the funds do not hold {order.total_cents} for {order.reference}")
    _started(order, made, invoice, actor=actor, now=now)
    return made


def settle_nothing(order: Order, *, actor: Actor, now: datetime) -> Order:
    """An order over nothing needs no payment: it is carried out at once, its invoice over 0.00 is settled with its
    issue, and nothing is collected. Any other, and one that is held, stays as it is."""
    if order.total_cents == 0 and order.state == OrderState.AWAITING_PAYMENT:
        made, invoice = _come_alive(order, None, now=now)
        _started(order, made, invoice, actor=actor, now=now)
    return order


def _come_alive(order: Order, known: Paid | None, *, now: datetime) -> tuple[Subscription | Pack, Invoice]:
    if order.interval == ONCE:
        invoice = _invoice(order, pricing.thawed(order.quotation), None, known, now=now)
        return packs.opened(order, invoice, now=now), invoice
    subscription = _subscribe(order, now=now)
    return subscription, _first_invoice(order, subscription, known, now=now)


def _started(order: Order, made: Subscription | Pack, invoice: Invoice, *, actor: Actor, now: datetime) -> None:
    move(order, OrderState.PAID, rules.ORDER_TRANSITIONS)
    order.paid_at = now
    order.save(update_fields=["paid_at"])
    _tell(order, "paid", now=now, actor=actor, data={"invoice": invoice.number})
    if isinstance(made, Pack):
        tell("pack.bought", made, now=now, actor=SYSTEM, rule=packs.RULE,
             data={"pack": made.reference, "order": order.reference})  # fmt: skip
        return
    tell("subscription.started", made, now=now, actor=SYSTEM, rule="SUB-3",
         data={"subscription": made.reference, "order": order.reference})  # fmt: skip


def _subscribe(order: Order, *, now: datetime) -> Subscription:
    """The subscription, its options at their frozen prices, and the service itself."""
    today = paris_date(now)
    first = _first_period(order, today)
    trial = first.end if order.trial_days else None  # nothing that it consumes is charged
    lines = list(order.lines.select_related("option"))
    subscription = Subscription.objects.create(
        reference=references.new("SUB"), account=order.account, order=order, package=order.package,
        service_kind=order.package.service_kind, interval=order.interval, price_cents=lines[0].unit_cents,
        settings=order.settings, order_number=order.order_number,
        anchor_on=today, period_start=first.start, period_end=first.end,
        usage_from=trial or today, next_due_on=trial or period_number(today, "month", 0).end,
        terms_version=order.terms_version, started_at=now, trial_ends_on=trial,
        ends_on=None if order.package.trial_converts else trial,
        committed_until=add_months(today, order.commitment_months) if order.commitment_months else None,
    )  # fmt: skip
    for line in lines:
        if line.option is None:
            continue
        SubscriptionOption.objects.create(
            subscription=subscription, account=order.account, option=line.option, quantity=line.quantity,
            price_cents=line.unit_cents, since=today,
        )  # fmt: skip
    kinds.get(subscription.service_kind).provision(subscription, now=now)
    return subscription


def _first_invoice(order: Order, subscription: Subscription, known: Paid | None, *, now: datetime) -> Invoice:
    """INV-1: numbered now that the payment is confirmed, for the price and VAT the customer saw."""
    first = Period(subscription.period_start, subscription.period_end)
    quotation = pricing.thawed(order.quotation, first)
    package, *options = quotation.lines
    named = kinds.get(subscription.service_kind).describe(subscription, order.language)
    if order.trial_days:
        named = sale_words.say(order.language, "trial", name=named, days=order.trial_days)
    lines = (replace(package, description=named), *options)
    invoice = _invoice(order, replace(quotation, lines=lines), subscription, known, now=now)
    SubscriptionPeriod.objects.create(
        subscription=subscription, account=order.account, start=first.start, end=first.end,
        terms_version=order.terms_version, invoice=invoice,
    )  # fmt: skip
    return invoice


def _invoice(
    order: Order, quotation: Quotation, subscription: Subscription | None, known: Paid | None, *, now: datetime
) -> Invoice:
    return invoices.issue(
        order.account, [Billed(line, subscription) for line in quotation.lines], once=f"order:{order.reference}",
        terms_version=order.terms_version, treatment=quotation.treatment, order=order, now=now, actor=SYSTEM,
        paid=known,
    )  # fmt: skip


@transaction.atomic
def cancel(order: Order, reason: str, *, actor: Actor, now: datetime) -> Order:
    """End an unpaid order: EXPIRED, REFUSED, WITHDRAWN, or a reason in words (SUB-3). Nothing was reserved, numbered or
    booked, so nothing is left to undo; the customer is told. An order that has ended stays as it is."""
    held = Order.objects.select_for_update().select_related("account").get(pk=order.pk)
    if held.state != OrderState.AWAITING_PAYMENT:
        return held
    end(held, reason, actor=actor, now=now)
    with translation.override(held.language):
        why = why_cancelled(held)
    mail.send(
        "order_cancelled", to=held.account.billing_email, lang=held.language, key=f"order-cancelled:{held.reference}",
        now=now, account_id=held.account_id, subject=held,
        context={"name": held.account.name, "order": held.reference, "reason": why,
                 "total": texts.money(held.language, held.total_cents)},
    )  # fmt: skip
    return held


def end(order: Order, reason: str, *, actor: Actor, now: datetime) -> None:
    """The (locked) order is over; whoever ends it tells the customer why."""
    move(order, OrderState.CANCELLED, rules.ORDER_TRANSITIONS)
    promotions.give_back(order, now=now, actor=actor)
    order.cancelled_at, order.cancel_reason = now, reason[:200]
    order.save(update_fields=["cancelled_at", "cancel_reason"])
    _tell(order, "cancelled", now=now, actor=actor)


def why_cancelled(order: Order) -> str:
    """The reason in the active language."""
    return str(WHY_CANCELLED.get(order.cancel_reason, order.cancel_reason))


@due.sweep("invoicing.expire", every_seconds=300)
def expire(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Orders that nobody paid end by themselves; not while a payment for one is on its way (SUB-3)."""
    moving = Payment.objects.filter(state__in=payment_rules.LIVE, order__isnull=False)
    late = Order.objects.filter(state=OrderState.AWAITING_PAYMENT, expires_at__lt=now).exclude(
        pk__in=moving.values("order")
    )
    if dry_run:
        return SweepReport(would=[f"cancel order {order.reference}" for order in late])
    ids = list(late.values_list("pk", flat=True))
    return due.each(ids, lambda pk: _expire(pk, now=now))


def _expire(pk: int, *, now: datetime) -> None:
    """Still: who begins a payment takes the order's lock first, so none can begin after the look under it."""
    held = Order.objects.select_for_update(of=("self",)).get(pk=pk)
    if not held.payments.filter(state__in=payment_rules.LIVE).exists():
        cancel(held, EXPIRED, actor=CLOCK, now=now)


def _tell(order: Order, what: str, *, now: datetime, actor: Actor, data: Mapping[str, Any] | None = None) -> None:
    tell(f"order.{what}", order, now=now, actor=actor, rule="SUB-3" if what != "placed" else "SUB-2",
         data={"order": order.reference, "total_cents": order.total_cents, **(data or {})})  # fmt: skip
