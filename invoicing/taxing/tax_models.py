"""What the VAT of a sale rests on: answers of the register of VAT numbers (INV-10)."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class VatAnswer(models.TextChoices):
    VALID = "valid", _("Valid")
    INVALID = "invalid", _("Not valid")
    SILENT = "silent", _("No answer")


class VatCheck(models.Model):
    """One question to the register about an account's VAT number. `consultation` is the register's own proof of it."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="vat_checks")
    number = models.CharField(max_length=20)
    answer = models.CharField(max_length=10, choices=VatAnswer)
    consultation = models.CharField(max_length=40, blank=True)
    asked_at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-id")
        indexes = (models.Index(fields=("account", "-asked_at"), name="vat_check_of_account"),)

    def __str__(self) -> str:
        return f"{self.number} {self.answer}"


class VatRate(models.Model):
    """The standard rate of a member state or an overseas department, in percent from a day on, entered by staff beside
    those of the program.

    A row is never rewritten; one entered by mistake is no longer `kept`.
    """

    country = models.CharField(_("Country"), max_length=2)
    rate = models.DecimalField(_("Rate in percent"), max_digits=4, decimal_places=2)
    since = models.DateField(_("From"))
    source = models.CharField(_("Source"), max_length=200)
    kept = models.BooleanField(default=True)
    entered_at = models.DateTimeField()
    entered_by = models.BigIntegerField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("country", "since")
        constraints = (
            models.UniqueConstraint(fields=("country", "since"), condition=Q(kept=True), name="vat_rate_once"),
            models.CheckConstraint(
                condition=Q(rate__gte=15, rate__lte=50) | Q(rate__gt=0, rate__lte=50, country__in=["GP", "MQ", "RE"]),
                name="vat_rate_is_a_standard_rate",
            ),
        )

    def __str__(self) -> str:
        return f"{self.country} {self.rate} % ({self.since})"


triggers.append_only("invoicing_vatcheck")
triggers.append_only(
    "invoicing_vatrate", columns=("id", "country", "rate", "since", "source", "entered_at", "entered_by")
)
