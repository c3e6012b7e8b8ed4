"""Running subscriptions: what they consist of, changing and ending them, each with its price first."""

from datetime import date, datetime
from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions, selectors
from invoicing.models import Subscription
from invoicing.rules import Quotation
from invoicing.subscribing import changes, composing, ending, pauses, subscriptions
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from panel.api import auth, idempotency, paging
from panel.api.endpoints.orders import Interval, LineOut, key_of
from panel.core import clock
from panel.core.actors import Actor

router = Router(tags=["subscriptions"])


class SubscriptionOut(Schema):
    reference: str
    state: str
    package: str
    interval: str
    options: dict[str, int]
    period_cents: int = Field(description="The price of one period, excluding VAT.")
    period_start: date
    period_end: date = Field(description="The first day of the next period.")
    paused_at: datetime | None = Field(description="Since when its client has paused it.")
    ends_on: date | None = Field(description="The first day without it, where its end is planned.")
    started_at: datetime
    ended_at: datetime | None
    order_number: str = Field(description="Your own, on its invoices; empty: that of the account.")


class ChangeIn(Schema):
    package: str | None = Field(None, description="Left out: as it is.")
    interval: Interval | None = None
    options: dict[str, int] | None = Field(
        None, description="Quantity of each option; one that is not named is not wanted. Left out: as they are."
    )


class OrderNumberIn(Schema):
    order_number: str = Field(max_length=60, description="Empty: that of the account.")


class CostOut(Schema):
    lines: list[LineOut]
    net_cents: int
    vat_cents: int
    total_cents: int


class ChangePriceOut(Schema):
    to_pay: CostOut | None = Field(description="Invoiced at once, for the days left of the running period.")
    each_period: CostOut = Field(description="From the renewal on.")
    renewal_on: date
    changes_today: bool
    changes_later: bool = Field(description="Something takes effect when the next period begins.")
    refusal: str = Field(description="Why it is not possible; empty when it is.")


class EndIn(Schema):
    when: Literal["term", "now"] = "term"
    keeps_code: bool = Field(default=False, description="You leave with the code of a project we developed (SUB-7).")
    migration: bool = Field(default=False, description="We move it to your new host (SUB-7).")


class EndPriceOut(Schema):
    term: date = Field(description="The first day without it, when it ends at its term.")
    paid_until: date
    unpaid_cents: int = Field(description="Payable on open invoices that carry the subscription.")
    to_pay: CostOut | None = Field(description="Invoiced with the end.")


def _rows(asking: Actor) -> QuerySet[Subscription]:
    return selectors.subscriptions(asking).prefetch_related("options__option")


def _cost(quotation: Quotation) -> CostOut:
    lines = [
        LineOut(
            description=one.description, quantity=str(one.quantity), unit_price=str(one.unit_price), net_cents=one.net
        )
        for one in quotation.lines
    ]
    totals = quotation.totals
    return CostOut(lines=lines, net_cents=totals.net, vat_cents=totals.vat, total_cents=totals.total)


def _subscription(row: Subscription) -> SubscriptionOut:
    held = composing.held_by(row, row.options.all())
    names = ("reference", "state", "interval", "period_start", "period_end", "paused_at", "ends_on", "started_at",
             "ended_at", "order_number")  # fmt: skip
    return SubscriptionOut(
        **{name: getattr(row, name) for name in names}, package=held.package, options=held.quantities(),
        period_cents=held.period_cents,
    )  # fmt: skip


def _wish(row: Subscription, payload: ChangeIn) -> Wish:
    before = changes.wished(row)
    options = before.options if payload.options is None else payload.options
    return Wish(payload.package or before.package, payload.interval or before.interval, options)


