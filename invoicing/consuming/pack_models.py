"""Prepaid packs (OPR-9): what was bought, and every unit that was drawn from it, given back, or lost to it."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.consuming.usage_models import MILLION, UsageEvent
from invoicing.offering.catalogue_models import Package
from invoicing.subscribing.order_models import Order
from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class PackClosing(models.TextChoices):
    OPEN = "", _("Open")
    EXPIRED = "expired", _("Expired")
    REFUNDED = "refunded", _("Credited")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Pack(models.Model):
    """A pack that was paid for: `bought` millionths of a unit of `meter`, for every service of the account that has it.

    `remaining` is kept by its movements and never falls below zero. `used_at` is the last use of the meter since it was
    bought (at first: the purchase): the pack expires a time after it, by the terms it was bought under (LEG-1),
    and not before `kept_until`, where its end was told too late.
    """

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="packs")
    package = models.ForeignKey(Package, models.PROTECT, related_name="packs")
    order = models.OneToOneField(Order, models.PROTECT, related_name="pack")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="packs")
    meter = models.CharField(max_length=40)
    unit = models.CharField(max_length=12)
    bought = models.BigIntegerField()
    remaining = models.BigIntegerField()
    terms_version = models.CharField(max_length=60)
    bought_at = models.DateTimeField()
    used_at = models.DateTimeField()
    kept_until = models.DateTimeField(null=True)
    closing = models.CharField(max_length=10, choices=PackClosing, default=PackClosing.OPEN, blank=True)
    closed_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(bought__gt=0), name="pack_holds_something"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("bought")), name="pack_never_below_zero"
            ),
            models.CheckConstraint(
                condition=Q(closing="", closed_at=None) | Q(~Q(closing=""), closed_at__isnull=False),
                name="pack_closed_at_an_instant",
            ),
        )
        indexes = (
            models.Index(fields=("account", "meter"), name="pack_of_meter"),
            models.Index(fields=("used_at",), condition=Q(closing=""), name="pack_to_expire"),
        )

    def __str__(self) -> str:
        return self.reference

    @property
    def units_bought(self) -> Decimal:
        return Decimal(self.bought) / MILLION

    @property
    def units_left(self) -> Decimal:
        return Decimal(self.remaining) / MILLION


class MovementKind(models.TextChoices):
    DRAWN = "drawn", _("Used")
    BACK = "back", _("Given back")
    EXPIRED = "expired", _("Expired")
    REOPENED = "reopened", _("Expiry taken back")
    REFUNDED = "refunded", _("Credited")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class PackMovement(models.Model):
    """Millionths that left a pack (below zero) or came back to it, never changed. A draw names the event it paid for;
    what comes back names the correcting event."""

    pack = models.ForeignKey(Pack, models.PROTECT, related_name="movements")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    event = models.ForeignKey(UsageEvent, models.PROTECT, null=True, related_name="pack_movements")
    kind = models.CharField(max_length=10, choices=MovementKind)
    millionths = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(F("pack"), F("event"), name="pack_moved_once_by_an_event"),
            models.CheckConstraint(
                condition=Q(kind__in=["drawn", "expired", "refunded", "withdrawn"], millionths__lt=0)
                | Q(kind__in=["back", "reopened"], millionths__gt=0),
                name="pack_movement_sign",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["drawn", "back"], event__isnull=False)
                | Q(kind__in=["expired", "reopened", "refunded", "withdrawn"], event=None),
                name="pack_movement_of_an_event",
            ),
        )

    def __str__(self) -> str:
        return f"{self.pack_id} {self.kind} {self.millionths}"

    @property
    def units(self) -> Decimal:
        return Decimal(self.millionths) / MILLION


class PackNotice(models.Model):
    """The customer was told, once, `days` before a pack's expiry on `expires_on` (its first Paris day without it)."""

    pack = models.ForeignKey(Pack, models.PROTECT, related_name="notices")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    expires_on = models.DateField()
    days = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(F("pack"), F("expires_on"), F("days"), name="pack_notice_once"),)

    def __str__(self) -> str:
        return f"{self.pack_id} {self.expires_on} -{self.days}"


def _declare_triggers() -> None:
    """What was bought and moved stays written; a movement changes what is left, and nothing else does."""
    pack, movement = "invoicing_pack", "invoicing_packmovement"
    fixed = ("id", "reference", "account_id", "package_id", "order_id", "invoice_id", "meter", "unit", "bought",
             "terms_version", "bought_at")  # fmt: skip
    triggers.append_only(pack, columns=fixed)
    triggers.append_only(movement)
    triggers.append_only("invoicing_packnotice")
    triggers.kept_sum(pack, movement, link="pack_id", amount="millionths", kept="remaining", sign="+")
    moved = f"(SELECT COALESCE(SUM(millionths), 0) FROM {movement} WHERE pack_id = NEW.id)"  # noqa: S608 - names of ours
    sentence = "what is left of a pack is kept by its movements"
    triggers.guard_sum(f"{pack}_remaining", pack, "remaining", f"NEW.bought + {moved}", sentence)


_declare_triggers()
