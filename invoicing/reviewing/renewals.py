"""A renewal that the provider refuses (SUB-4): the subscription ends with its term, the reason is told; until that day
it can be taken back. Nothing is refunded and nothing more is charged."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import RenewalRefusal, Subscription, SubscriptionState, WhyRefused
from invoicing.subscribing import leaving, subscriptions
from invoicing.subscribing.period_rules import Period
from panel.core import mail
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation

RULE = "SUB-4"


def open_refusal(row: Subscription) -> RenewalRefusal | None:
    """Why the provider does not renew it; None when nobody refused."""
    return RenewalRefusal.objects.select_related("decided_by").filter(subscription=row, taken_back_at=None).first()


def why_not(row: Subscription, *, now: datetime) -> str:
    """Why its renewal cannot be refused, in the reader's language; empty when it can."""
    if row.state == SubscriptionState.TERMINATED:
        return _("This subscription has ended.")
    if row.ends_on is not None:
        return _("This subscription is going to end already.")
    if paris_date(now) not in Period(row.period_start, row.period_end):
        return _("The renewal is just being invoiced. Please try again in a few minutes.")
    return ""


@transaction.atomic
def refuse(row: Subscription, *, why: str, words: str = "", actor: Actor, now: datetime) -> RenewalRefusal:
    """Do not renew it, for one of `WhyRefused`, told with `words`: it ends with its term, a commitment and the notice
    of its terms respected. RuleViolation without a reason, or when it ends already."""
    if why not in WhyRefused.values:
        raise RuleViolation(_("Please choose the reason."), rule=RULE, field="why")
    if why == WhyRefused.OTHER and not words.strip():
        raise RuleViolation(_("Please write the reason; the customer reads it."), rule=RULE, field="words")
    held = subscriptions.hold(row)
    if sentence := why_not(held, now=now):
        raise RuleViolation(sentence, rule=RULE)
    ends_on = leaving.term(held, now=now)
    try:
        with transaction.atomic():
            made = RenewalRefusal.objects.create(
                subscription=held, account=held.account, why=why, words=words.strip()[:500], ends_on=ends_on,
                decided_by_id=actor.user_id, decided_at=now,
            )  # fmt: skip
    except IntegrityError:
        raise RuleViolation(_("This has been decided already."), rule=RULE) from None
    held.ends_on = ends_on
    held.save(update_fields=["ends_on"])
    tell("subscription.renewal_refused", held, now=now, actor=actor, rule=RULE,
         data={"subscription": held.reference, "on": ends_on.isoformat(), "why": why})  # fmt: skip
    _write("renewal_refused", made, held, now=now)
    return made


@transaction.atomic
def take_back(row: Subscription, *, why: str, actor: Actor, now: datetime) -> Subscription:
    """It is renewed again, unless its client asked for the end as well. RuleViolation without a reason, or when its day
    has come."""
    if not why.strip():
        raise RuleViolation(_("Please give the reason."), rule=RULE, field="taken_back")
    held = subscriptions.hold(row)
    refusal = open_refusal(held)
    if refusal is None:
        return held
    if held.state == SubscriptionState.TERMINATED or paris_date(now) >= refusal.ends_on:
        raise RuleViolation(_("The term has been reached already."), rule=RULE)
    refusal.taken_back_at, refusal.taken_back_by_id, refusal.taken_back_why = now, actor.user_id, why.strip()[:300]
    refusal.save(update_fields=["taken_back_at", "taken_back_by", "taken_back_why"])
    if not held.end_wishes:  # what the client wished with the end is kept with it
        held.ends_on = None
        held.save(update_fields=["ends_on"])
    tell("subscription.renewal_restored", held, now=now, actor=actor, rule=RULE,
         data={"subscription": held.reference})  # fmt: skip
    _write("renewal_restored", refusal, held, now=now, ends=held.ends_on is not None)
    return held


def _write(template: str, refusal: RenewalRefusal, row: Subscription, *, now: datetime, ends: bool = True) -> None:
    language = texts.language_of(row.account.language)
    with translation.override(language):
        why = str(refusal.get_why_display())
    mail.send(
        template, to=row.account.billing_email, lang=language, key=f"{template}:{refusal.pk}", now=now,
        account_id=row.account_id, subject=row,
        context={
            "name": row.account.name, "subscription": row.reference, "service": subscriptions.described(row, language),
            "day": texts.day(language, refusal.ends_on), "why": why, "words": refusal.words, "ends": ends,
            "path": f"/services/subscriptions/{row.reference}/",
        },
    )  # fmt: skip
