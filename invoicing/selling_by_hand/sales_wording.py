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
        "invoicing.write_off.asked": Wording(_("Writing off %(amount)s of %(invoice)s asked for"), "approvals", "warn"),
        "invoicing.write_off.done": Wording(_("%(amount)s of %(invoice)s written off"), "ban", "warn"),
        "invoicing.write_off.refused": Wording(_("%(amount)s of %(invoice)s not written off"), "undo"),
        "invoicing.quote.overrun": Wording(_("%(amount)s beyond the quote %(quote)s announced"), "alarm", "warn"),
        "invoicing.quote.ordered": Wording(_("A service of quote %(quote)s ordered: %(order)s"), "order"),
    }
)
