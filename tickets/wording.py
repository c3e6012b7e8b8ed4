"""What the journal says of requests."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update({
    "tickets.ticket.opened": Wording(_("Request %(number)s opened"), "message", "info"),
    "tickets.ticket.closed": Wording(_("Request closed"), "closed"),
    "tickets.ticket.assigned": Wording(_("Request taken over"), "hand"),
    "tickets.message.received": Wording(_("Message received"), "inbox", "info"),
    "tickets.message.sent": Wording(_("Answer sent"), "reply"),
    "tickets.message.doubted": Wording(_("Mail without proof of its sender: staff must look"), "mail", "warn"),
    "tickets.message.vouched": Wording(_("Staff vouched for a mail: it counts as the customer's"), "check", "good"),
    "tickets.message.denied": Wording(_("A mail was found not to be the customer's"), "ban"),
    "tickets.message.noted": Wording(_("Internal note written"), "note"),
})  # fmt: skip
