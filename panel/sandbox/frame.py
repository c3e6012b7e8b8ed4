"""What the Sandbox adds to the frame: start page and contacts in the navigation, the account switch, banners,
search."""

from collections.abc import Iterable

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from abuse.models import Case
from invoicing.models import Invoice
from panel.accounts import actions as account_actions
from panel.accounts import selectors as people
from panel.accounts.models import Standing
from panel.core import shell
from panel.core.shell import AccountChoice, Banner, Hit, NavEntry
from panel.core.web import actor
from tickets.models import Ticket

MOST_HITS = 5


def accounts(request: HttpRequest) -> Iterable[AccountChoice]:
    """The accounts the person may enter; for staff that is a member somewhere, the console too."""
    asking = actor(request)
    if asking.user_id is None:
        return
    standing: Standing = request.standing  # type: ignore[attr-defined]
    for row in standing.places:
        url = reverse("accounts:account_switch", args=[row.reference])
        yield AccountChoice(row.reference, row.name, url, row.account_id == asking.account_id)
    if standing.places and standing.roles:
        url = reverse("accounts:account_switch", args=["console"])
        yield AccountChoice("console", str(_("Operations")), url, asking.account_id is None)


def banners(request: HttpRequest) -> Iterable[Banner]:
    """A restriction of the whole account is said on every page: it is why things are refused."""
    asking = actor(request)
    standing: Standing = request.standing  # type: ignore[attr-defined]
    if not any(place.restricted for place in standing.places if place.account_id == asking.account_id):
        return
    for row in people.in_force(asking):
        if row.scope != "account":
            continue
        text = _("Your account is restricted (%(rule)s). Invoices, payment and requests stay open.") % {
            "rule": row.rule
        }
        yield Banner("bad", text, "locked", reverse("sandbox:dashboard"), _("See why"))


def find(request: HttpRequest, words: str) -> Iterable[Hit]:
    """The account's invoices, requests and cases by their number."""
    asking = actor(request)
    if asking.account_id is None:
        return
    if asking.may("pay"):
        for invoice in Invoice.objects.visible_to(asking).filter(number__icontains=words).order_by("-pk")[:MOST_HITS]:
            url = reverse("invoicing:invoice_detail", args=[invoice.number])
            yield Hit(invoice.number, url, str(invoice.issued_on), "invoice", _("Invoices"))
    if asking.may("tickets"):
        rows = Ticket.objects.visible_to(asking)
        named = rows.filter(number__icontains=words) | rows.filter(title__icontains=words)
        for ticket in named.order_by("-pk")[:MOST_HITS]:
            url = reverse("tickets:ticket_detail", args=[ticket.number])
            yield Hit(ticket.title, url, ticket.number, "support", _("Requests"))
        for case in Case.objects.visible_to(asking).filter(reference__icontains=words).order_by("-pk")[:MOST_HITS]:
            yield Hit(case.reference, reverse("abuse:case_detail", args=[case.reference]), "", "cases", _("Cases"))


shell.register_nav(
    "sandbox",
    NavEntry("dashboard", _("Dashboard"), "sandbox:dashboard", "home", order=5, go="h"),
    NavEntry(
        "contacts", _("Contacts"), "accounts:contact_list", "contacts", order=70, go="c",
        allowed=lambda request: account_actions.CONTACTS.permits(actor(request)),
    ),
)  # fmt: skip
shell.register_accounts(accounts)
shell.register_banners(banners)
shell.register_search(find)
