"""Mandates, the debits announced under them, their pre-notifications, and the files that go to the bank (OPR-3)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.debiting import debit_rules
from panel.core import triggers
from panel.core.querysets import TenantQuerySet
from panel.core.secrets import EncryptedTextField


class MandateState(models.TextChoices):
    DRAFT = "draft", _("To be signed")
    ACTIVE = "active", _("Active")
    CANCELLED = "cancelled", _("Cancelled")
    REPLACED = "replaced", _("Replaced")
    EXPIRED = "expired", _("Expired")
    REFUSED = "refused", _("Refused by the bank")


class Mandate(models.Model):
    """A payer's leave to debit an account, by its unique reference under our creditor identifier.

    The account number is encrypted, and so are the files of the document (`papers`). `last_used_on`: the last day a
    debit was presented for; 36 months later the mandate has lapsed.
    """

    reference = models.CharField(max_length=35)
    creditor_id = models.CharField(max_length=35)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="mandates")
    method = models.OneToOneField("invoicing.PaymentMethod", models.PROTECT, null=True, related_name="mandate")
    replaces = models.ForeignKey("self", models.PROTECT, null=True, related_name="replaced_by")
    holder = models.CharField(max_length=70)
    iban = EncryptedTextField()
    last4 = models.CharField(max_length=4)
    bic = models.CharField(max_length=11, blank=True)
    language = models.CharField(max_length=5)
    document = models.JSONField()
    state = models.CharField(max_length=10, choices=MandateState, default=MandateState.DRAFT)
    pdf = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    pdf_sha256 = models.CharField(max_length=64, blank=True)
    signed_pdf = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    signed_name = models.CharField(max_length=120, blank=True)
    signed_ip = models.GenericIPAddressField(null=True)
    signed_sha256 = models.CharField(max_length=64, blank=True)
    last_used_on = models.DateField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=200, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(F("creditor_id"), F("reference"), name="mandate_reference_once"),
            models.UniqueConstraint(fields=("account",), condition=Q(state="draft"), name="one_mandate_to_sign"),
            models.CheckConstraint(
                condition=Q(state__in=("draft", "cancelled")) | Q(signed_at__isnull=False, method__isnull=False),
                name="mandate_in_use_is_signed",
            ),
        )
        indexes = (models.Index(fields=("signed_at",), condition=Q(state="active"), name="mandate_active"),)

    def __str__(self) -> str:
        return f"{self.reference} •••• {self.last4}"


triggers.append_only("invoicing_mandate", columns=("reference", "creditor_id", "account_id", "iban", "document"))
triggers.refuse(
    "invoicing_mandate_signature", "invoicing_mandate",
    "BEFORE UPDATE OF signed_at, signed_by_id, signed_name, signed_ip, signed_sha256",
    "a signature is not changed: invoicing_mandate", sqlite_when="OLD.signed_at IS NOT NULL",
    pg_when="OLD.signed_at IS NOT NULL",
)  # fmt: skip


class BatchState(models.TextChoices):
    MADE = "made", _("To be handed to the bank")
    SENT = "sent", _("Handed to the bank")
    CANCELLED = "cancelled", _("Discarded")


class DebitBatch(models.Model):
    """A file of debits for the bank (pain.008), frozen when it was made; `until`: the last debit day that it asks for.

    Its bytes name account numbers, so they are kept encrypted; `sha256` is that of the file itself.
    """

    reference = models.CharField(max_length=20, unique=True)
    key = models.CharField(max_length=80, unique=True)
    state = models.CharField(max_length=10, choices=BatchState, default=BatchState.MADE)
    format = models.CharField(max_length=20)
    until = models.DateField()
    blob = models.ForeignKey("core.Blob", models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    total_cents = models.BigIntegerField()
    made_at = models.DateTimeField()
    made_by = models.ForeignKey("accounts.User", models.PROTECT, related_name="+")
    sent_at = models.DateTimeField(null=True)
    sent_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-made_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(count__gt=0, total_cents__gt=0), name="debit_batch_holds_something"),
        )

    def __str__(self) -> str:
        return self.reference


triggers.append_only(
    "invoicing_debitbatch", columns=("reference", "key", "format", "blob_id", "sha256", "count", "total_cents")
)


class DebitState(models.TextChoices):
    ANNOUNCED = "announced", _("Announced")
    PLACED = "placed", _("In a file")
    SENT = "sent", _("With the bank")
    COLLECTED = "collected", _("Collected")
    REFUSED = "refused", _("Refused")
    RETURNED = "returned", _("Returned")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Debit(models.Model):
    """One collection of an invoice under a mandate: announced, put into a file, and what the bank said of it.

    `receipt` is the credit of the bank that brought it, `proof` the bank's reference when a person said so; `code` is
    why it was refused or came back.
    """

    payment = models.OneToOneField("invoicing.Payment", models.PROTECT, related_name="debit")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="debits")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="debits")
    mandate = models.ForeignKey(Mandate, models.PROTECT, related_name="debits")
    cents = models.BigIntegerField()
    debit_on = models.DateField()
    terms_version = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=DebitState, default=DebitState.ANNOUNCED)
    batch = models.ForeignKey(DebitBatch, models.PROTECT, null=True, related_name="debits")
    receipt = models.ForeignKey("invoicing.BankReceipt", models.PROTECT, null=True, related_name="debits")
    proof = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=10, blank=True)
    announced_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("debit_on", "id")
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="debit_positive"),
            models.UniqueConstraint(
                fields=("invoice",), condition=Q(state__in=debit_rules.LIVE), name="one_live_debit_per_invoice"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("announced", "withdrawn"), batch__isnull=True)
                | Q(state__in=("placed", "sent", "collected", "refused", "returned"), batch__isnull=False),
                name="debit_under_way_is_in_a_file",
            ),
        )
        indexes = (
            models.Index(fields=("debit_on",), condition=Q(state="announced"), name="debit_announced"),
            models.Index(fields=("batch", "state", "id"), name="debit_of_batch"),
        )

    def __str__(self) -> str:
        return f"{self.payment_id} on {self.debit_on}"


triggers.append_only("invoicing_debit", columns=("payment_id", "account_id", "invoice_id", "mandate_id", "cents"))


class DebitNotice(models.Model):
    """A pre-notification: what was told, and by which mail; its clock runs from when the mail server took it."""

    debit = models.ForeignKey(Debit, models.PROTECT, related_name="notices")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="debit_notices")
    mail = models.ForeignKey("core.MailMessage", models.PROTECT, related_name="+")
    cents = models.BigIntegerField()
    debit_on = models.DateField()
    told_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-told_at", "-id")

    def __str__(self) -> str:
        return f"{self.debit_id}: {self.debit_on}"


triggers.append_only("invoicing_debitnotice")
