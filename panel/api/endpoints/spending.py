"""What the account spends in this calendar month, its own cap, and the limits of a new account."""

from datetime import date

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.limiting import limits, spending
from panel.accounts import selectors as people
from panel.accounts.models import Account
from panel.api import auth
from panel.core import clock

router = Router(tags=["spending"])


class LimitsOut(Schema):
    services: int = Field(description="The most services, running or ordered.")
    services_now: int
    month_cents: int = Field(description="The most for a calendar month, excluding VAT.")
    invoices_left: int = Field(description="How many more invoices must be paid until these limits end.")


class SpendingOut(Schema):
    """All amounts exclude VAT."""

    month: date = Field(description="The first day of the calendar month (Paris).")
    invoiced_cents: int
    ordered_cents: int = Field(description="Ordered, and not invoiced yet.")
    metered_cents: int = Field(description="Counted by the meters so far, and not invoiced yet.")
    total_cents: int
    cap_cents: int | None = Field(description="Your own cap; orders and upgrades beyond it are refused.")
    new_account: LimitsOut | None = Field(description="The limits of a new account; null when none bind it.")


class CapIn(Schema):
    cap_cents: int | None = Field(description="For a calendar month, excluding VAT; null for no cap.")


def _out(account: Account) -> SpendingOut:
    found = limits.of(account, now=clock.now())
    bound = LimitsOut(
        services=found.law.services, services_now=found.standing.services, month_cents=found.law.month,
        invoices_left=found.invoices_left,
    )  # fmt: skip
    return SpendingOut(
        month=found.spent.month, invoiced_cents=found.spent.invoiced, ordered_cents=found.spent.ordered,
        metered_cents=found.spent.metered, total_cents=found.spent.total, cap_cents=found.cap,
        new_account=bound if found.is_new else None,
    )  # fmt: skip


@router.get("", response=SpendingOut, summary="Spending of this month, its cap and limits")
def get_spending(request: HttpRequest) -> SpendingOut:
    return _out(people.account(auth.actor(request, actions.SPENDING)))


@router.put("/cap", response=SpendingOut, summary="Set or remove the spending cap")
def set_cap(request: HttpRequest, payload: CapIn) -> SpendingOut:
    """Holds for orders from now on; what runs is renewed and what was used is invoiced all the same."""
    asking = auth.actor(request, actions.SPENDING)
    account = people.account(asking)
    spending.set_cap(account, payload.cap_cents, actor=asking, now=clock.now())
    return _out(account)
