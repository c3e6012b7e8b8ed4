"""Invoices and credit notes: numbered without gap, sealed into a chain, never changed once issued (INV-2)."""

from django.db import models
from django.db.models import F, Q, Sum
from django.utils.translation import gettext_lazy as _

from invoicing.accounting.ledger_models import Zero
from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class InvoiceKind(models.TextChoices):
    INVOICE = "invoice", _("Invoice")
    CREDIT_NOTE = "credit_note", _("Credit note")
    STATEMENT = "statement", _("Late-payment statement")


class InvoiceState(models.TextChoices):
    OPEN = "open", _("To pay")
    OVERDUE = "overdue", _("Overdue")
    PAID = "paid", _("Paid")
    CREDITED = "credited", _("Credited")
    WRITTEN_OFF = "written_off", _("Written off")


GIVEN_UP = "write_off"
"""The means of the settlements by which a claim was given up as a loss, and by which that was taken back (INV-11)."""


class NumberSeries(models.Model):
    """The counter of a legal entity, kind and year; locked last in the issuing transaction: numbers have no gap."""

    entity = models.CharField(max_length=20)
    prefix = models.CharField(max_length=4)
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)
    last_issued_at = models.DateTimeField(null=True)
    last_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(F("entity"), F("prefix"), F("year"), name="one_series"),)

    def __str__(self) -> str:
        return f"{self.prefix}{self.year} at {self.last_number}"


class Invoice(models.Model):
    """An issued document. Amounts of a credit note are positive too: its kind says that they are given back.

    `document` is the frozen content everything is printed from; `hash` covers it and the hash before it in the series.
    What may still move stands below the line: settlement, the files (once), the overdue and contested marks.
    `unlisted` is the net amount that no line has explained yet: zero at COMMIT, or the database refuses the invoice.
    """

    number = models.CharField(max_length=35, unique=True)
    kind = models.CharField(max_length=12, choices=InvoiceKind, default=InvoiceKind.INVOICE)
    series = models.ForeignKey(NumberSeries, models.PROTECT, related_name="documents")
    position = models.PositiveIntegerField()
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="invoices")
    order = models.ForeignKey("invoicing.Order", models.PROTECT, null=True, related_name="invoices")
    down_payment = models.BooleanField(default=False)
    credits = models.ForeignKey("self", models.PROTECT, null=True, related_name="credit_notes")
    issued_at = models.DateTimeField()
    issued_on = models.DateField()
    due_on = models.DateField()
    net_cents = models.BigIntegerField()
    vat_cents = models.BigIntegerField()
    total_cents = models.BigIntegerField()
    terms_version = models.CharField(max_length=60)
    reason = models.CharField(max_length=300, blank=True)
    once = models.CharField(max_length=160, unique=True)
    document = models.JSONField()
    vat_evidence = models.JSONField(default=dict)
    channel = models.CharField(max_length=10, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)
    unlisted = models.ForeignKey(Zero, models.PROTECT, editable=False, related_name="+", db_index=False)
    # --- what may still move
    state = models.CharField(max_length=12, choices=InvoiceState, default=InvoiceState.OPEN)
    paid_cents = models.BigIntegerField(default=0)
    credited_cents = models.BigIntegerField(default=0)
    paid_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True)
    contested_at = models.DateTimeField(null=True)
    collectable = models.BooleanField(default=True)
    pdf = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    cii = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    ubl = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-issued_at", "-id")
        constraints = (
            models.UniqueConstraint(F("series"), F("position"), name="number_once_in_series"),
            models.UniqueConstraint(F("series"), F("previous_hash"), name="chain_never_forks"),
            models.CheckConstraint(condition=Q(total_cents=F("net_cents") + F("vat_cents")), name="invoice_adds_up"),
            models.CheckConstraint(condition=Q(net_cents__gte=0, vat_cents__gte=0), name="invoice_not_negative"),
            models.CheckConstraint(
                condition=Q(paid_cents__gte=0, credited_cents__gte=0, credited_cents__lte=F("total_cents")),
                name="invoice_settled_within",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=("invoice", "statement"), credits__isnull=True)
                | Q(kind="credit_note", credits__isnull=False),
                name="credit_note_names_its_invoice",
            ),
        )
        indexes = (
            models.Index(fields=("account", "-issued_at"), name="invoice_of_account"),
            models.Index(fields=("due_on",), condition=Q(state="open"), name="invoice_to_watch"),
        )

    def __str__(self) -> str:
        return self.number

    @property
    def due_cents(self) -> int:
        """What is still to be paid; never negative, nothing for a credit note."""
        if self.kind == InvoiceKind.CREDIT_NOTE:
            return 0
        return max(0, self.total_cents - self.credited_cents - self.paid_cents)

    @property
    def given_up_cents(self) -> int:
        """What of it is given up as a loss (INV-11); it counts among what settles it, and money can still come for
        it."""
        return self.settlements.filter(means=GIVEN_UP).aggregate(sum=Sum("cents"))["sum"] or 0

    @property
    def money_cents(self) -> int:
        """What came for it, from any means but a write-off."""
        return self.paid_cents - self.given_up_cents


