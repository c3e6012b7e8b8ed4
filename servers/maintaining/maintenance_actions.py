"""Who may read of interruptions, and who may announce them."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action, Danger

STAFF = ("support", "billing", "abuse", "infrastructure")

STATUS = Action("servers.status", _("Status"), public=True)
STAFF_INTERRUPTIONS = Action("servers.interruptions", _("Interruptions"), roles=STAFF)
ANNOUNCE = Action("servers.interruption_announce", _("Announce"), roles=("infrastructure",), danger=Danger.CONFIRM)
UPDATE = Action("servers.interruption_update", _("Write an update"), roles=("infrastructure", "support"))
END = Action("servers.interruption_end", _("Extend, end or cancel"), roles=("infrastructure",), danger=Danger.CONFIRM)
