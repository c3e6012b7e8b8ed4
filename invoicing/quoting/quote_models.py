"""Quotes in their versions (PRJ-1, LEG-6): a fixed price scale, signed in the panel, in a series of its own."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.offering.catalogue_models import Interval, Option, Package
from panel.core.money import Cents, round_cents
from panel.core.querysets import TenantQuerySet


class QuoteState(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SENT = "sent", _("To sign")
    SIGNED = "signed", _("Signed")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    REPLACED = "replaced", _("Replaced")


class QuoteSeries(models.Model):
    """The counter of quotes of a year. It is no fiscal series: a draft that is withdrawn leaves its number unused."""

    year = models.PositiveSmallIntegerField(unique=True)
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"D{self.year} at {self.last_number}"


class Quote(models.Model):
    """One version of a quote. `reference` is its number, with the version where it is not the first.

    `document` is what was sent, frozen; `pdf` its bytes, whose SHA-256 the signature names. `special` are numbers of
    the terms that it replaces (LEG-6), such as `{"SRV-5.price_per_gb": "0.90"}`. Days are Paris days.
    """

    reference = models.SlugField(max_length=20, unique=True)
    number = models.CharField(max_length=16)
    version = models.PositiveSmallIntegerField(default=1)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="quotes")
    state = models.CharField(max_length=12, choices=QuoteState, default=QuoteState.DRAFT)
    title = models.CharField(max_length=160)
    introduction = models.TextField(blank=True)
    conditions = models.TextField(blank=True)
    special = models.JSONField(default=dict)
    our_manager = models.CharField(max_length=120, blank=True)
    valid_until = models.DateField()
    language = models.CharField(max_length=8)
    terms_version = models.CharField(max_length=60)
    document = models.JSONField(null=True)
    pdf = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    # --- the signature
    signed_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    signed_name = models.CharField(max_length=120, blank=True)
    signed_ip = models.GenericIPAddressField(null=True)
    signed_sha256 = models.CharField(max_length=64, blank=True)
    accepted = models.JSONField(default=list)
    client_manager = models.CharField(max_length=120, blank=True)
    signed_pdf = models.ForeignKey("core.Blob", models.PROTECT, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(F("number"), F("version"), name="quote_version_once"),
            models.CheckConstraint(
                condition=~Q(state="signed") | Q(signed_at__isnull=False, signed_by__isnull=False),
                name="signed_quote_has_a_signature",
            ),
        )
        indexes = (models.Index(fields=("valid_until",), condition=Q(state="sent"), name="quote_to_expire"),)

    def __str__(self) -> str:
        return self.reference


class QuoteLine(models.Model):
    """What is offered. A line with an `interval` names the package that it becomes `quantity` subscriptions of, for
    `commitment_months` at least (SUB-6), or an option that stands beside each of those of the line `of`; the others are
    sold once, by stages."""

    quote = models.ForeignKey(Quote, models.CASCADE, related_name="lines")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    package = models.ForeignKey(Package, models.PROTECT, null=True, related_name="+")
    option = models.ForeignKey(Option, models.PROTECT, null=True, related_name="+")
    of = models.ForeignKey("self", models.CASCADE, null=True, related_name="options")
    interval = models.CharField(max_length=10, choices=Interval, blank=True)
    commitment_months = models.PositiveSmallIntegerField(default=0)
    description = models.CharField(max_length=300)
    quantity = models.DecimalField(max_digits=18, decimal_places=6)
    unit = models.CharField(max_length=12, blank=True)
    unit_price = models.DecimalField(max_digits=18, decimal_places=6)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(quantity__gt=0, unit_price__gte=0), name="quote_line_some"),
            models.CheckConstraint(
                condition=Q(interval="", package__isnull=True, option__isnull=True)
                | (~Q(interval="") & Q(package__isnull=False, option__isnull=True, of__isnull=True))
                | (~Q(interval="") & Q(package__isnull=True, option__isnull=False, of__isnull=False)),
                name="quote_line_recurs_as_a_service",
            ),
            models.UniqueConstraint(fields=("of", "option"), name="quote_line_option_once"),
            models.CheckConstraint(
                condition=Q(commitment_months=0) | Q(package__isnull=False), name="quote_line_commits_a_service"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quote_id}: {self.description}"

    @property
    def item(self) -> Package | Option | None:
        """What of the catalogue it is; None for what is described freely."""
        return self.package or self.option

    @property
    def cents(self) -> Cents:
        """The price of one, without VAT."""
        return round_cents(self.unit_price)


class QuoteStage(models.Model):
    """A part of what is sold once, invoiced when the quote is signed, on a day, or when staff says it is reached."""

    class When(models.TextChoices):
        SIGNED = "signed", _("on signature")
        DAY = "day", _("on a day")
        REACHED = "reached", _("when it is reached")

    quote = models.ForeignKey(Quote, models.CASCADE, related_name="stages")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    title = models.CharField(max_length=120)
    percent = models.PositiveSmallIntegerField()
    when = models.CharField(max_length=10, choices=When)
    on = models.DateField(null=True)
    invoice = models.OneToOneField("invoicing.Invoice", models.PROTECT, null=True, related_name="quote_stage")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(percent__gte=1, percent__lte=100), name="quote_stage_percent"),
            models.CheckConstraint(
                condition=Q(when="day", on__isnull=False) | (~Q(when="day") & Q(on__isnull=True)),
                name="quote_stage_has_its_day",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quote_id}: {self.title}"


class QuoteOverrun(models.Model):
    """What a signed quote will cost beyond its price, told to the client as soon as it is known (PRJ-6). Nothing is
    invoiced by it: what is wanted beyond the quote is a quote of its own."""

    quote = models.ForeignKey(Quote, models.PROTECT, related_name="overruns")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    cents = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    announced_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=Q(cents__gt=0), name="quote_overrun_positive"),)

    def __str__(self) -> str:
        return f"{self.quote_id} +{self.cents}"


class QuoteOrder(models.Model):
    """An order that a recurring line of a signed quote became; a cancelled one can be placed again."""

    line = models.ForeignKey(QuoteLine, models.PROTECT, related_name="orders")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    order = models.OneToOneField("invoicing.Order", models.PROTECT, related_name="quoted")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.line_id}: {self.order_id}"
