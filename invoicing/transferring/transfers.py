"""A running service is offered to another account: offered, withdrawn, declined, expired (SUB-2, SUB-4).

Whether the receiving account exists is never told: an offer to nobody is kept like any other, until it expires. What
happens when it is accepted stands in `handing_over`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from invoicing.models import (
    Contest,
    ContestState,
    Dispute,
    DisputeState,
    Invoice,
    InvoiceState,
    PackageMeter,
    ServiceTransfer,
    Subscription,
    TransferState,
)
from invoicing.renewing import billing
from invoicing.subscribing import composing, kinds, subscriptions
from invoicing.transferring import transfer_rules
from invoicing.transferring.transfer_rules import Service, Why
from panel.accounts import terms_in_force
from panel.accounts.models import Account, Membership, Restriction
from panel.core import due, events, live, mail, references
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.models import subject_of
from panel.core.states import move

RULE = "SUB-4"
A_DAY = timedelta(days=1)
OFFERS_A_DAY = 5  # of one account: an offer sends a letter to somebody who did not ask for it

SENTENCES = {
    Why.ENDED: gettext_lazy("This subscription has ended."),
    Why.RESTRICTED: gettext_lazy("This service is restricted at the moment and cannot go to another account."),
    Why.RESTING: gettext_lazy("Only a service that runs can be transferred. End the pause first."),
    Why.TRIAL: gettext_lazy("A free trial cannot be transferred."),
    Why.UNPAID: gettext_lazy("Something invoiced for this service is not paid yet. It can be transferred once it is."),
    Why.DISPUTED: gettext_lazy("An invoice of this service is disputed. It can be transferred when that is decided."),
    Why.ENDING: gettext_lazy("This subscription is going to end. Take the end back first, then transfer it."),
    Why.CHANGING: gettext_lazy("A change is planned for the renewal. Take it back first, then transfer the service."),
    Why.RENEWING: gettext_lazy("The renewal is just being invoiced. Please try again in a few minutes."),
    Why.COUNTING: gettext_lazy("The traffic of last month is still being counted. Please try again tomorrow."),
}
ENDED = {
    TransferState.ACCEPTED: gettext_lazy("This offer has been accepted already."),
    TransferState.DECLINED: gettext_lazy("This offer has been declined."),
    TransferState.WITHDRAWN: gettext_lazy("This offer has been withdrawn."),
    TransferState.EXPIRED: gettext_lazy("This offer has expired."),
}


# --- may it go? -------------------------------------------------------------------------------------------------------


def why_not(row: Subscription, *, now: datetime) -> str:
    """What stands in the way of a transfer, in the reader's language; "" when nothing does."""
    code = transfer_rules.refusal(_facts(row, now=now))
    return str(SENTENCES[code]) if code else kinds.objection_to_transfer(row)


def _facts(row: Subscription, *, now: datetime) -> Service:
    today = paris_date(now)
    billed = Invoice.objects.filter(account=row.account_id, lines__subscription=row).distinct()
    disputes = Dispute.objects.filter(payment__invoice__in=billed, state=DisputeState.OPEN).count()
    ordered = Dispute.objects.filter(payment__order=row.order_id, account=row.account_id, state=DisputeState.OPEN)
    named = subject_of(row)
    mine = Q(scope=Restriction.Scope.ACCOUNT) | Q(**named)
    limits = Restriction.objects.filter(mine, account=row.account_id, state__in=["active", "waiting"])
    return Service(
        state=row.state, on_trial=row.on_trial, ends=row.ends_on is not None,
        change_planned=composing.planned(row) is not None,
        renewal_due=row.next_due_on is None or row.next_due_on <= today or today >= row.period_end,
        month_open=billing.unread(row, today),
        unpaid=billed.filter(state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE]).count(),
        disputed=Contest.objects.filter(invoice__in=billed, state=ContestState.OPEN).count()
        + disputes + (ordered.count() if row.order_id else 0),
        restrictions=limits.count(),
    )  # fmt: skip


def is_metered(row: Subscription) -> bool:
    """Whether what it uses is told by events, which can come late (OPR-1)."""
    return PackageMeter.objects.filter(package=row.package_id).exists()


def open_offer(row: Subscription) -> ServiceTransfer | None:
    """The offer of the subscription that waits for an answer."""
    return ServiceTransfer.objects.filter(subscription=row, state=TransferState.OFFERED).first()


# --- offered ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def offer(
    row: Subscription, *, to: str, reason: str, actor: Actor, now: datetime, by_staff: bool = False
) -> ServiceTransfer:
    """Offer the service to the account of the reference `to`, which can accept within the days of its terms. The same
    whether that account exists or not; its owner is told if it does. RuleViolation (with `field`) without a reason,
    for the account's own reference, or where something stands in the way."""
    held = subscriptions.hold(row)
    to = to.strip().upper()
    if not to or len(to) > 20:
        raise RuleViolation(_("Please give the reference of the account, such as ACC-7KQ2M9."), rule=RULE, field="to")
    if to == held.account.reference:
        raise RuleViolation(_("This is the account that has the service already."), rule=RULE, field="to")
    if not reason.strip():
        raise RuleViolation(_("Please give the reason."), rule=RULE, field="reason")
    if open_offer(held) is not None:
        raise RuleViolation(_("This service is on offer already. Withdraw that offer first."), rule=RULE)
    if sentence := why_not(held, now=now):
        raise RuleViolation(sentence, rule=RULE)
    lately = ServiceTransfer.objects.filter(account=held.account_id, by_staff=False, offered_at__gt=now - A_DAY)
    if not by_staff and lately.count() >= OFFERS_A_DAY:
        raise RuleViolation(_("That is enough for one day. Please try again tomorrow."), rule=RULE)
    version = terms_in_force.at(held.account, now)
    made = ServiceTransfer.objects.create(
        reference=references.new("TRF"), subscription=held, account=held.account, addressed_to=to,
        receiver=Account.objects.filter(reference=to, state=Account.State.OPEN).first(), reason=reason.strip()[:300],
        terms_version=version.name, offered_at=now, offered_by_id=actor.user_id, by_staff=by_staff,
        expires_at=transfer_rules.stands_until(now, version.transfer_days),
    )  # fmt: skip
    told(made, "offered", now=now, actor=actor)
    write(made, "transfer_offered", made.receiver, now=now)
    return made


