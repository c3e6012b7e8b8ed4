"""The life of a running subscription: suspended, resumed, ended (SUB-6, SUB-8)."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import ChangeState, RenewalRefusal, Subscription, SubscriptionState
from invoicing.paying import settlement
from invoicing.subscribing import kinds, leaving
from invoicing.subscribing.leaving import Wishes
from panel.core import mail
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import RuleViolation
from panel.core.states import move

LAST_MOMENT = timedelta(seconds=1)


def hold(subscription: Subscription) -> Subscription:
    """The subscription, locked until the transaction ends. RuleViolation when it was handed over to another account
    since the caller read it."""
    held = locked(subscription.pk)
    if held.account_id != subscription.account_id:
        raise RuleViolation(_("This service belongs to another account now."), rule="SUB-2")
    return held


def locked(pk: int) -> Subscription:
    """As `hold`, by its id. The lock comes first and the join after it: where another transaction has just changed the
    package, PostgreSQL would find no row that is both locked and joined to the old one."""
    Subscription.objects.select_for_update().get(pk=pk)
    return Subscription.objects.select_related("account", "package").get(pk=pk)


def described(row: Subscription, language: str) -> str:
    """The service in words."""
    return kinds.get(row.service_kind).describe(row, language)


@transaction.atomic
def give_order_number(subscription: Subscription, order_number: str, *, actor: Actor, now: datetime) -> Subscription:
    """The buyer's own order number for the invoices of this service from now on (BT-13); empty: the account's.
    RuleViolation when the service has ended."""
    held = hold(subscription)
    if held.state == SubscriptionState.TERMINATED:
        raise RuleViolation(_("This subscription has ended."), rule="INV-2")
    wanted = rules.order_number(order_number)
    if wanted != held.order_number:
        held.order_number = wanted
        held.save(update_fields=["order_number"])
        tell("subscription.order_number", held, now=now, actor=actor, rule="INV-2",
             data={"subscription": held.reference})  # fmt: skip
    return held


@transaction.atomic
def terminate(
    subscription: Subscription, *, because: str, rule: str, now: datetime, actor: Actor, wishes: Wishes | None = None,
    claims: bool = True,
) -> Subscription:  # fmt: skip
    """End it now (SUB-6 by the client, SUB-8 and ABU-5 by the provider; `rule` says which, `because` is told). What was
    invoiced stays due, nothing is refunded; the balance of a commitment and what the client `wishes` with the end are
    invoiced now (not so where the provider `claims` nothing); consumption up to now by the next run of
    `invoicing.renew`. Ending it twice changes nothing."""
    held = hold(subscription)
    if held.state == SubscriptionState.TERMINATED:
        return held
    if claims:
        leaving.invoice(held, wishes or Wishes(), rule=rule, now=now, actor=actor)
    _end(held, because=because, rule=rule, at=now, bill_on=paris_date(now), now=now, actor=actor)
    return held


def end_at_term(row: Subscription, *, now: datetime) -> None:
    """Its planned end has come: the (locked) subscription ended with the last moment of the day before `ends_on`,
    however late this runs; what the client wished with it is invoiced."""
    if row.ends_on is None or row.state == SubscriptionState.TERMINATED or paris_date(now) < row.ends_on:
        return
    leaving.invoice(row, leaving.wishes(row.end_wishes), rule="SUB-6", now=now, actor=CLOCK, ends_on=row.ends_on)
    at = start_of_paris_day(row.ends_on) - LAST_MOMENT
    because, rule = _refused(row)
    _end(row, because=because, rule=rule, at=at, bill_on=row.ends_on, now=now, actor=CLOCK)


def _refused(row: Subscription) -> tuple[str, str]:
    """Why it ends at its term, as the client reads it, and the rule: SUB-4 where the provider does not renew it."""
    refusal = RenewalRefusal.objects.filter(subscription=row, taken_back_at=None).first()
    if refusal is None:
        return "", "SUB-6"
    with translation.override(texts.language_of(row.account.language)):
        return f"{refusal.get_why_display()} {refusal.words}".strip(), "SUB-4"


def _end(
    held: Subscription, *, because: str, rule: str, at: datetime, bill_on: date, now: datetime, actor: Actor
) -> None:
    """Write the end down, have the service removed, and say so. Days not billed yet are looked at on `bill_on` at the
    latest."""
    move(held, SubscriptionState.TERMINATED, rules.SUBSCRIPTION_TRANSITIONS)
    held.ended_at, held.end_reason, held.end_rule = at, because[:300], rule
    held.next_due_on = min(held.next_due_on or bill_on, bill_on)  # the days not billed yet come first
    held.save(update_fields=["ended_at", "end_reason", "end_rule", "next_due_on"])
    held.options.filter(until=None).update(until=paris_date(at) + timedelta(days=1))
    held.changes.filter(state=ChangeState.PLANNED).update(state=ChangeState.UNDONE, ended_at=now)
    kinds.get(held.service_kind).terminate(held, because=rule, now=now)
    tell("subscription.terminated", held, now=now, actor=actor, rule=rule,
         data={"subscription": held.reference})  # fmt: skip
    language = texts.language_of(held.account.language)
    mail.send(
        "subscription_ended", to=held.account.billing_email, lang=language, key=f"ended:{held.reference}", now=now,
        account_id=held.account_id, subject=held,
        context={"name": held.account.name, "subscription": held.reference, "because": because, "rule": rule,
                 "service": described(held, language), "owed": texts.money(language, settlement.owed(held.account)),
                 "owes": settlement.owed(held.account) > 0},
    )  # fmt: skip


@transaction.atomic
def suspend(subscription: Subscription, *, because: str, rule: str, now: datetime, actor: Actor) -> Subscription:
    """Stop the service, keep the subscription (SUB-8), paused by its client or not; suspending twice changes
    nothing."""
    held = hold(subscription)
    if held.suspended_at is not None:
        return held
    if held.state == SubscriptionState.TERMINATED:
        raise RuleViolation(_("This subscription has ended."), rule="SUB-8")
    if held.state == SubscriptionState.ACTIVE:
        move(held, SubscriptionState.SUSPENDED, rules.SUBSCRIPTION_TRANSITIONS)
    Subscription.objects.filter(pk=held.pk).update(suspended_at=now)
    kinds.get(held.service_kind).suspend(held, because=because, now=now)
    tell("subscription.suspended", held, now=now, actor=actor, rule=rule,
         data={"subscription": held.reference})  # fmt: skip
    return held


@transaction.atomic
def resume(subscription: Subscription, *, because: str, rule: str, now: datetime, actor: Actor) -> Subscription:
    """Let a suspended service run again, unless its client paused it; resuming a running one changes nothing."""
    held = hold(subscription)
    if held.state != SubscriptionState.SUSPENDED or held.suspended_at is None:
        return held
    Subscription.objects.filter(pk=held.pk).update(suspended_at=None)
    held.suspended_at = None
    if held.paused_at is None:
        move(held, SubscriptionState.ACTIVE, rules.SUBSCRIPTION_TRANSITIONS)
        kinds.get(held.service_kind).resume(held, because=because, now=now)
    tell("subscription.resumed", held, now=now, actor=actor, rule=rule,
         data={"subscription": held.reference})  # fmt: skip
    return held
