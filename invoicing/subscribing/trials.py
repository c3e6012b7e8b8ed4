"""Free trials: once an account, for the days its package says; then it is paid for, or ends (SUB-2, SUB-5).

Nothing is charged for the trial, what it consumes included. Its invoice over 0.00 writes the period down. The first
paid period begins on the day after it, and periods are counted from there.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from invoicing.journal import tell
from invoicing.models import Order, OrderState, Package, Subscription, SubscriptionState
from invoicing.paying import collecting
from invoicing.subscribing import subscriptions
from panel import terms
from panel.accounts.models import Account
from panel.core import due, mail
from panel.core.actors import CLOCK
from panel.core.calendars import paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation

RULE = "SUB-2"
HAS_IT = [OrderState.HELD, OrderState.PAID]  # the service may be another account's by now
REFUSALS = {
    "none": gettext_lazy("This package has no free trial."),
    "used": gettext_lazy("Your account has had its free trial."),
    "means": gettext_lazy("A free trial of this package asks for a means of payment on file. Please add one first."),
}


def had(account: Account) -> bool:
    """Whether the account has had its free trial, or has one ordered that a person is looking at (SUB-4)."""
    if Order.objects.filter(account=account, state__in=HAS_IT).exclude(trial_days=0).exists():
        return True
    return Subscription.objects.filter(account=account).exclude(trial_ends_on=None).exists()


def refusal(account: Account, package: Package) -> str | None:
    """Why `account` cannot try `package`, as a key of REFUSALS, or None."""
    if not package.trial_days:
        return "none"
    if had(account):
        return "used"
    return "means" if package.trial_needs_means and not collecting.has_means(account) else None


def check(account: Account, package: Package, quantities: Mapping[str, int], promotion: str) -> None:
    """RuleViolation (field "trial") where the trial cannot be had; it is of the package alone. The caller holds the
    account's lock, and the database refuses a second one in any case."""
    why = refusal(account, package)
    if why is not None:
        raise RuleViolation(str(REFUSALS[why]), rule=RULE, field="trial")
    if promotion or any(quantities.values()):
        sentence = _("A free trial is of the package alone: add options and codes when it is paid for.")
        raise RuleViolation(sentence, rule=RULE, field="trial")


def to_announce(now: datetime) -> QuerySet[Subscription]:
    """Trials that become paid services soon and were not told so."""
    rows = Subscription.objects.filter(
        trial_told_at=None, trial_ends_on__gt=paris_date(now), period_end=F("trial_ends_on"), ends_on=None,
        state__in=[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED],
    )  # fmt: skip
    near = [
        row.pk
        for row in rows
        if row.trial_ends_on is not None
        and row.trial_ends_on - timedelta(days=terms.version(row.terms_version).trial_notice_days) <= paris_date(now)
    ]
    return Subscription.objects.filter(pk__in=near)


@due.sweep("invoicing.trials", every_seconds=3600)
def announce(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """A trial that becomes a paid service is announced before (OPR-11): what it will cost from which day, and until
    when it can be ended for nothing."""
    waiting = to_announce(now)
    if dry_run:
        return SweepReport(would=[f"announce the end of the trial {row.reference}" for row in waiting])
    return due.each(list(waiting.values_list("pk", flat=True)), lambda pk: _announce(pk, now=now))


def _announce(pk: int, *, now: datetime) -> None:
    row = subscriptions.locked(pk)
    if row.trial_told_at is not None or row.trial_ends_on is None:
        return
    row.trial_told_at = now
    row.save(update_fields=["trial_told_at"])
    account, language = row.account, texts.language_of(row.account.language)
    last = row.trial_ends_on - timedelta(days=1)
    tell("trial.announced", row, now=now, actor=CLOCK, rule="OPR-11",
         data={"subscription": row.reference, "on": row.trial_ends_on.isoformat()})  # fmt: skip
    mail.send(
        "trial_ends", to=account.billing_email, lang=language, key=f"trial:{row.reference}", now=now,
        account_id=account.pk, subject=row,
        context={
            "name": account.name, "service": subscriptions.described(row, language), "subscription": row.reference,
            "day": texts.day(language, row.trial_ends_on), "last": texts.day(language, last),
            "price": texts.money(language, row.price_cents), "yearly": row.interval == "year",
            "has_means": collecting.has_means(account),
            "consumer": account.kind == Account.Kind.CONSUMER,
        },
    )  # fmt: skip
