"""Metered services in general (OPR-1): what a package meters, who tells of usage, and every event that was told."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from invoicing.offering.catalogue_models import Package
from invoicing.subscribing.order_models import Subscription
from panel.core import triggers
from panel.core.querysets import TenantQuerySet

MILLION = 1_000_000


class PackageMeter(models.Model):
    """What a package counts and what it costs beyond the allowance of a month; a later row replaces it for the
    contractual periods that begin afterwards (LEG-3).

    `tiers`: [{"up_to": "1000", "unit_price": "0.06"}, {"up_to": null, "unit_price": "0.05"}], EUR without VAT a unit.
    `counter`: a name of `usage_rules.COUNTERS`. `carries`: what is left of a month is free in the next (OPR-8).
    """

    package = models.ForeignKey(Package, models.PROTECT, related_name="meters")
    meter = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    name_fr = models.CharField(max_length=80)
    unit = models.CharField(max_length=12)
    counter = models.CharField(max_length=20, default="sum")
    allowance = models.DecimalField(max_digits=24, decimal_places=9)
    tiers = models.JSONField()
    carries = models.BooleanField(default=False)
    valid_from = models.DateTimeField()

    class Meta:
        ordering = ("package", "meter", "-valid_from")
        constraints = (
            models.UniqueConstraint(F("package"), F("meter"), F("valid_from"), name="package_meter_once"),
            models.CheckConstraint(condition=Q(allowance__gte=0), name="package_meter_allowance"),
        )

    def __str__(self) -> str:
        return f"{self.package} {self.meter}"

    def named(self, language: str) -> str:
        """The name in `language` ("fr" or anything else for English)."""
        return self.name_fr if language.startswith("fr") else self.name


class UsageSource(models.Model):
    """A system of ours that tells of usage: its key is kept as a hash, and names the source of each event."""

    code = models.SlugField(max_length=40, unique=True)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    heard_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class UsageEvent(models.Model):
    """Something that was used, told once: (source, key) is unique, and nothing is ever changed.

    `quantity` is what was sent, `millionths` (of a unit: whole numbers add up exactly on both engines) what it counts
    as, below zero for a correction, which takes the whole event `corrects` back, at that event's instant.
    """

    source = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="usage_events")
    meter = models.CharField(max_length=40)
    quantity = models.DecimalField(max_digits=24, decimal_places=6)
    millionths = models.BigIntegerField()
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    corrects = models.OneToOneField("self", models.PROTECT, null=True, related_name="correction")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(F("source"), F("key"), name="usage_event_once"),
            models.CheckConstraint(
                condition=Q(corrects=None, millionths__gte=0) | Q(corrects__isnull=False, millionths__lte=0),
                name="usage_event_sign",
            ),
        )
        indexes = (models.Index(fields=("subscription", "meter", "at"), name="usage_event_of_month"),)

    def __str__(self) -> str:
        return f"{self.source} {self.key}"

    @property
    def units(self) -> Decimal:
        """What it counts as."""
        return Decimal(self.millionths) / MILLION


triggers.append_only("invoicing_usageevent")
