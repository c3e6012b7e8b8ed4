"""Orders, and the subscriptions that paid ones become (SUB-2, SUB-3, SUB-5)."""

from datetime import date

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.offering.catalogue_models import INVOICED, Interval, Option, Package
from panel.core.querysets import TenantQuerySet


class OrderState(models.TextChoices):
    AWAITING_PAYMENT = "awaiting_payment", _("Awaiting payment")
    HELD = "held", _("Being checked")
    PAID = "paid", _("Paid")
    CANCELLED = "cancelled", _("Cancelled")


class SubscriptionState(models.TextChoices):
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    TERMINATED = "terminated", _("Ended")


class Order(models.Model):
    """`quotation` is what the customer saw and ticked, frozen; `settings` are the cleaned wishes for the service;
    `risk` what was known when it was placed (`review_rules.Evidence`, SUB-4)."""

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="orders")
    placed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=80)
    state = models.CharField(max_length=20, choices=OrderState, default=OrderState.AWAITING_PAYMENT)
    package = models.ForeignKey(Package, models.PROTECT, related_name="orders")
    interval = models.CharField(max_length=10, choices=INVOICED)
    settings = models.JSONField(default=dict)
    quotation = models.JSONField()
    vat_evidence = models.JSONField(default=dict)
    risk = models.JSONField(default=dict)
    net_cents = models.BigIntegerField()
    vat_cents = models.BigIntegerField()
    total_cents = models.BigIntegerField()
    terms_version = models.CharField(max_length=60)
    commitment_months = models.PositiveSmallIntegerField(default=0, help_text="agreed upon in a quote (SUB-6)")
    language = models.CharField(max_length=8, default="en")
    order_number = models.CharField(max_length=60, blank=True, help_text="the buyer's (BT-13); empty: the account's")
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    trial_days = models.PositiveSmallIntegerField(default=0)
    paid_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    cancel_reason = models.CharField(max_length=200, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-placed_at", "-id")
        constraints = (
            models.UniqueConstraint(F("account"), F("key"), name="order_once_per_key"),
            models.CheckConstraint(condition=Q(total_cents=F("net_cents") + F("vat_cents")), name="order_adds_up"),
        )
        indexes = (models.Index(fields=("expires_at",), condition=Q(state="awaiting_payment"), name="order_to_expire"),)

    def __str__(self) -> str:
        return self.reference


class OrderLine(models.Model):
    """A package or an option of an order, at the price seen."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    package = models.ForeignKey(Package, models.PROTECT, null=True, related_name="+")
    option = models.ForeignKey(Option, models.PROTECT, null=True, related_name="+")
    description = models.CharField(max_length=300)
    quantity = models.PositiveSmallIntegerField(default=1)
    unit_cents = models.BigIntegerField()
    net_cents = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("position",)
        constraints = (models.UniqueConstraint(F("order"), F("position"), name="order_line_position"),)

    def __str__(self) -> str:
        return f"{self.order_id}/{self.position}"


class Subscription(models.Model):
    """A running service. Its price and terms are those it began its current period under (LEG-1, LEG-3).

    `anchor_on` is the Paris day of its start: periods are counted from it (SUB-5), traffic months too (SRV-4).
    `period_end` is the first day of the next period; `usage_from` the first day of the traffic month still to be rated.
    `next_due_on` is the day the renewal sweep must look at it again; null once ended. `trial_ends_on` is the first day
    after a free trial: the first paid period begins on it, and it becomes the anchor.
    """

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="subscriptions")
    order = models.OneToOneField(Order, models.PROTECT, null=True, related_name="subscription")
    package = models.ForeignKey(Package, models.PROTECT, related_name="subscriptions")
    service_kind = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=SubscriptionState, default=SubscriptionState.ACTIVE)
    interval = models.CharField(max_length=10, choices=Interval)
    price_cents = models.BigIntegerField()
    settings = models.JSONField(default=dict)
    order_number = models.CharField(max_length=60, blank=True, help_text="the buyer's (BT-13); empty: the account's")
    anchor_on = models.DateField()
    period_start = models.DateField()
    period_end = models.DateField()
    usage_from = models.DateField()
    next_due_on = models.DateField(null=True)
    terms_version = models.CharField(max_length=60)
    started_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True, help_text="by the provider")
    paused_at = models.DateTimeField(null=True, help_text="by the client (SUB-5)")
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=300, blank=True)
    end_rule = models.CharField(max_length=20, blank=True)
    priced_at = models.DateTimeField(null=True, help_text="when its price was agreed (LEG-3)")
    ends_on = models.DateField(null=True, help_text="the first day without it, where its end is planned")
    end_wishes = models.JSONField(default=dict, help_text="what the client wants with the planned end (SUB-7)")
    trial_ends_on = models.DateField(null=True)
    trial_told_at = models.DateTimeField(null=True)
    committed_until = models.DateField(null=True, help_text="the first day without a commitment (SUB-6)")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-started_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(period_end__gt=F("period_start")), name="subscription_period_forward"),
            models.CheckConstraint(condition=Q(price_cents__gte=0), name="subscription_price_not_negative"),
            models.UniqueConstraint(
                F("account"), condition=Q(trial_ends_on__isnull=False), name="one_trial_for_an_account"
            ),
        )
        indexes = (
            models.Index(fields=("next_due_on",), condition=Q(next_due_on__isnull=False), name="subscription_due"),
        )

    def __str__(self) -> str:
        return self.reference

    @property
    def shown_state(self) -> str:
        """The state as its badge says it: a pause is the client's own, a suspension the provider's."""
        resting = self.state == SubscriptionState.SUSPENDED and self.suspended_at is None and self.paused_at is not None
        return "paused" if resting else self.state

    @property
    def on_trial(self) -> bool:
        """Its present period is the free trial."""
        return self.trial_ends_on is not None and self.period_end == self.trial_ends_on

    @property
    def next_anchor(self) -> date:
        """The day from which the periods after the present one are counted."""
        return self.period_end if self.on_trial else self.anchor_on


class SubscriptionOption(models.Model):
    """An option that runs with a subscription and is renewed with it, at its own frozen price.

    `since` is its first day, `until` the first one without it.
    """

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="options")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    option = models.ForeignKey(Option, models.PROTECT, related_name="+")
    quantity = models.PositiveSmallIntegerField(default=1)
    price_cents = models.BigIntegerField()
    since = models.DateField()
    until = models.DateField(null=True)
    priced_at = models.DateTimeField(null=True, help_text="when its price was agreed (LEG-3)")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(quantity__gte=1), name="subscription_option_some"),)

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.option_id} x{self.quantity}"


class SubscriptionPeriod(models.Model):
    """A period that has been invoiced: the unique key is what keeps it from being invoiced twice (SUB-5)."""

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="periods")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    start = models.DateField()
    end = models.DateField()
    terms_version = models.CharField(max_length=60)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="periods")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("start",)
        constraints = (models.UniqueConstraint(F("subscription"), F("start"), name="period_invoiced_once"),)

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.start}..{self.end}"


class Consumption(models.Model):
    """What a meter counted in an ended month, rated once (SRV-5, OPR-1); no `invoice` when nothing was over.

    `number` 0 is the rating at the month's end; later ones are regularisations, whose `net_cents` is the difference to
    what was billed before (below zero: given back by the credit note `invoice`). `counted_to` is the id of the newest
    usage event that was counted. `until_transfer`: the part of a running month that a giver of the service used; the
    rest of it is rated for the receiver when the month ends, under the next number.
    """

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="consumptions")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    meter = models.CharField(max_length=40)
    start = models.DateField()
    end = models.DateField()
    number = models.PositiveSmallIntegerField(default=0)
    quantity = models.DecimalField(max_digits=24, decimal_places=9)
    allowance = models.DecimalField(max_digits=24, decimal_places=9)
    unit = models.CharField(max_length=12)
    counted_to = models.BigIntegerField(default=0)
    terms_version = models.CharField(max_length=60)
    net_cents = models.BigIntegerField()
    evidence = models.JSONField(default=dict)
    until_transfer = models.BooleanField(default=False)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="consumptions")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("start", "meter", "number")
        constraints = (
            models.UniqueConstraint(
                F("subscription"), F("meter"), F("start"), F("number"), name="consumption_rated_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.meter} {self.start}"
