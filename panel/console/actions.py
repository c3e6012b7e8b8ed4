"""Who of the staff may do what in the console. Administrators always may."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action, Danger

_EVERY_ROLE = ("support", "billing", "abuse", "infrastructure")

WORK = Action("console.work", _("My work"), roles=_EVERY_ROLE)
OPERATIONS = Action("console.operations", _("Operations"), roles=_EVERY_ROLE)
RETRY = Action("console.operation_retry", _("Try again"), roles=("infrastructure", "billing", "abuse"))
DISCARD = Action(
    "console.operation_discard", _("Discard"), roles=("infrastructure", "billing", "abuse"), danger=Danger.CONFIRM
)
MAIL = Action("console.mail", _("Outgoing mail"), roles=("support", "billing", "abuse"))
HEALTH = Action("console.health", _("Health"), roles=_EVERY_ROLE)
AUDIT = Action("console.audit", _("Journal"), roles=("abuse", "billing"))
VERIFY = Action("console.audit_verify", _("Verify the chain"), roles=("abuse", "billing"))
