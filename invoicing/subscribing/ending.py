"""The end of a subscription by its client: at once or at its term, what it costs, and taking a planned end back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Invoice, InvoiceState, RenewalRefusal, Subscription, SubscriptionState
from invoicing.rules import Quotation
from invoicing.subscribing import changes, kinds, leaving, subscriptions
from invoicing.subscribing.leaving import Wishes
from panel import terms
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents

RULE = "SUB-6"


@dataclass(frozen=True, slots=True)
class Ending:
    """What ending means in money, for the page that asks to confirm it (SUB-6, SUB-7)."""

    unpaid_cents: Cents
    unpaid: tuple[Invoice, ...]
    paid_until: date
    term: date
    """The first day without it, when it is ended at its term."""
    at_once: Quotation | None
    """What is invoiced when it ends now, such as the balance of a commitment; None when nothing is."""
    at_term: Quotation | None
    notice_days: int = 0
    """Days before a renewal by which its end must be asked for (OPR-8)."""


def preview(row: Subscription, *, now: datetime, wishes: Wishes | None = None) -> Ending:
    """Open invoices that carry the subscription are payable; the days already invoiced are not refunded."""
    wishes = wishes or Wishes()
    open_ones = tuple(
        Invoice.objects.filter(lines__subscription=row, state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE]).distinct()
    )
    term = leaving.term(row, now=now)
    return Ending(
        unpaid_cents=sum(invoice.due_cents for invoice in open_ones), unpaid=open_ones, paid_until=row.period_end,
        term=term, at_once=leaving.quote(row, wishes, rule=RULE, now=now),
        at_term=leaving.quote(row, wishes, rule=RULE, now=now, ends_on=term),
        notice_days=leaving.notice_days(row),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fees:
    """SUB-7's prices for a subscription whose package may host a project's code, before VAT."""

    code_cents: Cents
    migration_cents: Cents


def fees(row: Subscription) -> Fees | None:
    """What leaving with the project's code costs by the terms of the running period; None where it costs nothing."""
    asked = terms.version(row.terms_version).termination
    free = row.account.kind == Account.Kind.CONSUMER and not asked.code_fee_for_consumers
    if free or not row.package.hosts_code:
        return None
    return Fees(leaving.code_fee(row, asked), asked.migration)


def _check_unguarded(held: Subscription) -> None:
    if held.state != SubscriptionState.TERMINATED and (guard := kinds.refusal_to_end(held)):
        raise RuleViolation(guard, rule=RULE)


@transaction.atomic
def end_now(row: Subscription, wishes: Wishes, *, actor: Actor, now: datetime) -> Subscription:
    """SUB-6: at once; what that costs is invoiced in the same transaction. RuleViolation where its client guards it."""
    _check_unguarded(subscriptions.hold(row))
    return subscriptions.terminate(row, because="", rule=RULE, now=now, actor=actor, wishes=wishes)


@transaction.atomic
def end_at_term(row: Subscription, wishes: Wishes, *, actor: Actor, now: datetime) -> Subscription:
    """It runs until its term and is not renewed (SUB-6, OPR-11); confirmed by e-mail. What the client wishes with the
    end (SUB-7) is invoiced on that day; a change planned for later is taken back. Asked again, the wishes are replaced.
    RuleViolation when it has ended."""
    held = subscriptions.hold(row)
    if held.state == SubscriptionState.TERMINATED:
        raise RuleViolation(_("This subscription has ended."), rule=RULE)
    _check_unguarded(held)
    held.ends_on, held.end_wishes = leaving.term(held, now=now), wishes.as_dict()
    changes.drop_planned(held, held.ends_on, actor=actor, now=now)
    held.save(update_fields=["ends_on", "end_wishes"])
    _told(held, "end_planned", now=now, actor=actor)
    language = texts.language_of(held.account.language)
    mail.send(
        "subscription_ends", to=held.account.billing_email, lang=language, now=now, account_id=held.account_id,
        key=f"ends:{held.reference}:{held.ends_on}:{now.isoformat()}", subject=held,
        context={"name": held.account.name, "subscription": held.reference,
                 "service": subscriptions.described(held, language), "day": texts.day(language, held.ends_on)},
    )  # fmt: skip
    return held


@transaction.atomic
def keep(row: Subscription, *, actor: Actor, now: datetime) -> Subscription:
    """Take a planned end back: it is renewed again on its anniversary. Without a planned end nothing happens."""
    held = subscriptions.hold(row)
    if held.ends_on is None or held.state == SubscriptionState.TERMINATED:
        return held
    if RenewalRefusal.objects.filter(subscription=held, taken_back_at=None).exists():
        raise RuleViolation(_("We do not renew this subscription. Please write to us if that is wrong."), rule="SUB-4")
    if held.on_trial and not held.package.trial_converts:
        raise RuleViolation(_("This free trial ends. Order the service to go on with it."), rule=RULE)
    if paris_date(now) >= held.ends_on:
        raise RuleViolation(_("The term has been reached already."), rule=RULE)
    _told(held, "end_undone", now=now, actor=actor)
    held.ends_on, held.end_wishes = None, {}
    held.save(update_fields=["ends_on", "end_wishes"])
    return held


def _told(row: Subscription, what: str, *, now: datetime, actor: Actor) -> None:
    data: Mapping[str, Any] = {
        "subscription": row.reference, "on": row.ends_on.isoformat() if row.ends_on else "", "wishes": row.end_wishes
    }  # fmt: skip
    tell(f"subscription.{what}", row, now=now, actor=actor, rule=RULE, data=data)
