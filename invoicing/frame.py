"""What this room adds to the frame around every page: services and billing, orders and invoices, search."""

from collections.abc import Callable, Iterable

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from invoicing import actions, selectors
from invoicing.models import Invoice, InvoiceState, Order
from panel.core.actions import Action
from panel.core.prepared import Prepared, whoever
from panel.core.shell import Hit, NavEntry, NavGroup, register_nav, register_search
from panel.core.web import actor

MOST_HITS = 5
_UNPAID = Prepared(
    lambda: (
        Invoice.objects.visible_to(whoever())
        .filter(state__in=[InvoiceState.OPEN, InvoiceState.OVERDUE])
        .order_by()
        .values_list("pk")
    ),
    counted=True,
)


def _permits(action: Action) -> Callable[[HttpRequest], bool]:
    return lambda request: action.permits(actor(request))


def find(request: HttpRequest, words: str) -> Iterable[Hit]:
    """Staff finds any invoice by its number; customers find their invoices and their orders."""
    asking = actor(request)
    if actions.STAFF_INVOICES.permits(asking):
        rows = Invoice.objects.visible_to(asking).select_related("account").defer("document", "vat_evidence")
        for invoice in selectors.numbered(rows, words)[:MOST_HITS]:
            url = reverse("invoicing_staff:invoice_detail", args=[invoice.number])
            yield Hit(invoice.number, url, str(invoice.account), "invoice", _("Invoices"))
        return
    if actions.INVOICES.permits(asking):
        for number in selectors.numbered(Invoice.objects.visible_to(asking), words).values_list("number", flat=True)[
            :MOST_HITS
        ]:
            yield Hit(number, reverse("invoicing:invoice_detail", args=[number]), "", "invoice", _("Invoices"))
    if actions.SEE_ORDER.permits(asking):
        for order in Order.objects.visible_to(asking).filter(reference__icontains=words)[:MOST_HITS]:
            url = reverse("invoicing:order_detail", args=[order.reference])
            yield Hit(order.reference, url, "", "order", _("Orders"))


register_nav(
    "sandbox",
    NavEntry(
        "services", _("Services"), "invoicing:catalogue", "services", 15, "v", allowed=_permits(actions.CATALOGUE)
    ),
    NavEntry(
        "billing", _("Billing"), "invoicing:billing", "billing", 40, "b", allowed=_permits(actions.INVOICES),
        count=_UNPAID,
    ),
)  # fmt: skip
ALSO = {
    "invoices": ("invoicing_staff:order_list", "invoicing_staff:run_list", "invoicing_staff:metering"),
    "catalogue": ("invoicing_staff:promotion_list", "invoicing_staff:group_list"),
    "payments": ("invoicing_staff:debit_list", "invoicing_staff:bank_list", "invoicing_staff:payout_list"),
}
BILLING = NavGroup(_("Billing"), "billing")
register_nav(
    "ops",
    *(
        NavEntry(
            key, label, f"invoicing_staff:{page}", icon, order, go, group=BILLING, allowed=_permits(action),
            also=ALSO.get(key, ()),
        )
        for order, (key, label, page, icon, go, action) in enumerate((
            ("invoices", _("Invoices"), "invoice_list", "invoice", "i", actions.STAFF_INVOICES),
            ("quotes", _("Quotes"), "quote_list", "document", "q", actions.STAFF_QUOTES),
            ("payments", _("Payments"), "payment_list", "coin", "", actions.STAFF_PAYMENTS),
            ("dunning", _("Dunning"), "dunning", "alarm", "", actions.STAFF_DUNNING),
            ("ledger", _("Ledger"), "ledger", "scale", "l", actions.STAFF_LEDGER),
            ("books", _("Books"), "books", "book", "", actions.BOOKS),
            ("catalogue", _("Catalogue"), "catalogue_list", "catalogue", "", actions.STAFF_CATALOGUE),
        ), start=51)
    ),
)  # fmt: skip
register_search(find)
