"""Files of the bank, and the transfers that they say have come (INV-11)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from panel.core.querysets import TenantQuerySet

NAMELESS, UNKNOWN, SEVERAL, SETTLED, REFUSED = "nameless", "unknown", "several", "settled", "refused"
PAYOUT, TAKEN_BACK = "payout", "taken_back"
DEBIT_DIFFERS, DEBIT_ENDED, DEBIT_TWICE = "debit_differs", "debit_ended", "debit_twice"
WHY = {
    NAMELESS: _("It names no invoice."),
    UNKNOWN: _("There is no invoice of this number."),
    SEVERAL: _("It names several invoices."),
    SETTLED: _("Nothing is due on this invoice any more."),
    PAYOUT: _("It names the payment provider, but no payout of it that is awaited fits, or several do."),
    TAKEN_BACK: _("It was matched before, and that was taken back."),
    REFUSED: _("It could not be booked by itself: its day is still to come, or its reference was recorded before."),
    DEBIT_DIFFERS: _("It names direct debits of ours, but its amount is not theirs."),
    DEBIT_ENDED: _("It names a direct debit of ours that was refused or withdrawn."),
    DEBIT_TWICE: _("The direct debits that it names have been credited before, on another day."),
}


class BankFile(models.Model):
    """A statement of the bank, kept as it came, once; `receipts_new` of its transfers were not known before."""

    sha256 = models.CharField(max_length=64, unique=True)
    blob = models.ForeignKey("core.Blob", models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    format = models.CharField(max_length=20)
    receipts_found = models.PositiveIntegerField()
    receipts_new = models.PositiveIntegerField(default=0)
    uploaded_at = models.DateTimeField()
    uploaded_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")

    class Meta:
        ordering = ("-uploaded_at", "-id")

    def __str__(self) -> str:
        return self.name


class BankReceipt(models.Model):
    """A credit of the bank. Matched it is a payment in the books, the money of direct debits (of the file `batch`), or
    a `payout` of the payment provider; waiting it is for a person to say whose it is."""

    class State(models.TextChoices):
        WAITING = "waiting", _("To be matched")
        MATCHED = "matched", _("Matched")
        SET_ASIDE = "set_aside", _("Set aside")

    file = models.ForeignKey(BankFile, models.PROTECT, related_name="receipts")
    account = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="bank_receipts")
    bank_ref = models.CharField(max_length=80)
    booked_on = models.DateField()
    cents = models.BigIntegerField()
    payer = models.CharField(max_length=140, blank=True)
    text = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    why = models.CharField(max_length=300, blank=True)
    payment = models.OneToOneField("invoicing.ManualPayment", models.PROTECT, null=True, related_name="bank_receipt")
    batch = models.ForeignKey("invoicing.DebitBatch", models.PROTECT, null=True, related_name="receipts")
    payout = models.OneToOneField("invoicing.Payout", models.PROTECT, null=True, related_name="receipt")
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-booked_on", "-id")
        constraints = (
            models.UniqueConstraint(F("bank_ref"), name="bank_receipt_once"),
            models.CheckConstraint(condition=Q(cents__gt=0), name="bank_receipt_positive"),
            models.CheckConstraint(
                condition=~Q(state="matched")
                | Q(payment__isnull=False, account__isnull=False)
                | Q(batch__isnull=False)
                | Q(payout__isnull=False),
                name="matched_receipt_is_known",
            ),
        )
        indexes = (models.Index(fields=("state", "-booked_on"), name="bank_receipt_by_state"),)

    def __str__(self) -> str:
        return self.bank_ref

    @property
    def explained(self) -> str:
        """Why it waits, in the reader's language; or the reason somebody gave."""
        return str(WHY.get(self.why, self.why))
