"""A client pauses a running service and lets it run again, where its kind can rest (SUB-5).

Nothing of the contract moves: the anniversary stays, each period is invoiced as it would have been, because what the
service needs stays reserved; only what is metered no longer grows. A pause is the client's own and stands beside a
suspension by the provider: the service runs only when neither holds it.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.journal import tell
from invoicing.models import Subscription, SubscriptionState
from invoicing.subscribing import composing, kinds, subscriptions
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from panel.core.states import move

RULE = "SUB-5"


@dataclass(frozen=True, slots=True)
class Resting:
    """What a pause means in money, for the page that asks to confirm it."""

    period_cents: Cents
    """Net price of each period, which continues in full."""
    renewal_on: date


def preview(row: Subscription) -> Resting:
    return Resting(composing.held_by(row).period_cents, row.period_end)


def why_not(row: Subscription) -> str:
    """Why it cannot be paused now, in the reader's language; empty when it can."""
    if row.state == SubscriptionState.TERMINATED:
        return _("This subscription has ended.")
    if row.state == SubscriptionState.SUSPENDED:
        return _("This service does not run at the moment.")
    return kinds.get(row.service_kind).refusal_to_pause(row)


@transaction.atomic
def pause(row: Subscription, *, actor: Actor, now: datetime) -> Subscription:
    """Stop the service on the client's wish; pausing twice changes nothing. RuleViolation when it cannot rest."""
    held = subscriptions.hold(row)
    if held.paused_at is not None:
        return held
    if sentence := why_not(held):
        raise RuleViolation(sentence, rule=RULE)
    move(held, SubscriptionState.SUSPENDED, rules.SUBSCRIPTION_TRANSITIONS)
    held.paused_at = now
    held.save(update_fields=["paused_at"])
    kinds.get(held.service_kind).suspend(held, because=RULE, now=now)
    tell("subscription.paused", held, now=now, actor=actor, rule=RULE, data={"subscription": held.reference})
    return held


@transaction.atomic
def resume(row: Subscription, *, actor: Actor, now: datetime) -> Subscription:
    """End the pause; the service runs again unless the provider suspended it meanwhile. Without a pause nothing
    happens."""
    held = subscriptions.hold(row)
    if held.paused_at is None or held.state == SubscriptionState.TERMINATED:
        return held
    held.paused_at = None
    held.save(update_fields=["paused_at"])
    if held.suspended_at is None:
        move(held, SubscriptionState.ACTIVE, rules.SUBSCRIPTION_TRANSITIONS)
        kinds.get(held.service_kind).resume(held, because=RULE, now=now)
    tell("subscription.unpaused", held, now=now, actor=actor, rule=RULE, data={"subscription": held.reference})
    return held
