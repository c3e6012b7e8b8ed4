"""What is for sale (SUB-1): families, packages, options and their dated prices."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.offering.group_models import CustomerGroup
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import ItemVat


class Interval(models.TextChoices):
    MONTH = "month"
    YEAR = "year"


ONCE = "once"
"""The interval of what is bought once and has no periods: a prepaid pack (OPR-9)."""
PACK = "pack"
"""The service kind of the packages that are prepaid packs: bought once, they are no running service."""
INVOICED = (*Interval.choices, (ONCE, _("once")))


class Family(models.Model):
    """Packages that are compared side by side, such as `vps`."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    name_fr = models.CharField(max_length=80)
    summary = models.CharField(max_length=300, blank=True)
    summary_fr = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.code


class VatCategory(models.TextChoices):
    ELECTRONIC = tax_rules.ELECTRONIC, _("Standard rate: an electronically supplied service")
    REDUCED = tax_rules.REDUCED, _("Reduced rate")
    EXEMPTED = tax_rules.EXEMPTED, _("Exempt")
    OUTSIDE = tax_rules.OUTSIDE, _("Outside the scope of VAT")


class VatReason(models.TextChoices):
    TRAINING = tax_rules.EXEMPTIONS[0], _("Vocational training (VATEX-EU-132-1I)")
    CULTURE = tax_rules.EXEMPTIONS[1], _("Cultural services (VATEX-EU-132-1N)")
    DISBURSEMENT = tax_rules.EXEMPTIONS[2], _("Disbursement on the customer’s behalf (VATEX-EU-79-C)")


class Item(models.Model):
    """What packages and options have in common. `vat_rate` is the percentage of a reduced rate, `vat_reason` why an
    item is exempt (INV-10)."""

    code = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=80)
    name_fr = models.CharField(max_length=80)
    summary = models.CharField(max_length=300, blank=True)
    summary_fr = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    on_sale = models.BooleanField(default=True)
    vat_category = models.CharField(max_length=12, choices=VatCategory, default=VatCategory.ELECTRONIC)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2, null=True, blank=True)
    vat_reason = models.CharField(max_length=20, choices=VatReason, blank=True)

    class Meta:
        abstract = True
        ordering = ("position", "code")
        constraints = (
            models.CheckConstraint(
                condition=Q(vat_category="reduced", vat_rate__isnull=False, vat_rate__gt=0, vat_rate__lt=100)
                | (~Q(vat_category="reduced") & Q(vat_rate=None)),
                name="%(class)s_vat_rate",
            ),
            models.CheckConstraint(
                condition=(Q(vat_category="exempted") & ~Q(vat_reason=""))
                | (~Q(vat_category="exempted") & Q(vat_reason="")),
                name="%(class)s_vat_reason",
            ),
        )

    def __str__(self) -> str:
        return self.code

    def named(self, language: str) -> str:
        """The name in `language` ("fr" or anything else for English)."""
        return self.name_fr if language.startswith("fr") else self.name

    def told(self, language: str) -> str:
        """The summary in `language`."""
        return self.summary_fr if language.startswith("fr") else self.summary

    @property
    def vat(self) -> ItemVat:
        """As the rules read it."""
        return ItemVat(self.vat_category, self.vat_rate or Decimal(0), self.vat_reason)


class Package(Item):
    """`spec` for a VPS: vcpu, memory_mb, disk_gb, included_bytes (per traffic month), network_mbps; for a prepaid pack
    (OPR-9): meter, unit, units.

    `trial_days` free days can be had once by an account (0: none); then it is paid for (`trial_converts`), or ends.
    """

    family = models.ForeignKey(Family, models.PROTECT, related_name="packages")
    service_kind = models.CharField(max_length=40)
    spec = models.JSONField(default=dict)
    hosts_code = models.BooleanField(default=False, help_text="a project's code may stand on it (SUB-7)")
    trial_days = models.PositiveSmallIntegerField(default=0)
    trial_converts = models.BooleanField(default=True)
    trial_needs_means = models.BooleanField(default=True)


class Option(Item):
    """A related service (SUB-2) that can be ordered with any package of its family."""

    family = models.ForeignKey(Family, models.PROTECT, related_name="options")
    service_kind = models.CharField(max_length=40)
    maximum = models.PositiveSmallIntegerField(default=1)
    one_of = models.SlugField(max_length=40, blank=True, help_text="of options with the same word one is chosen")


class Price(models.Model):
    """Excluding VAT, for one interval, from `valid_from` on; a later row replaces it for new orders (LEG-3).

    `group`: what the members of a customer group pay, in the place of the listed price; where such a row `ends` that,
    its amount says nothing and the listed price, less the group's percentage, is theirs again.
    `setup_cents` is paid once, for each one, with its first invoice; of a package that a running service changes to,
    only where `setup_on_change` says so.
    """

    package = models.ForeignKey(Package, models.PROTECT, null=True, blank=True, related_name="prices")
    option = models.ForeignKey(Option, models.PROTECT, null=True, blank=True, related_name="prices")
    group = models.ForeignKey(CustomerGroup, models.PROTECT, null=True, blank=True, related_name="prices")
    interval = models.CharField(max_length=10, choices=INVOICED)
    amount_cents = models.BigIntegerField()
    setup_cents = models.BigIntegerField(default=0)
    setup_on_change = models.BooleanField(default=False)
    ends = models.BooleanField(default=False)
    valid_from = models.DateTimeField()

    class Meta:
        ordering = ("-valid_from",)
        constraints = (
            models.CheckConstraint(
                condition=Q(package__isnull=False, option__isnull=True) | Q(package__isnull=True, option__isnull=False),
                name="price_of_one_item",
            ),
            models.CheckConstraint(condition=Q(amount_cents__gte=0, setup_cents__gte=0), name="price_not_negative"),
            models.CheckConstraint(condition=Q(ends=False) | Q(group__isnull=False), name="price_ends_of_a_group"),
            models.UniqueConstraint(
                F("package"),
                F("interval"),
                F("valid_from"),
                condition=Q(group=None),
                name="price_once_per_package",
            ),
            models.UniqueConstraint(
                F("group"), F("package"), F("interval"), F("valid_from"), name="price_once_per_group_and_package"
            ),
            models.UniqueConstraint(
                F("group"), F("option"), F("interval"), F("valid_from"), name="price_once_per_group_and_option"
            ),
            models.UniqueConstraint(
                F("option"),
                F("interval"),
                F("valid_from"),
                condition=Q(group=None),
                name="price_once_per_option",
            ),
        )

    def __str__(self) -> str:
        return f"{self.package or self.option} {self.interval} {self.amount_cents}"
