"""Customer groups and their prices: who is in one, and what its members pay (SUB-1). What runs keeps its price until
another is announced to it (LEG-3): joining and a new percentage concern new orders alone, and who leaves is told the
ordinary prices."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing.models import CustomerGroup, GroupMember, GroupPercent
from invoicing.offering.group_rules import Grouped
from panel.accounts.models import Account
from panel.core import events, operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

RULE = "SUB-1"
LEFT = "catalogue.announce_ordinary"  # carried out in price_notices
JUST_NOW = timedelta(minutes=5)


def of(account: Account, *, now: datetime) -> Grouped | None:
    """The group an account pays the prices of at `now`; None: those of the list."""
    member = GroupMember.objects.filter(account=account).values_list("group_id", flat=True).first()
    return None if member is None else with_percent(member, now=now)


def with_percent(group_id: int, *, now: datetime) -> Grouped:
    """A group with its percentage of `now`."""
    rows = GroupPercent.objects.filter(group=group_id, valid_from__lte=now).order_by("-valid_from")
    return Grouped(group_id, rows.values_list("percent", flat=True).first() or Decimal(0))


@transaction.atomic
def create(code: str, name: str, *, actor: Actor, now: datetime) -> CustomerGroup:
    """A new group; RuleViolation when there is one of this code."""
    try:
        with transaction.atomic():
            row = CustomerGroup.objects.create(code=code, name=name, created_at=now)
    except IntegrityError:
        raise RuleViolation(_("There is a group of this code."), rule=RULE, field="code") from None
    events.record("invoicing.group.made", now=now, actor=actor, subject=row, rule=RULE, data={"group": code})
    return row


@transaction.atomic
def join(group: CustomerGroup, reference: str, *, actor: Actor, now: datetime) -> GroupMember:
    """The account of this reference pays the group's prices for what it orders from now on; it leaves the group it was
    in. RuleViolation for an unknown account."""
    account = Account.objects.filter(reference=reference.strip().upper()).first()
    if account is None:
        raise RuleViolation(_("There is no account of this reference."), rule=RULE, field="reference")
    before = GroupMember.objects.select_for_update().filter(account=account).exclude(group=group).exists()
    row, _new = GroupMember.objects.update_or_create(account=account, defaults={"group": group, "since": now})
    if before:
        _left(account.pk, now=now)
    events.record("invoicing.group.joined", now=now, actor=actor, subject=group, account_id=account.pk, rule=RULE,
                  data={"group": group.code})  # fmt: skip
    return row


@transaction.atomic
def leave(group: CustomerGroup, member_id: int, *, actor: Actor, now: datetime) -> None:
    """The account orders at listed prices again, at once; what runs follows a month after they are announced (LEG-3).
    Twice changes nothing."""
    row = GroupMember.objects.select_for_update().filter(group=group, pk=member_id).first()
    if row is None:
        return
    row.delete()
    _left(row.account_id, now=now)
    events.record("invoicing.group.left", now=now, actor=actor, subject=group, account_id=row.account_id, rule=RULE,
                  data={"group": group.code})  # fmt: skip


def _left(account_id: int, *, now: datetime) -> None:
    key = f"{LEFT}:{account_id}:{now.isoformat()}"
    operations.enqueue(LEFT, key=key, now=now, payload={"account": account_id})


@transaction.atomic
def set_percent(
    group: CustomerGroup, percent: Decimal, *, valid_from: datetime, actor: Actor, now: datetime
) -> GroupPercent:
    """What comes off the listed prices for new orders from `valid_from` (UTC) on. RuleViolation for a day in the past,
    or a second percentage from the same instant."""
    if valid_from < now - JUST_NOW:
        raise RuleViolation(_("A price cannot begin in the past."), rule="LEG-3", field="percent_from")
    try:
        with transaction.atomic():
            row = GroupPercent.objects.create(group=group, percent=percent, valid_from=valid_from)
    except IntegrityError:
        sentence = _("There is a percentage from this instant already.")
        raise RuleViolation(sentence, rule="LEG-3", field="percent_from") from None
    events.record("invoicing.group.percent_set", now=now, actor=actor, subject=group, rule=RULE,
                  data={"group": group.code, "percent": str(percent)})  # fmt: skip
    return row