class InvoiceLine(models.Model):
    """One line: what, by which rule of which terms, for which period, and from which evidence it can be recomputed."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=80)
    rule = models.CharField(max_length=20, blank=True)
    description = models.CharField(max_length=500)
    subscription = models.ForeignKey("invoicing.Subscription", models.PROTECT, null=True, related_name="+")
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    quantity = models.DecimalField(max_digits=24, decimal_places=9)
    unit = models.CharField(max_length=12, blank=True)
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)
    net_cents = models.BigIntegerField()
    vat_code = models.CharField(max_length=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    vat_reason = models.CharField(max_length=20, blank=True, help_text="why the thing itself carries no VAT (BT-121)")
    evidence = models.JSONField(default=dict)
    credits = models.ForeignKey("self", models.PROTECT, null=True, related_name="credited_by")
    deducts = models.ForeignKey("self", models.PROTECT, null=True, related_name="deducted_by")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(F("invoice"), F("position"), name="invoice_line_position"),)

    def __str__(self) -> str:
        return f"{self.invoice_id}/{self.position}"

    @property
    def metered(self) -> bool:
        """It charges what a meter counted, so that its readings can be shown."""
        return self.code.startswith("usage:") and self.subscription_id is not None and self.period_start is not None


class Charge(models.Model):
    """A fee of the terms that was charged at once on its own invoice; `once` is what keeps it single (ABU-11)."""

    once = models.CharField(max_length=120, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="charges")
    rule = models.CharField(max_length=20)
    net_cents = models.BigIntegerField()
    because_type = models.CharField(max_length=60)
    because_id = models.BigIntegerField()
    because_name = models.CharField(max_length=120)
    terms_version = models.CharField(max_length=60)
    charged_at = models.DateTimeField()
    invoice = models.OneToOneField(Invoice, models.PROTECT, related_name="charge")
    reversed_at = models.DateTimeField(null=True)
    reversal = models.OneToOneField(Invoice, models.PROTECT, null=True, related_name="reversed_charge")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-charged_at",)

    def __str__(self) -> str:
        return self.once


class Settlement(models.Model):
    """What settled an invoice, and by which entry of the books: a payment, funds or a credit note."""

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="settlements")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    entry = models.OneToOneField("invoicing.Entry", models.PROTECT, related_name="settlement")
    means = models.CharField(max_length=20)
    cents = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.means} {self.cents}"


_MOVABLE = {
    "state", "paid_cents", "credited_cents", "paid_at", "overdue_at", "contested_at", "collectable", "pdf",
    "cii", "ubl", "unlisted",
}  # fmt: skip


def _declare_triggers() -> None:
    """Issued documents and their lines refuse change; the lines of an invoice add up to its net amount at COMMIT."""
    invoice, line = "invoicing_invoice", "invoicing_invoiceline"
    frozen = [str(field.column) for field in Invoice._meta.concrete_fields if field.name not in _MOVABLE]
    triggers.append_only(invoice, columns=frozen)
    triggers.append_only(line)
    triggers.append_only("invoicing_settlement")
    for file in ("pdf", "cii", "ubl"):
        triggers.refuse(
            f"invoicing_invoice_{file}_once",
            invoice,
            f"BEFORE UPDATE OF {file}_id",
            "an issued document is rendered once",
            sqlite_when=f"OLD.{file}_id IS NOT NULL AND NEW.{file}_id IS NOT OLD.{file}_id",
            pg_when=f"OLD.{file}_id IS NOT NULL AND NEW.{file}_id IS DISTINCT FROM OLD.{file}_id",
        )
    triggers.kept_sum(invoice, line, link="invoice_id", amount="net_cents", kept="unlisted_id", sign="-",
                      name=f"{line}_listed")  # fmt: skip
    unlisted = f"NEW.net_cents - (SELECT COALESCE(SUM(net_cents), 0) FROM {line} WHERE invoice_id = NEW.id)"  # noqa: S608
    sentence = "the lines of an invoice add up to its net amount"
    triggers.guard_sum(f"{invoice}_unlisted", invoice, "unlisted_id", unlisted, sentence)


_declare_triggers()
