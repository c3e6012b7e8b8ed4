"""Payouts of the payment provider, and what each is made of (INV-11)."""

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from invoicing.paying_out import payout_rules as rules


class Payout(models.Model):
    """Money on its way from the provider's balance to our bank (negative: the provider takes it from the bank).

    `arrives_on` is the day the provider expects it there, `arrived_on` the day the bank booked it.
    """

    class State(models.TextChoices):
        MOVING = rules.MOVING, _("On its way")
        PAID = rules.PAID, _("Paid out")
        FAILED = rules.FAILED, _("Came back")

    provider = models.CharField(max_length=20)
    provider_ref = models.CharField(max_length=80)
    state = models.CharField(max_length=12, choices=State, default=State.MOVING)
    amount_cents = models.BigIntegerField()
    fee_cents = models.BigIntegerField(default=0)
    made_at = models.DateTimeField()
    arrives_on = models.DateField()
    arrived_on = models.DateField(null=True)
    trace = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ("-made_at", "-id")
        constraints = (models.UniqueConstraint(F("provider"), F("provider_ref"), name="payout_once"),)
        indexes = (models.Index(fields=("state", "arrived_on"), name="payout_by_state"),)

    def __str__(self) -> str:
        return self.provider_ref

    @property
    def standing(self) -> str:
        """Its state, or that it is at the bank."""
        return "arrived" if self.state == rules.PAID and self.arrived_on is not None else self.state

    @property
    def gross_cents(self) -> int:
        """What left the provider's balance with it, the fees among it."""
        return self.amount_cents + self.fee_cents


class PayoutLine(models.Model):
    """What one charge, refund or dispute put into a payout; `source` is the provider's name of it, or
    of the line itself where it has none."""

    class Kind(models.TextChoices):
        CHARGE = rules.CHARGE, _("Payment")
        REFUND = rules.REFUND, _("Refund")
        DISPUTE = rules.DISPUTE, _("Dispute")
        PAYOUT = rules.RETURNED, _("Payout that came back")
        FEE = rules.FEE, _("Fee")
        OTHER = rules.OTHER, _("Something else")

    payout = models.ForeignKey(Payout, models.PROTECT, related_name="lines")
    provider_ref = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=Kind)
    source = models.CharField(max_length=80, blank=True, db_index=True)
    gross_cents = models.BigIntegerField()
    fee_cents = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(F("payout"), F("provider_ref"), name="payout_line_once"),)

    def __str__(self) -> str:
        return self.provider_ref

    @property
    def net_cents(self) -> int:
        """What it added to the payout."""
        return self.gross_cents - self.fee_cents
