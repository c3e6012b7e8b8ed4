"""The sentences of what happens to payments."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.payment.started": Wording(_("Payment %(payment)s of %(amount)s begun"), "coin"),
        "invoicing.payment.waiting": Wording(_("Payment %(payment)s waits for the customer"), "waiting"),
        "invoicing.payment.processing": Wording(_("Payment %(payment)s is with the bank"), "hourglass"),
        "invoicing.payment.succeeded": Wording(_("Payment %(payment)s of %(amount)s arrived"), "check", "good"),
        "invoicing.payment.failed": Wording(_("Payment %(payment)s was refused"), "ban", "bad"),
        "invoicing.payment.cancelled": Wording(_("Payment %(payment)s ended without money"), "ban", "warn"),
        "invoicing.payment.given_up": Wording(_("Payment %(payment)s: the customer withdrew"), "ban", "warn"),
        "invoicing.payment.disputed": Wording(_("Payment %(payment)s is disputed at the bank"), "alarm", "bad"),
        "invoicing.dispute.opened": Wording(_("The bank took %(amount)s of payment %(payment)s back"), "alarm", "bad"),
        "invoicing.dispute.won": Wording(_("Dispute of %(amount)s won: the money is back"), "check", "good"),
        "invoicing.dispute.lost": Wording(_("Dispute of %(amount)s lost"), "ban", "bad"),
        "invoicing.dispute.written_off": Wording(_("%(amount)s of payment %(payment)s written off"), "ban", "warn"),
        "invoicing.payment.unknown": Wording(_("Money arrived that no payment here asked for"), "alarm", "bad"),
        "invoicing.funds.asked": Wording(_("Top-up %(top_up)s of %(amount)s asked for"), "wallet"),
        "invoicing.funds.credited": Wording(_("%(amount)s added to the funds"), "wallet", "good"),
        "invoicing.refund.started": Wording(_("Refund of %(amount)s from payment %(payment)s begun"), "undo"),
        "invoicing.refund.pending": Wording(_("Refund of %(amount)s is with the bank"), "hourglass"),
        "invoicing.refund.succeeded": Wording(_("%(amount)s refunded from payment %(payment)s"), "undo", "good"),
        "invoicing.refund.failed": Wording(_("The refund of %(amount)s came back"), "alarm", "bad"),
        "invoicing.means.rejected": Wording(_("Told of a repeated rejection: another means is needed"), "alarm", "bad"),
        "invoicing.means.rejection_ended": Wording(_("The notice of rejection has ended"), "check", "good"),
        "invoicing.means.expiring": Wording(_("Told that the card ends soon"), "calendar", "warn"),
        "invoicing.means.setup_started": Wording(_("A page to keep a card was asked for"), "coin"),
        "invoicing.means.setup_waiting": Wording(_("A page to keep a card is open"), "coin"),
        "invoicing.means.setup_done": Wording(_("The card was kept"), "coin", "good"),
        "invoicing.means.setup_failed": Wording(_("No card was kept"), "coin", "warn"),
        "invoicing.means.added": Wording(_("Means of payment kept"), "coin"),
        "invoicing.means.default": Wording(_("Means of payment chosen for invoices"), "coin"),
        "invoicing.means.removed": Wording(_("Means of payment removed"), "coin", "warn"),
    }
)
