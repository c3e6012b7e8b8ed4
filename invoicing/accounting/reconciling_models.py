"""Differences between the provider, the books, the invoices and the services, as the reconciliation found them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from invoicing.accounting import reconciling_rules as rules


class MoneyDifference(models.Model):
    """One difference, from when it was first seen to when it was gone; open: `resolved_at` is null."""

    class Kind(models.TextChoices):
        CHARGE_WITHOUT_PAYMENT = rules.CHARGE_WITHOUT_PAYMENT, _("Collected at the provider, unknown here")
        CHARGE_NOT_RECORDED = rules.CHARGE_NOT_RECORDED, _("Collected at the provider, not recorded as paid")
        PAYMENT_WITHOUT_CHARGE = rules.PAYMENT_WITHOUT_CHARGE, _("Recorded as paid, nothing at the provider")
        AMOUNT_DIFFERS = rules.AMOUNT_DIFFERS, _("Other amount at the provider")
        REFUND_DIFFERS = rules.REFUND_DIFFERS, _("Other amount refunded at the provider")
        PAYMENT_NOT_BOOKED = rules.PAYMENT_NOT_BOOKED, _("Paid, but not so in the books")
        BOOKED_WITHOUT_PAYMENT = rules.BOOKED_WITHOUT_PAYMENT, _("In the books without a payment")
        DOCUMENT_NOT_BOOKED = rules.DOCUMENT_NOT_BOOKED, _("Issued, but not so in the books")
        SETTLEMENT_DIFFERS = rules.SETTLEMENT_DIFFERS, _("Paid amount without its settlements")
        PAID_UNPROVISIONED = rules.PAID_UNPROVISIONED, _("Paid, but nothing is delivered")
        PROVISIONED_UNPAID = rules.PROVISIONED_UNPAID, _("Delivered, but not paid")
        PAYOUT_NOT_BOOKED = rules.PAYOUT_NOT_BOOKED, _("Paid out by the provider, but not so in the books")
        PAYOUT_DIFFERS = rules.PAYOUT_DIFFERS, _("Payout of another amount than its parts")
        PAYOUT_LINE_UNKNOWN = rules.PAYOUT_LINE_UNKNOWN, _("In a payout, unknown here")
        PAYOUT_LINE_DIFFERS = rules.PAYOUT_LINE_DIFFERS, _("Other amount in a payout")
        RECEIVABLES_DIFFER = rules.RECEIVABLES_DIFFER, _("The books say other than what is due on invoices")
        FUNDS_DIFFER = rules.FUNDS_DIFFER, _("The books say other than what the funds hold")

    kind = models.CharField(max_length=24, choices=Kind)
    ref = models.CharField(max_length=120)
    expected_cents = models.BigIntegerField(null=True)
    found_cents = models.BigIntegerField(null=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("kind", "ref"), condition=Q(resolved_at=None), name="difference_one_open"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"
