"""What an account spends in a calendar month, and the cap its customer sets for it.

All of it is net of VAT: what was invoiced in the Paris calendar month, what is ordered and not yet invoiced, and what
the meters counted and is not yet invoiced. The cap refuses orders and upgrades; what runs is renewed and what was used
is shown and invoiced all the same. It is warned of at the percentages of the terms, once a month for each.
"""

from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.limiting import limit_rules
from invoicing.limiting.limit_rules import Spent
from invoicing.models import (
    ONCE,
    Invoice,
    InvoiceKind,
    Order,
    OrderState,
    SpendingCap,
    SpendingWarning,
    Subscription,
    SubscriptionState,
)
from invoicing.paying import settlement
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import due, events, mail
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import add_months, paris_date, start_of_paris_day
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.money import Cents

RULE = "SUB-4"
PENDING = (OrderState.AWAITING_PAYMENT, OrderState.HELD)


def month_of(account: Account, *, now: datetime) -> Spent:
    """What the calendar month of `now` comes to so far."""
    first = paris_date(now).replace(day=1)
    return Spent(
        month=first, invoiced=_invoiced(account, first), metered=_metered(account, now=now),
        ordered=Order.objects.filter(account=account, state__in=PENDING).aggregate(sum=Sum("net_cents"))["sum"] or 0,
    )  # fmt: skip


def _invoiced(account: Account, first: date) -> Cents:
    """Invoices less credit notes; a late-payment statement is no spending."""
    begins, ends = start_of_paris_day(first), start_of_paris_day(add_months(first, 1))
    rows = Invoice.objects.filter(account=account, issued_at__gte=begins, issued_at__lt=ends)
    sums = rows.aggregate(
        up=Sum("net_cents", filter=Q(kind=InvoiceKind.INVOICE)),
        down=Sum("net_cents", filter=Q(kind=InvoiceKind.CREDIT_NOTE)),
    )
    return (sums["up"] or 0) - (sums["down"] or 0)


def _metered(account: Account, *, now: datetime) -> Cents:
    """What the meters counted and no invoice has yet, rated as the next invoice would."""
    from invoicing.renewing import upcoming  # the billing run stands above orders, which ask here

    rows = Subscription.objects.filter(account=account, next_due_on__isnull=False).select_related("account", "package")
    return sum(max(0, one.net_cents) for row in rows for one in upcoming.running(row, now=now))


def cap_of(account: Account) -> Cents | None:
    """The customer's own cap in cents, or None."""
    return SpendingCap.objects.filter(account=account).values_list("cents", flat=True).first()


@transaction.atomic
def set_cap(account: Account, cents: Cents | None, *, actor: Actor, now: datetime) -> None:
    """Set the cap (None: no cap), for orders from now on. RuleViolation for an amount that is not above zero."""
    if cents is not None and cents <= 0:
        raise RuleViolation(_("The amount must be more than nothing."), rule=RULE, field="amount")
    settlement.lock_account(account.pk)
    if cents is None:
        SpendingCap.objects.filter(account=account).delete()
        return _told(account, "cap_removed", actor=actor, now=now)
    SpendingCap.objects.update_or_create(
        account=account, defaults={"cents": cents, "set_by_id": actor.user_id, "set_at": now}
    )
    return _told(account, "cap_set", actor=actor, now=now, amount_cents=cents)


def _told(account: Account, what: str, *, actor: Actor, now: datetime, **data: Any) -> None:
    events.record(f"invoicing.spending.{what}", now=now, actor=actor, subject=account, account_id=account.pk,
                  rule=RULE, data=data)  # fmt: skip


@due.sweep("invoicing.spending", every_seconds=900)
def warn(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Customers whose spending reaches a percentage of their cap are told, once a month for each."""
    if not dry_run:
        return due.each(list(SpendingCap.objects.values_list("pk", flat=True)), lambda pk: _warn(pk, now=now))
    rows = SpendingCap.objects.select_related("account").order_by("pk")
    return SweepReport(
        would=[f"warn {cap.account.reference} at {at} %" for cap in rows for at in _unsaid(cap, now=now)[1]]
    )


def _unsaid(cap: SpendingCap, *, now: datetime) -> tuple[Spent, list[int]]:
    spent = month_of(cap.account, now=now)
    warn_at = terms_in_force.at(cap.account, now).limits.warn_at
    said = SpendingWarning.objects.filter(account=cap.account, month=spent.month, cap_cents=cap.cents)
    known = set(said.values_list("percent", flat=True))
    return spent, [at for at in limit_rules.reached(spent, cap.cents, warn_at) if at not in known]


def _warn(pk: int, *, now: datetime) -> None:
    """All that is new is written down, the highest of it is told."""
    cap = SpendingCap.objects.select_related("account").filter(pk=pk).first()
    if cap is None:
        return
    spent, fresh = _unsaid(cap, now=now)
    try:
        with transaction.atomic():
            for percent in fresh:
                SpendingWarning.objects.create(
                    account=cap.account, month=spent.month, percent=percent, cap_cents=cap.cents,
                    spent_cents=spent.total, at=now,
                )  # fmt: skip
    except IntegrityError:  # another clock was quicker
        return
    if not fresh:
        return
    account, percent = cap.account, fresh[-1]
    tell("spending.reached", SpendingWarning.objects.get(account=account, month=spent.month, percent=percent,
                                                         cap_cents=cap.cents), now=now, actor=CLOCK, rule=RULE,
         data={"percent": percent, "amount_cents": spent.total, "cap_cents": cap.cents})  # fmt: skip
    language = texts.language_of(account.language)
    mail.send(
        "spending_reached", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=account,
        key=f"spending:{account.pk}:{spent.month}:{percent}:{cap.cents}",
        context={"name": account.name, "percent": percent, "spent": texts.money(language, spent.total),
                 "cap": texts.money(language, cap.cents), "full": spent.total >= cap.cents,
                 "path": "/billing/spending/"},
    )  # fmt: skip


def running_services(account: Account) -> int:
    """Services that run, or are ordered."""
    running = Subscription.objects.filter(account=account).exclude(state=SubscriptionState.TERMINATED).count()
    ordered = Order.objects.filter(account=account, state__in=PENDING).exclude(interval=ONCE)
    return running + ordered.count()
