"""The sentences of what happens to payouts."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.payout.paid": Wording(_("The provider paid %(amount)s out: %(payout)s"), "coin"),
        "invoicing.payout.arrived": Wording(_("The bank shows %(amount)s of payout %(payout)s"), "check", "good"),
        "invoicing.payout.failed": Wording(_("Payout %(payout)s of %(amount)s came back"), "alarm", "bad"),
    }
)
