"""What the console adds to the frame: the staff's navigation, the way back into an account, and search."""

from collections.abc import Callable, Iterable

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from panel.accounts import actions as account_actions
from panel.accounts.models import Account, Approval
from panel.console import actions
from panel.core.actions import Action
from panel.core.models import Operation
from panel.core.prepared import Prepared
from panel.core.shell import Hit, NavEntry, register_nav, register_search
from panel.core.web import actor

MOST_HITS = 8
_FAILED = Prepared(lambda: Operation.objects.filter(state=Operation.State.FAILED).values_list("pk"), counted=True)
_APPROVALS = Prepared(lambda: Approval.objects.filter(state=Approval.State.OPEN).values_list("pk"), counted=True)


def _permits(action: Action) -> Callable[[HttpRequest], bool]:
    return lambda request: action.permits(actor(request))


def find(request: HttpRequest, words: str) -> Iterable[Hit]:
    """Customers by name, company, reference or e-mail; operations by number."""
    asking = actor(request)
    if not account_actions.STAFF_CUSTOMERS.permits(asking):
        return
    named = Q(name__icontains=words) | Q(company__icontains=words) | Q(reference__iexact=words)
    for account in Account.objects.visible_to(asking).filter(named | Q(billing_email__iexact=words))[:MOST_HITS]:
        url = reverse("console:customer_detail", args=[account.reference])
        yield Hit(str(account), url, account.reference, "customers", _("Customers"))
    if words.isascii() and words.isdigit() and len(words) < 16:
        for op in Operation.objects.filter(pk=int(words)):
            yield Hit(
                op.kind, reverse("console:operation_detail", args=[op.pk]), f"#{op.pk}", "operations", _("Operations")
            )


register_nav(
    "ops",
    NavEntry("work", _("My work"), "console:work", "work", order=10, go="w", allowed=_permits(actions.WORK)),
    NavEntry(
        "customers", _("Customers"), "console:customer_list", "customers", order=50, go="c",
        allowed=_permits(account_actions.STAFF_CUSTOMERS),
    ),
    NavEntry(
        "operations", _("Operations"), "console:operation_list", "operations", order=60, go="o",
        allowed=_permits(actions.OPERATIONS), count=_FAILED,
        also=("console:mail_list", "console:health", "console:audit"),
    ),
    NavEntry(
        "approvals", _("Approvals"), "console:approval_list", "approvals", order=70, go="a",
        allowed=_permits(account_actions.STAFF_APPROVE), count=_APPROVALS,
    ),
)  # fmt: skip
register_search(find)
