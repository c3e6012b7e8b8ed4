"""The sentences of taxes and of the books."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.vat.asked": Wording(_("VAT number to be checked again"), "percent"),
        "invoicing.vat.valid": Wording(_("VAT number confirmed by the register"), "check", "good"),
        "invoicing.vat.invalid": Wording(_("VAT number not valid: sales carry VAT"), "warning", "warn"),
        "invoicing.vat.silent": Wording(_("No answer about the VAT number"), "hourglass", "warn"),
        "invoicing.transmission.sent": Wording(_("Invoice %(invoice)s deposited at the platform"), "upload"),
        "invoicing.transmission.delivered": Wording(_("Invoice %(invoice)s delivered by the platform"), "check"),
        "invoicing.transmission.accepted": Wording(_("Invoice %(invoice)s accepted by its buyer"), "check", "good"),
        "invoicing.transmission.refused": Wording(_("Invoice %(invoice)s refused by its buyer"), "failed", "bad"),
        "invoicing.transmission.rejected": Wording(_("Invoice %(invoice)s rejected by the platform"), "failed", "bad"),
        "invoicing.e_report.made": Wording(_("E-report %(report)s made"), "reports"),
        "invoicing.e_report.sent": Wording(_("E-report %(report)s deposited"), "upload"),
        "invoicing.e_report.delivered": Wording(_("E-report %(report)s delivered"), "check"),
        "invoicing.e_report.accepted": Wording(_("E-report %(report)s accepted"), "check", "good"),
        "invoicing.e_report.refused": Wording(_("E-report %(report)s refused"), "failed", "bad"),
        "invoicing.e_report.rejected": Wording(_("E-report %(report)s rejected"), "failed", "bad"),
        "invoicing.books.closed": Wording(_("Books closed from %(start)s to %(last)s"), "locked"),
        "invoicing.books.taken": Wording(_("Books taken away: %(name)s"), "download"),
        "invoicing.vat_rate.entered": Wording(
            _("VAT rate of %(country)s entered: %(rate)s %% from %(since)s"), "percent"
        ),
        "invoicing.vat_rate.withdrawn": Wording(
            _("VAT rate of %(country)s withdrawn: %(rate)s %% from %(since)s"), "undo", "warn"
        ),
    }
)
