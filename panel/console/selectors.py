"""Reads of the console: a fixed number of queries each, however long the list."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet

from panel.accounts.models import Account
from panel.core import operations as handlers
from panel.core.models import Event, MailMessage, Operation
from panel.core.prepared import Numbers, Prepared

# Mails whose text logs somebody in or sets a password: only their recipient may read them.
_SECRET = ("account.", "mfa.", "contact_invited")


def account_of(account_id: int | None) -> Account | None:
    """The account an object belongs to, if any."""
    return Account.objects.filter(pk=account_id).first() if account_id else None


def accounts_of(rows: Sequence[Event]) -> list[Account | None]:
    """The account of each row, in one query."""
    found = Account.objects.in_bulk({row.account_id for row in rows if row.account_id})
    return [found.get(row.account_id) for row in rows]


# --- operations ----------------------------------------------------------------------------------------------------
def operations(state: str, kind: str) -> QuerySet[Operation]:
    """Operations in `state` ("open": due and running; "all"), of `kind` if one is named."""
    wanted = {"all": Q(), "open": Q(state__in=("due", "running"))}.get(state, Q(state=state))
    rows = Operation.objects.filter(wanted)
    return rows.filter(kind=kind) if kind else rows


# each by the index of its state
_COUNTS = Numbers([
    Prepared(lambda: Operation.objects.filter(state="failed").values_list("pk"), counted=True),
    Prepared(lambda: Operation.objects.filter(state="due").values_list("pk"), counted=True),
    Prepared(lambda: Operation.objects.filter(state="running").values_list("pk"), counted=True),
])  # fmt: skip


def operation_counts() -> list[tuple[str, int]]:
    """How many are failed and how many open; the finished ones are not counted."""
    failed, due, running = _COUNTS.one()
    return [("failed", failed), ("open", due + running), ("done", 0), ("cancelled", 0), ("all", 0)]


def operation_kinds() -> list[tuple[str, str]]:
    """Every kind the panel knows, with its label."""
    return sorted((kind, str(handler.label)) for kind, handler in handlers.HANDLERS.items())


# --- mail ----------------------------------------------------------------------------------------------------------
def mails(state: str, words: str) -> QuerySet[MailMessage]:
    """Outgoing mails; `state`: "failed", "waiting" or all; `words`: an address, or the beginning of a kind."""
    rows = MailMessage.objects.select_related("content")
    if state == "failed":
        rows = rows.filter(failed_at__isnull=False)
    elif state == "waiting":
        rows = rows.filter(failed_at=None, accepted_at=None)
    if "@" in words:
        rows = rows.filter(content__to__iexact=words)
    elif words:
        rows = rows.filter(template__startswith=words)
    return rows


def holds_a_secret(mail: MailMessage) -> bool:
    """Whether the text lets its reader into somebody's account."""
    return mail.template.startswith(_SECRET)


# --- customers -----------------------------------------------------------------------------------------------------
def customers(words: str, which: str) -> QuerySet[Account]:
    """Accounts by name, company, reference or the e-mail of one of their people; `which`: "" or "restricted"."""
    rows = Account.objects.all()
    if words:
        named = Q(name__icontains=words) | Q(company__icontains=words) | Q(reference__iexact=words)
        mailed = Q(memberships__user__email__icontains=words) | Q(billing_email__icontains=words)
        rows = rows.filter(pk__in=Account.objects.filter(named | mailed).values("pk"))
    if which == "restricted":
        rows = rows.filter(restrictions__state="active").distinct()
    return rows


def people_of(account: Account) -> list[dict[str, Any]]:
    """Who may enter the account."""
    rows = account.memberships.select_related("user").order_by("-is_owner", "pk")
    return [{"user": row.user, "owner": row.is_owner, "permissions": row.named_permissions()} for row in rows]
