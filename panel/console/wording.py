"""What the journal says of the staff's own deeds on operations."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update({
    "core.operation.retried": Wording(_("Operation tried again by hand"), "reboot"),
    "core.operation.discarded": Wording(_("Operation discarded"), "trash", "warn"),
    "core.chain.verified": Wording(_("Chain of the journal verified: %(broken)s breaks"), "shield"),
})  # fmt: skip