@router.get("", response=paging.Pages[SubscriptionOut], summary="List subscriptions")
def list_subscriptions(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    return paging.page(_rows(auth.actor(request, actions.SUBSCRIPTIONS)), paged, _subscription)


@router.get("/{reference}", response=SubscriptionOut, summary="Get a subscription")
def get_subscription(request: HttpRequest, reference: str) -> SubscriptionOut:
    return _subscription(_rows(auth.actor(request, actions.SUBSCRIPTIONS)).get(reference=reference))


@router.post(
    "/{reference}/order-number", response={200: SubscriptionOut}, summary="Give a subscription your order number"
)
@idempotency.once(actions.ORDER_NUMBER)
def number_subscription(request: HttpRequest, reference: str, payload: OrderNumberIn) -> tuple[int, Schema]:
    """It stands on the invoices of this service from now on, and in the e-invoice (BT-13)."""
    asking = auth.actor(request, actions.ORDER_NUMBER)
    row = _rows(asking).get(reference=reference)
    subscriptions.give_order_number(row, payload.order_number, actor=asking, now=clock.now())
    return 200, _subscription(_rows(asking).get(pk=row.pk))


@router.post("/{reference}/change/preview", response=ChangePriceOut, summary="Price of a change")
def preview_change_of_subscription(request: HttpRequest, reference: str, payload: ChangeIn) -> ChangePriceOut:
    """What the change would do today and at the renewal, and cost; nothing is kept."""
    row = _rows(auth.actor(request, actions.CHANGE_SUBSCRIPTION)).get(reference=reference)
    found = changes.preview(row, _wish(row, payload), now=clock.now())
    to_pay = _cost(found.to_pay) if found.to_pay else None
    return ChangePriceOut(
        to_pay=to_pay, each_period=_cost(found.period), renewal_on=found.renewal_on,
        changes_today=found.changes_today, changes_later=found.changes_later, refusal=found.refusal,
    )  # fmt: skip


@router.post("/{reference}/change", response={201: SubscriptionOut}, summary="Change a subscription")
@idempotency.once(actions.CHANGE_SUBSCRIPTION)
def change_subscription(request: HttpRequest, reference: str, payload: ChangeIn) -> tuple[int, Schema]:
    """What adds to it happens at once and is invoiced; what takes from it happens at the renewal."""
    asking = auth.actor(request, actions.CHANGE_SUBSCRIPTION)
    row = _rows(asking).get(reference=reference)
    auth.actor(request, actions.CHANGE_SUBSCRIPTION, row)
    changes.change(row, _wish(row, payload), key=key_of(request), actor=asking, now=clock.now())
    return 201, _subscription(_rows(asking).get(pk=row.pk))


@router.post("/{reference}/end/preview", response=EndPriceOut, summary="Price of an end")
def preview_end_of_subscription(request: HttpRequest, reference: str, payload: EndIn) -> EndPriceOut:
    row = _rows(auth.actor(request, actions.END_SUBSCRIPTION)).get(reference=reference)
    found = ending.preview(row, now=clock.now(), wishes=Wishes(payload.keeps_code, payload.migration))
    due = found.at_once if payload.when == "now" else found.at_term
    return EndPriceOut(
        term=found.term, paid_until=found.paid_until, unpaid_cents=found.unpaid_cents,
        to_pay=_cost(due) if due else None,
    )  # fmt: skip


@router.post("/{reference}/end", response={201: SubscriptionOut}, summary="End a subscription")
@idempotency.once(actions.END_SUBSCRIPTION)
def end_subscription(request: HttpRequest, reference: str, payload: EndIn) -> tuple[int, Schema]:
    """At its term, or at once: then the service is removed with its data."""
    asking = auth.actor(request, actions.END_SUBSCRIPTION)
    row = _rows(asking).get(reference=reference)
    auth.actor(request, actions.END_SUBSCRIPTION, row)
    wishes = Wishes(payload.keeps_code, payload.migration)
    deed = ending.end_now if payload.when == "now" else ending.end_at_term
    deed(row, wishes, actor=asking, now=clock.now())
    return 201, _subscription(_rows(asking).get(pk=row.pk))


@router.post("/{reference}/keep", response={201: SubscriptionOut}, summary="Take a planned end back")
@idempotency.once(actions.END_SUBSCRIPTION)
def keep_subscription(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    """It is renewed on its anniversary again."""
    asking = auth.actor(request, actions.END_SUBSCRIPTION)
    row = _rows(asking).get(reference=reference)
    ending.keep(row, actor=asking, now=clock.now())
    return 201, _subscription(_rows(asking).get(pk=row.pk))


@router.post("/{reference}/pause", response={201: SubscriptionOut}, summary="Pause a subscription")
@idempotency.once(actions.PAUSE_SUBSCRIPTION)
def pause_subscription(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    """The service is switched off and keeps everything; its price continues and its anniversary stays."""
    asking = auth.actor(request, actions.PAUSE_SUBSCRIPTION)
    row = _rows(asking).get(reference=reference)
    pauses.pause(row, actor=asking, now=clock.now())
    return 201, _subscription(_rows(asking).get(pk=row.pk))


@router.post("/{reference}/resume", response={201: SubscriptionOut}, summary="End the pause of a subscription")
@idempotency.once(actions.PAUSE_SUBSCRIPTION)
def resume_subscription(request: HttpRequest, reference: str) -> tuple[int, Schema]:
    """It runs again, unless we suspended it meanwhile."""
    asking = auth.actor(request, actions.PAUSE_SUBSCRIPTION)
    row = _rows(asking).get(reference=reference)
    pauses.resume(row, actor=asking, now=clock.now())
    return 201, _subscription(_rows(asking).get(pk=row.pk))
