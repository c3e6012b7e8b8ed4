"""What staff does by hand about a customer's money: invoices drawn up, payments recorded, claims written off."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class DraftInvoice(models.Model):
    """An invoice that staff draws up; it has no number, no entry and no place in a series before it is issued."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="draft_invoices")
    reference = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    discarded_at = models.DateTimeField(null=True)
    invoice = models.OneToOneField("invoicing.Invoice", models.PROTECT, null=True, related_name="draft")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"draft {self.pk}"


class DraftLine(models.Model):
    """A line of a draft; `unit_price` is EUR without VAT."""

    draft = models.ForeignKey(DraftInvoice, models.CASCADE, related_name="lines")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    unit = models.CharField(max_length=12, blank=True)
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=Q(quantity__gt=0, unit_price__gte=0), name="draft_line_some"),)

    def __str__(self) -> str:
        return f"{self.draft_id}: {self.description}"


class ManualPayment(models.Model):
    """Money that came outside the payment provider, as a person found it on the bank's statement or in the post. The
    next `attempt` of a name is there when the one before was taken back."""

    class Means(models.TextChoices):
        TRANSFER = "transfer", _("Bank transfer")
        CHEQUE = "cheque", _("Cheque")

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="manual_payments")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="manual_payments")
    means = models.CharField(max_length=10, choices=Means)
    reference = models.CharField(max_length=80)
    attempt = models.PositiveSmallIntegerField(default=0)
    cents = models.BigIntegerField()
    received_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="manual_payment_positive"),
            models.UniqueConstraint(fields=("means", "reference", "attempt"), name="manual_payment_once"),
        )

    def __str__(self) -> str:
        return f"{self.means} {self.reference}"


class PaidBack(models.Model):
    """Money that our bank sent back to a customer, as a person recorded it, and as the bank's statement shows it."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="paid_back")
    cents = models.BigIntegerField()
    paid_on = models.DateField()
    reference = models.CharField(max_length=80, unique=True)
    iban_last4 = models.CharField(max_length=4)
    reason = models.CharField(max_length=200)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    bank_ref = models.CharField(max_length=80, blank=True)
    seen_on = models.DateField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="paid_back_positive"),
            models.UniqueConstraint(fields=("bank_ref",), condition=~Q(bank_ref=""), name="paid_back_seen_once"),
        )

    def __str__(self) -> str:
        return self.reference


class WriteOff(models.Model):
    """A claim given up; beyond the terms' amount only when a second person agrees."""

    class State(models.TextChoices):
        ASKED = "asked", _("Waiting for approval")
        DONE = "done", _("Written off")
        REFUSED = "refused", _("Not written off")

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="write_offs")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="write_offs")
    cents = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=State)
    approval = models.OneToOneField("accounts.Approval", models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="write_off_positive"),
            models.UniqueConstraint(fields=("invoice",), condition=Q(state="asked"), name="one_open_write_off"),
        )

    def __str__(self) -> str:
        return f"{self.invoice_id} -{self.cents}"


class Returning(models.Model):
    """A part of a payment that goes back to its payer when another person agrees (INV-11); `key` is that of its
    refund, `credit_note` what freed it."""

    approval = models.ForeignKey("accounts.Approval", models.PROTECT, related_name="+")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    payment = models.ForeignKey("invoicing.Payment", models.PROTECT, related_name="returnings")
    credit_note = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="+")
    cents = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    key = models.CharField(max_length=120, unique=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=Q(cents__gt=0), name="returning_positive"),)

    def __str__(self) -> str:
        return self.key


class Unmet(models.Model):
    """What all that were needed agreed upon, and what could not be carried out of one payment: its money was spent by
    then (INV-11). It waits for a person until it is carried out after all, or somebody says that it is settled."""

    approval = models.ForeignKey("accounts.Approval", models.PROTECT, related_name="+")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    received = models.ForeignKey(ManualPayment, models.PROTECT, null=True, related_name="unmet")
    payment = models.ForeignKey("invoicing.Payment", models.PROTECT, null=True, related_name="unmet")
    cents = models.BigIntegerField()
    at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(received=None, payment__isnull=False) | Q(received__isnull=False, payment=None),
                name="unmet_is_of_one_payment",
            ),
            models.UniqueConstraint(
                fields=("approval", "payment"), condition=Q(received=None), name="unmet_once_of_a_payment"
            ),
            models.UniqueConstraint(
                fields=("approval", "received"), condition=Q(payment=None), name="unmet_once_of_one_received"
            ),
        )
        indexes = (models.Index(fields=("at",), condition=Q(closed_at=None), name="unmet_waits"),)

    def __str__(self) -> str:
        return f"{self.approval_id} -{self.cents}"


triggers.append_only("invoicing_manualpayment")
triggers.append_only("invoicing_returning")
triggers.append_only(
    "invoicing_paidback",
    columns=("id", "account_id", "cents", "paid_on", "reference", "iban_last4", "reason", "recorded_at",
             "recorded_by_id"),
)  # fmt: skip
