"""What the provider paid out, once, whatever the order of its messages (INV-11, INV-12).

Collected money stands on the provider's account (511700). A payout takes all that it is made of off it: its amount goes
into transit (580000) until the bank shows it (512000), what the provider kept is a cost (627800). One that failed comes
back onto the provider's account, where the next payout takes it along.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing import gateways
from invoicing.accounting import ledger
from invoicing.gateways import Movement, PayoutState
from invoicing.models import Payout, PayoutLine
from invoicing.paying_out import payout_rules
from panel.core import bulk, events, live, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Operation
from panel.core.states import move

PAID_OUT, ARRIVED, CAME_BACK = "payout", "payout_arrived", "payout_failed"
ENTRIES = (PAID_OUT, ARRIVED, CAME_BACK)


@transaction.atomic
def conclude(told: PayoutState, lines: Sequence[Movement], *, now: datetime) -> Payout:
    """Write down how a payout stands, and book what follows, once; `lines` are what it is made of, once it is paid."""
    provider = gateways.get().name
    known, _new = Payout.objects.get_or_create(
        provider=provider, provider_ref=told.ref,
        defaults={"amount_cents": told.amount_cents, "made_at": told.at, "arrives_on": told.arrives_on},
    )  # fmt: skip
    payout = Payout.objects.select_for_update().get(pk=known.pk)
    if told.state != payout_rules.MOVING and payout.state == payout_rules.MOVING:
        _booked(payout, told, lines, now=now)
    if told.state == payout_rules.FAILED and payout.state == payout_rules.PAID:
        _came_back(payout, now=now)
    return payout


def _booked(payout: Payout, told: PayoutState, lines: Sequence[Movement], *, now: datetime) -> None:
    """What the provider calls by no name that we know waits to be explained; the rest was collected, or given back."""
    bulk.insert([
        PayoutLine(
            payout_id=payout.pk, provider_ref=one.ref, kind=one.kind, source=one.source or one.ref,
            gross_cents=one.gross_cents, fee_cents=one.fee_cents, at=one.at,
        )
        for one in lines
    ])  # fmt: skip
    payout.fee_cents = sum(one.fee_cents for one in lines)
    payout.amount_cents, payout.arrives_on, payout.trace = told.amount_cents, told.arrives_on, told.trace[:100]
    payout.save(update_fields=["fee_cents", "amount_cents", "arrives_on", "trace"])
    unexplained = sum(one.gross_cents for one in lines if one.kind == payout_rules.OTHER)
    legs = [
        ledger.debit(ledger.TRANSIT, payout.amount_cents), ledger.debit(ledger.BANK_COSTS, payout.fee_cents),
        ledger.credit(ledger.SUSPENSE, unexplained), ledger.credit(ledger.CLEARING, payout.gross_cents - unexplained),
    ]  # fmt: skip
    ledger.post(PAID_OUT, payout.provider_ref, legs, now=now)
    move(payout, payout_rules.PAID, payout_rules.PAYOUT_TRANSITIONS)
    _tell("paid", payout, now=now)


def _came_back(payout: Payout, *, now: datetime) -> None:
    """It left where it stood: in transit, or at the bank that had shown it already."""
    held = ledger.TRANSIT if payout.arrived_on is None else ledger.BANK
    legs = [ledger.debit(ledger.CLEARING, payout.amount_cents), ledger.credit(held, payout.amount_cents)]
    ledger.post(CAME_BACK, payout.provider_ref, legs, now=now)
    move(payout, payout_rules.FAILED, payout_rules.PAYOUT_TRANSITIONS)
    operations.enqueue(Failed.kind, key=f"payout-failed:{payout.provider_ref}", now=now, subject=payout)
    _tell("failed", payout, now=now)


@transaction.atomic
def arrived(payout: Payout, on: date, *, actor: Actor, now: datetime) -> Payout:
    """The bank booked it on `on` (Paris day). RuleViolation when it is not on its way to the bank, or that day is still
    to come."""
    held = Payout.objects.select_for_update().get(pk=payout.pk)
    if held.state != payout_rules.PAID or held.arrived_on is not None:
        raise RuleViolation(_("This payout is not on its way to the bank."), rule="INV-11", field="payout")
    if not paris_date(held.made_at) <= on <= paris_date(now):
        raise RuleViolation(_("It cannot have arrived on this day."), rule="INV-11", field="day")
    held.arrived_on = on
    held.save(update_fields=["arrived_on"])
    legs = [ledger.debit(ledger.BANK, held.amount_cents), ledger.credit(ledger.TRANSIT, held.amount_cents)]
    ledger.post(ARRIVED, held.provider_ref, legs, now=now)
    _tell("arrived", held, now=now, actor=actor)
    return held


def _tell(what: str, payout: Payout, *, now: datetime, actor: Actor = SYSTEM) -> None:
    name = f"invoicing.payout.{what}"
    data = {"payout": payout.provider_ref, "amount_cents": payout.amount_cents}
    events.record(name, now=now, actor=actor, subject=payout, rule="INV-11", data=data)
    live.publish(["staff"], name, {"id": payout.pk})


@operations.register
class Failed(operations.Handler):
    """A payout that came back stands in the staff's queue until somebody has mended what stood in its way."""

    kind = "payouts.failed"
    label = gettext_lazy("A payout of the payment provider came back")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        raise ProviderError(
            "our bank sent a payout of the provider back: correct the bank account at the provider, then discard this",
            permanent=True, code="payout_failed",
        )  # fmt: skip
