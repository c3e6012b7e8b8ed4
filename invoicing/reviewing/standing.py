"""What staff says that orders are judged by: of an account, and of mail domains (SUB-4)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.journal import tell
from invoicing.models import AccountStanding, MailDomain
from panel.accounts.models import Account
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

RULE = "SUB-4"


def of(account: Account) -> AccountStanding | None:
    return AccountStanding.objects.select_related("changed_by").filter(account=account).first()


@transaction.atomic
def mark_competitor(account: Account, is_one: bool, *, why: str, actor: Actor, now: datetime) -> AccountStanding:
    """Whether the account is a competitor's: its orders are then held by the terms. RuleViolation without a reason."""
    row = _hold(account, why, now=now)
    row.competitor, row.competitor_why = is_one, why.strip()[:300]
    return _keep(row, "competitor" if is_one else "no_competitor", actor=actor, now=now)


@transaction.atomic
def raise_limits(account: Account, raised: bool, *, why: str, actor: Actor, now: datetime) -> AccountStanding:
    """Whether the limits of new accounts no longer bind this one. RuleViolation without a reason."""
    row = _hold(account, why, now=now)
    row.limits_raised, row.limits_why = raised, why.strip()[:300]
    return _keep(row, "limits_raised" if raised else "limits_back", actor=actor, now=now)


def _hold(account: Account, why: str, *, now: datetime) -> AccountStanding:
    if not why.strip():
        raise RuleViolation(_("Please give the reason."), rule=RULE, field="why")
    AccountStanding.objects.get_or_create(account=account, defaults={"changed_at": now})
    return AccountStanding.objects.select_for_update().get(account=account)


def _keep(row: AccountStanding, what: str, *, actor: Actor, now: datetime) -> AccountStanding:
    row.changed_by_id, row.changed_at = actor.user_id, now
    row.save()
    tell(f"account.{what}", row, now=now, actor=actor, rule=RULE)
    return row


@transaction.atomic
def say_domain(domain: str, disposable: bool, *, actor: Actor, now: datetime) -> MailDomain:
    """Note what a (clean) mail domain is; said again, the newest counts."""
    row, _new = MailDomain.objects.update_or_create(
        domain=domain, defaults={"disposable": disposable, "said_by_id": actor.user_id, "said_at": now}
    )
    events.record("invoicing.mail_domain.said", now=now, actor=actor, subject=row, rule=RULE,
                  data={"domain": domain, "disposable": disposable})  # fmt: skip
    return row


@transaction.atomic
def forget_domain(domain: str, *, actor: Actor, now: datetime) -> None:
    """The list of the settings alone decides about it again."""
    row = MailDomain.objects.filter(domain=domain).first()
    if row is None:
        return
    events.record("invoicing.mail_domain.forgotten", now=now, actor=actor, subject=row, rule=RULE,
                  data={"domain": domain})  # fmt: skip
    row.delete()
