"""Who may open the customer's start page."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action

DASHBOARD = Action(
    "sandbox.dashboard", _("Dashboard"), permission="", roles=("support", "billing", "abuse", "infrastructure")
)
