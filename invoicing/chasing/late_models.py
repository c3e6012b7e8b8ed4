"""Late payment (INV-8): the legal rates that staff entered, and what was claimed for each late invoice."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet


class LegalRate(models.Model):
    """A legal interest rate in percent a year, from staff; it counts before the one that came with the program."""

    year = models.PositiveSmallIntegerField()
    half = models.PositiveSmallIntegerField()
    percent = models.DecimalField(max_digits=5, decimal_places=2)
    source = models.CharField(max_length=200)
    set_at = models.DateTimeField()
    set_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ("-year", "-half")
        constraints = (
            models.UniqueConstraint(F("year"), F("half"), name="one_legal_rate_per_half_year"),
            models.CheckConstraint(condition=Q(half__in=(1, 2), percent__gte=0), name="legal_rate_of_a_half_year"),
        )

    def __str__(self) -> str:
        return f"{self.year}-{self.half}: {self.percent}"


class LateInvoice(models.Model):
    """What paying an invoice late cost so far: interest reckoned up to `claimed_until`, recovery costs at most once.

    `held_for` names the half-year whose missing rate holds the interest; closed when nothing more can come.
    """

    invoice = models.OneToOneField("invoicing.Invoice", models.PROTECT, related_name="late")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    interest_cents = models.BigIntegerField(default=0)
    claimed_until = models.DateField(null=True)
    recovery_claimed = models.BooleanField(default=False)
    held_for = models.CharField(max_length=6, blank=True)
    closed_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(interest_cents__gte=0), name="late_interest_not_negative"),)
        indexes = (models.Index(fields=("account",), condition=Q(closed_at=None), name="late_invoice_open"),)

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.interest_cents}"
