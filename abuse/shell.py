"""What the abuse desk adds to the frame around every page."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from abuse import actions, selectors
from panel.core.shell import NavEntry, register_nav
from panel.core.web import actor


def _may_see(request: HttpRequest) -> bool:
    return actions.STAFF_SEE.permits(actor(request))


def _may_decide(request: HttpRequest) -> bool:
    return actions.REPORTS.permits(actor(request))


register_nav(
    "ops",
    NavEntry(
        "cases", _("Cases"), "abuse_staff:case_list", "cases", 25, "a", allowed=_may_see, count=selectors.TO_JUDGE
    ),
    NavEntry(
        "reports",
        _("Reports"),
        "abuse_staff:report_list",
        "reports",
        26,
        "e",
        allowed=_may_decide,
        count=selectors.TO_READ,
    ),
)
