"""Promotional codes and their uses (SUB-2)."""

from django.db import models
from django.db.models import F, Q

from invoicing.offering.catalogue_models import Interval, Package
from panel.core.querysets import TenantQuerySet


class PromotionCode(models.Model):
    """`percent` or `amount_cents` (without VAT) off the first `periods` invoices, 0 for every one; `interval` and
    `packages` empty: for all. Limits of null are none; `valid_until` is the first instant without it."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    amount_cents = models.BigIntegerField(null=True)
    packages = models.ManyToManyField(Package, related_name="+", blank=True)
    interval = models.CharField(max_length=10, choices=Interval, blank=True)
    periods = models.PositiveSmallIntegerField(default=1)
    on_setup = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    most_uses = models.PositiveIntegerField(null=True)
    most_per_account = models.PositiveIntegerField(null=True)
    new_only = models.BooleanField(default=False)
    minimum_cents = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    off_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(percent__isnull=False, percent__gt=0, percent__lte=100, amount_cents=None)
                | Q(percent=None, amount_cents__isnull=False, amount_cents__gt=0),
                name="promotion_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from")), name="promotion_forward"
            ),
            models.CheckConstraint(condition=Q(minimum_cents__gte=0), name="promotion_minimum"),
        )

    def __str__(self) -> str:
        return self.code


class PromotionUse(models.Model):
    """A code used by an order, which keeps what it was promised; given back when the order is cancelled."""

    promotion = models.ForeignKey(PromotionCode, models.PROTECT, related_name="uses")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    order = models.OneToOneField("invoicing.Order", models.PROTECT, related_name="promotion_use")
    promise = models.JSONField()
    cents = models.BigIntegerField(help_text="off the first invoice, without VAT")
    used_at = models.DateTimeField()
    given_back_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("promotion", "account"), condition=Q(given_back_at=None), name="promotion_in_use"),
        )

    def __str__(self) -> str:
        return f"{self.promotion_id} {self.order_id}"
