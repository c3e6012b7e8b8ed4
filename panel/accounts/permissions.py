"""What a membership may name (ACC-4). A contact sees and does only what its permissions name."""

from django.utils.translation import gettext_lazy as _

LABELS = {
    "see": _("See services and their state"),
    "order": _("Order services"),
    "pay": _("See and pay invoices"),
    "servers": _("Manage servers"),
    "domains": _("Manage domains"),
    "tickets": _("Open and answer requests"),
    "projects": _("Manage projects"),
    "contacts": _("Manage contacts"),
    "account": _("Change account data"),
}
ALL = frozenset(LABELS)

STAFF_LABELS = {
    "support": _("Support"),
    "billing": _("Billing"),
    "abuse": _("Abuse desk"),
    "infrastructure": _("Infrastructure"),
    "administrator": _("Administrator"),
}
