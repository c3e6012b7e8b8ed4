"""The sentences of mandates and direct debits."""

from django.utils.translation import gettext_lazy as _

from panel.core.wording import WORDINGS, Wording

WORDINGS.update(
    {
        "invoicing.mandate.drawn_up": Wording(_("Mandate %(mandate)s drawn up"), "document"),
        "invoicing.mandate.printed": Wording(_("Mandate %(mandate)s is ready to be signed"), "document"),
        "invoicing.mandate.signed": Wording(_("Mandate %(mandate)s signed"), "edit", "good"),
        "invoicing.mandate.ended": Wording(_("Mandate %(mandate)s has ended"), "closed", "warn"),
        "invoicing.debit.announced": Wording(_("Debit of %(amount)s for %(invoice)s announced for %(on)s"), "calendar"),
        "invoicing.debit.withdrawn": Wording(_("Debit of %(amount)s for %(invoice)s withdrawn"), "undo", "warn"),
        "invoicing.debit.collected": Wording(_("Debit of %(amount)s for %(invoice)s collected"), "check", "good"),
        "invoicing.debit.refused": Wording(_("Debit of %(amount)s for %(invoice)s refused: %(code)s"), "failed", "bad"),
        "invoicing.debit.returned": Wording(
            _("Debit of %(amount)s for %(invoice)s given back: %(code)s"), "undo", "bad"
        ),
        "invoicing.debit_batch.made": Wording(_("File %(batch)s made: %(debits)s debits of %(amount)s"), "document"),
        "invoicing.debit_batch.sent": Wording(_("File %(batch)s handed to the bank"), "upload"),
        "invoicing.debit_batch.discarded": Wording(_("File %(batch)s discarded"), "trash", "warn"),
    }
)
