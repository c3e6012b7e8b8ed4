"""What staff sees of a customer, gathered from every app: a fixed number of queries, each list cut to its newest
rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.urls import reverse

from abuse.models import Case
from invoicing import actions as sales
from invoicing.actions import STAFF_VAT
from invoicing.consuming import packs
from invoicing.models import Invoice, Pack, Subscription
from panel.accounts import selectors as people
from panel.accounts.models import Acceptance, Account, Approval, Restriction
from panel.console import selectors
from panel.core.actors import Actor
from panel.core.models import Event, Operation
from servers.actions import DECIDE_FINDING
from servers.models import Discrepancy, Server
from tickets.models import Ticket

NEWEST = 10
JOURNAL = 25


@dataclass(frozen=True)
class Line:
    """An account as the list shows it."""

    account: Account
    services: int
    due_cents: int
    restricted: bool


def lines(accounts: Sequence[Account]) -> list[Line]:
    """The accounts of a page with their running services, what they owe, and whether something is restricted."""
    ids = [account.pk for account in accounts]
    services = dict(
        Subscription.objects.filter(account_id__in=ids, state__in=("active", "suspended"))
        .values_list("account_id").annotate(count=Count("pk")).values_list("account_id", "count")
    )  # fmt: skip
    owed = dict(
        _owed(Q(account_id__in=ids)).values_list("account_id").annotate(cents=_DUE).values_list("account_id", "cents")
    )
    restricted = set(Restriction.objects.in_force().filter(account_id__in=ids).values_list("account_id", flat=True))
    return [
        Line(account, services.get(account.pk, 0), owed.get(account.pk, 0), account.pk in restricted)
        for account in accounts
    ]


_DUE = Sum(F("total_cents") - F("credited_cents") - F("paid_cents"))


def _owed(which: Q) -> Any:
    return Invoice.objects.filter(which, state__in=("open", "overdue"))


def everything(account: Account, actor: Actor) -> dict[str, Any]:
    """All parts of the customer's page."""
    journal = list(Event.objects.filter(account_id=account.pk).order_by("-pk")[:JOURNAL])
    return {
        "people": selectors.people_of(account),
        "subscriptions": Subscription.objects.filter(account=account)
        .select_related("package")
        .order_by("-pk")[:NEWEST],
        "packs": packs.of_account(Pack.objects.filter(account=account)),
        "servers": Server.objects.visible_to(actor).filter(account=account).order_by("-pk")[:NEWEST],
        "invoices": Invoice.objects.filter(account=account).order_by("-pk")[:NEWEST],
        "may_ask_down_payment": sales.STAFF_DOWN_PAYMENT.permits(actor),
        "due_cents": _owed(Q(account=account)).aggregate(cents=_DUE)["cents"] or 0,
        "tickets": Ticket.objects.filter(account=account).order_by("-pk")[:NEWEST],
        "cases": Case.objects.filter(account=account).order_by("-pk")[:NEWEST],
        "restrictions": Restriction.objects.filter(account=account).order_by("-pk")[:NEWEST],
        "acceptances": Acceptance.objects.filter(account=account).select_related("user").order_by("-pk")[:NEWEST],
        "activity": people.timeline(journal),
        "may_sell": sales.STAFF_QUOTE.permits(actor),
        "may_refuse_renewal": sales.STAFF_RENEWAL.permits(actor),
        "may_debit": sales.STAFF_DEBITS.permits(actor),
        "may_stand": sales.STAFF_STANDING.permits(actor),
        "may_see_vat": STAFF_VAT.permits(actor),
    }


def about(op: Operation, actor: Actor) -> str:
    """Where `actor` looks at what an operation is about; "" for what has no page for them."""
    if op.subject_type == Discrepancy._meta.label_lower:
        return reverse("servers:staff_finding", args=[op.subject_id]) if DECIDE_FINDING.permits(actor) else ""
    if op.subject_type == Server._meta.label_lower:
        reference = Server.objects.filter(pk=op.subject_id or 0).values_list("reference", flat=True).first()
        return reverse("servers:staff_server_detail", args=[reference]) if reference else ""
    return ""


def link_to(row: Approval) -> str:
    """Where the object of an approval is looked at; "" for objects that have no page of their own."""
    if row.subject_type == "abuse.case":
        reference = Case.objects.filter(pk=row.subject_id or 0).values_list("reference", flat=True).first()
        return reverse("abuse_staff:case_detail", args=[reference]) if reference else ""
    return reverse("console:customer_detail", args=[row.account.reference]) if row.account else ""
