"""The sentences of quotes and of what staff does about a customer's money."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.quote.drawn_up": Wording(_("Quote %(quote)s drawn up"), "edit"),
        "invoicing.quote.revised": Wording(_("Quote %(quote)s drawn up as a new version"), "edit"),
        "invoicing.quote.sent": Wording(_("Quote %(quote)s sent"), "mail"),
        "invoicing.quote.signed": Wording(_("Quote %(quote)s signed"), "check", "good"),
        "invoicing.quote.declined": Wording(_("Quote %(quote)s declined"), "closed", "warn"),
        "invoicing.quote.expired": Wording(_("Quote %(quote)s expired"), "hourglass"),
        "invoicing.quote.withdrawn": Wording(_("Quote %(quote)s withdrawn"), "undo"),
        "invoicing.quote.replaced": Wording(_("Quote %(quote)s replaced by a new version"), "undo"),
        "invoicing.quote.stage_invoiced": Wording(
            _("%(amount)s of quote %(quote)s invoiced on %(invoice)s"), "invoice"
        ),
        "invoicing.manual_payment.recorded": Wording(_("Payment of %(amount)s recorded by hand"), "coin", "good"),
        "invoicing.manual_payment.take_back_asked": Wording(
            _("Taking back a payment of %(amount)s asked for"), "approvals", "warn"
        ),
        "invoicing.manual_payment.taken_back": Wording(
            _("Payment of %(amount)s, recorded by hand, taken back"), "undo", "warn"
        ),
        "invoicing.manual_payment.not_taken_back": Wording(
            _("Payment of %(amount)s not taken back: its money was spent meanwhile"), "alarm", "warn"
        ),
        "invoicing.refund.asked": Wording(
            _("Giving back %(amount)s of payment %(payment)s asked for"), "approvals", "warn"
        ),
        "invoicing.unmet.arose": Wording(
            _("%(amount)s of payment %(payment)s: agreed upon, but the money was spent meanwhile"), "alarm", "bad"
        ),
        "invoicing.unmet.closed": Wording(_("%(amount)s of payment %(payment)s: settled by a person"), "check", "good"),
        "invoicing.funds.paid_back": Wording(_("%(amount)s paid back by transfer, %(reference)s"), "undo"),
        "invoicing.funds.paid_back_seen": Wording(
            _("%(amount)s paid back: the bank's statement shows %(reference)s"), "check", "good"
        ),
        "invoicing.write_off.asked": Wording(_("Writing off %(amount)s of %(invoice)s asked for"), "approvals", "warn"),
        "invoicing.write_off.done": Wording(_("%(amount)s of %(invoice)s written off"), "ban", "warn"),
        "invoicing.write_off.refused": Wording(_("%(amount)s of %(invoice)s not written off"), "undo"),
        "invoicing.invoice.recovered": Wording(
            _("%(amount)s of %(invoice)s written off no longer: settled after all"), "undo", "good"
        ),
        "invoicing.quote.overrun": Wording(_("%(amount)s beyond the quote %(quote)s announced"), "alarm", "warn"),
        "invoicing.quote.ordered": Wording(_("A service of quote %(quote)s ordered: %(order)s"), "order"),
    }
)
