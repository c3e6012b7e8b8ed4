"""What requests add to the frame around every page."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from panel.core.shell import NavEntry, register_nav
from panel.core.web import actor
from tickets import actions, selectors


def _may_see(request: HttpRequest) -> bool:
    return actions.SEE.permits(actor(request))


def _staff_may_see(request: HttpRequest) -> bool:
    return actions.QUEUE.permits(actor(request))


register_nav(
    "sandbox",
    NavEntry(
        "support",
        _("Support"),
        "tickets:ticket_list",
        "support",
        50,
        "r",
        allowed=_may_see,
        count=selectors.WAITING_ON_CUSTOMER,
    ),
)
register_nav(
    "ops",
    NavEntry("tickets", _("Requests"), "tickets_staff:ticket_list", "tickets", 20, "r", allowed=_staff_may_see,
             count=selectors.WAITING_ON_STAFF),
)  # fmt: skip