# --- not taken --------------------------------------------------------------------------------------------------------


@transaction.atomic
def withdraw(transfer: ServiceTransfer, *, actor: Actor, now: datetime) -> ServiceTransfer:
    """Its giver takes the offer back, until it is accepted; twice changes nothing."""
    return _end(transfer, TransferState.WITHDRAWN, actor=actor, now=now)


@transaction.atomic
def decline(transfer: ServiceTransfer, *, actor: Actor, now: datetime) -> ServiceTransfer:
    """Its receiver does not want it; twice changes nothing."""
    return _end(transfer, TransferState.DECLINED, actor=actor, now=now)


def held(transfer: ServiceTransfer) -> ServiceTransfer:
    """The offer, locked after its subscription: of two answers at once the first counts."""
    subscriptions.locked(transfer.subscription_id)
    ServiceTransfer.objects.select_for_update().get(pk=transfer.pk)
    return ServiceTransfer.objects.select_related("subscription", "account", "receiver").get(pk=transfer.pk)


def check_open(transfer: ServiceTransfer) -> None:
    """RuleViolation with what became of an offer that is not open any more."""
    if transfer.state != TransferState.OFFERED:
        raise RuleViolation(str(ENDED[TransferState(transfer.state)]), rule=RULE)


def _end(transfer: ServiceTransfer, state: TransferState, *, actor: Actor, now: datetime) -> ServiceTransfer:
    row = held(transfer)
    if row.state == state:
        return row
    check_open(row)
    finish(row, state, actor=actor, now=now)
    for account in (row.account, row.receiver):
        write(row, "transfer_ended", account, now=now, how=str(state))
    return row


def finish(row: ServiceTransfer, state: TransferState, *, actor: Actor, now: datetime, **fields: Any) -> None:
    """Write the end of a (locked) offer down, with `fields` of it, and tell both sides."""
    move(row, state, transfer_rules.TRANSFER_TRANSITIONS)
    for name, value in {"ended_at": now, "ended_by_id": actor.user_id, **fields}.items():
        setattr(row, name, value)
    row.save()
    told(row, str(state), now=now, actor=actor)


@due.sweep("invoicing.transfers", every_seconds=900)
def expire(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Offers that nobody accepted in time."""
    over = ServiceTransfer.objects.filter(state=TransferState.OFFERED, expires_at__lt=now).order_by("pk")
    if dry_run:
        return SweepReport(would=[f"let the offer {row.reference} expire" for row in over])
    return due.each(list(over.values_list("pk", flat=True)), lambda pk: _expire(pk, now=now))


@transaction.atomic
def _expire(pk: int, *, now: datetime) -> None:
    row = held(ServiceTransfer.objects.get(pk=pk))
    if row.state == TransferState.OFFERED and transfer_rules.is_over(row.expires_at, now):
        _end(row, TransferState.EXPIRED, actor=CLOCK, now=now)


# --- told -------------------------------------------------------------------------------------------------------------


def told(row: ServiceTransfer, what: str, *, now: datetime, actor: Actor) -> None:
    """The journal of both sides; who is to receive it is told of by the reference that was typed."""
    data = {"subscription": row.subscription.reference, "transfer": row.reference, "to": row.addressed_to}
    sides: Sequence[int] = [row.account_id, *([row.receiver_id] if row.receiver_id else [])]
    for account_id in sides:
        name = f"invoicing.transfer.{what}"
        events.record(name, now=now, actor=actor, subject=row, account_id=account_id, rule=RULE, data=data)
        live.publish([f"account:{account_id}", "staff"], name, {"id": row.pk})


def write(row: ServiceTransfer, template: str, account: Account | None, *, now: datetime, **more: Any) -> None:
    """One letter about the offer, in the language of `account`: to the owner of who is to receive it, and to the
    billing address of who gives it. None: there is nobody to write to."""
    if account is None:
        return
    gives, language = account.pk == row.account_id, texts.language_of(account.language)
    owner = Membership.objects.select_related("user").filter(account=account, is_owner=True).first()
    to = account.billing_email if gives or owner is None else owner.user.email
    mail.send(
        template, to=to, lang=language, key=f"{template}:{row.pk}:{account.pk}", now=now, account_id=account.pk,
        subject=row,
        context={
            "name": account.name, "service": subscriptions.described(row.subscription, language), "gives": gives,
            "from_name": str(row.account), "to": row.addressed_to, "until": texts.day(language, row.last_day),
            "server": row.subscription.service_kind == "vps", "metered": is_metered(row.subscription),
            "subscription": row.subscription.reference, "path": f"/services/transfers/{row.reference}/", **more,
        },
    )  # fmt: skip
