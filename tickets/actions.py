"""Who may do what with requests."""

from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action

STAFF = ("support", "billing", "abuse", "infrastructure")

SEE = Action("tickets.see", _("See requests"), permission="tickets")
OPEN = Action("tickets.open", _("Open a request"), permission="tickets")
REPLY = Action("tickets.reply", _("Answer"), permission="tickets", roles=STAFF)
CLOSE = Action("tickets.close", _("Close the request"), permission="tickets", roles=STAFF)
DOWNLOAD = Action("tickets.download", _("Download an attachment"), permission="tickets", roles=STAFF)
QUEUE = Action("tickets.queue", _("Requests of all customers"), roles=STAFF)
NOTE = Action("tickets.note", _("Write an internal note"), roles=STAFF)
VOUCH = Action("tickets.vouch", _("Say whose a mail is"), roles=STAFF)
TAKE = Action("tickets.take", _("Take over"), roles=STAFF)
