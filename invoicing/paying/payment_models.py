"""Payments, their means and refunds, and what the payment provider told us (INV-5, INV-11, INV-12)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.paying import payment_rules
from panel.core.querysets import TenantQuerySet


class PaymentState(models.TextChoices):
    NEW = "new", _("Being prepared")
    WAITING = "waiting", _("Waiting for you")
    PROCESSING = "processing", _("With the bank")
    SUCCEEDED = "succeeded", _("Paid")
    FAILED = "failed", _("Refused")
    CANCELLED = "cancelled", _("Cancelled")


class RefundState(models.TextChoices):
    NEW = "new", _("Being prepared")
    PENDING = "pending", _("With the bank")
    SUCCEEDED = "succeeded", _("Refunded")
    FAILED = "failed", _("Came back")


class MethodKind(models.TextChoices):
    CARD = "card", _("Card")
    SEPA = "sepa", _("SEPA direct debit")


class SetupState(models.TextChoices):
    NEW = "new", _("Being prepared")
    WAITING = "waiting", _("Waiting for you")
    DONE = "done", _("Kept")
    FAILED = "failed", _("Not kept")


class GatewayCustomer(models.Model):
    """The account's name at the payment provider."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="gateway_customers")
    provider = models.CharField(max_length=20)
    ref = models.CharField(max_length=80)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(F("account"), F("provider"), name="one_customer_per_provider"),
            models.UniqueConstraint(F("provider"), F("ref"), name="gateway_customer_once"),
        )

    def __str__(self) -> str:
        return self.ref


class PaymentMethod(models.Model):
    """A card or a mandate kept at the provider, of which the panel knows brand and last digits alone; or a mandate of
    our own (`Mandate`), whose account number stands there, encrypted."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="payment_methods")
    provider = models.CharField(max_length=20)
    ref = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=MethodKind)
    brand = models.CharField(max_length=20, blank=True)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField(null=True)
    exp_year = models.PositiveSmallIntegerField(null=True)
    mandate_reference = models.CharField(max_length=35, blank=True)
    mandate_signed_at = models.DateTimeField(null=True)
    is_default = models.BooleanField(default=False)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    expiry_told_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-is_default", "-added_at")
        constraints = (
            models.UniqueConstraint(F("provider"), F("ref"), name="payment_method_once"),
            models.UniqueConstraint(
                fields=("account",), condition=Q(is_default=True, removed_at=None), name="one_default_method"
            ),
            models.CheckConstraint(
                condition=~Q(kind="card") | Q(exp_month__range=(1, 12), exp_year__isnull=False), name="card_has_expiry"
            ),
        )

    def __str__(self) -> str:
        return f"{self.brand or self.kind} •••• {self.last4}"


class CardSetup(models.Model):
    """A visit to the provider's page to keep a card, or sign a mandate, without paying; `action_url` is that page
    while it is open."""

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="card_setups")
    key = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=10, choices=MethodKind, default=MethodKind.CARD)
    state = models.CharField(max_length=12, choices=SetupState, default=SetupState.NEW)
    return_url = models.URLField(max_length=500)
    action_url = models.URLField(max_length=2000, blank=True)
    checkout_ref = models.CharField(max_length=120, null=True, unique=True)
    method = models.ForeignKey(PaymentMethod, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.reference


class Payment(models.Model):
    """One attempt to collect `amount_cents` (EUR), for an order, an invoice or a top-up of funds.

    Without `method` the customer pays at the provider's own page (`action_url`); with one it is charged in their
    absence. `checkout_ref` and `provider_ref` are the provider's names for that page and for the payment itself.
    """

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="payments")
    order = models.ForeignKey("invoicing.Order", models.PROTECT, null=True, related_name="payments")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="payments")
    top_up = models.ForeignKey("invoicing.TopUp", models.PROTECT, null=True, related_name="payments")
    method = models.ForeignKey(PaymentMethod, models.PROTECT, null=True, related_name="payments")
    key = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=12, choices=PaymentState, default=PaymentState.NEW)
    amount_cents = models.BigIntegerField()
    refunded_cents = models.BigIntegerField(default=0)
    disputed_cents = models.BigIntegerField(default=0)
    keep_method = models.BooleanField(default=False)
    given_up = models.BooleanField(default=False)
    return_url = models.URLField(max_length=500, blank=True)
    action_url = models.URLField(max_length=2000, blank=True)
    provider = models.CharField(max_length=20)
    checkout_ref = models.CharField(max_length=120, null=True, unique=True)
    provider_ref = models.CharField(max_length=120, null=True, unique=True)
    decline_code = models.CharField(max_length=60, blank=True)
    card_country = models.CharField(max_length=2, blank=True, help_text="where the card was issued, if that is known")
    street_check = models.CharField(max_length=4, blank=True, help_text="of the card's address: pass, fail, or unknown")
    postcode_check = models.CharField(max_length=4, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(condition=Q(amount_cents__gt=0), name="payment_positive"),
            models.CheckConstraint(
                condition=Q(refunded_cents__gte=0, refunded_cents__lte=F("amount_cents")), name="refunds_within_payment"
            ),
            models.CheckConstraint(
                condition=Q(disputed_cents__gte=0, disputed_cents__lte=F("amount_cents") - F("refunded_cents")),
                name="given_back_within_payment",
            ),
            models.CheckConstraint(
                condition=Q(order__isnull=False, invoice__isnull=True, top_up__isnull=True)
                | Q(order__isnull=True, invoice__isnull=False, top_up__isnull=True)
                | Q(order__isnull=True, invoice__isnull=True, top_up__isnull=False),
                name="payment_has_one_purpose",
            ),
            models.UniqueConstraint(
                fields=("order",),
                condition=Q(state__in=("new", "waiting", "processing", "succeeded")),
                name="one_live_payment_per_order",
            ),
            models.UniqueConstraint(
                fields=("top_up",),
                condition=Q(state__in=("new", "waiting", "processing", "succeeded")),
                name="one_live_payment_per_top_up",
            ),
            models.UniqueConstraint(
                fields=("invoice",),
                condition=Q(state__in=("new", "waiting", "processing")),
                name="one_live_payment_per_invoice",
            ),
        )
        indexes = (
            models.Index(
                fields=("created_at",), condition=Q(state__in=("new", "waiting", "processing")), name="payment_pending"
            ),
        )

    def __str__(self) -> str:
        return self.reference

    @property
    def refundable_cents(self) -> int:
        """What of it can still be given back."""
        return payment_rules.refundable(self.amount_cents, self.refunded_cents, self.disputed_cents)


class Refund(models.Model):
    """Money given back from a payment; never more than it brought in."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="refunds")
    credit_note = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="refunds")
    key = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=12, choices=RefundState, default=RefundState.NEW)
    amount_cents = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    provider_ref = models.CharField(max_length=120, null=True, unique=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = (models.CheckConstraint(condition=Q(amount_cents__gt=0), name="refund_positive"),)

    def __str__(self) -> str:
        return f"{self.payment_id} -{self.amount_cents}"


class DisputeState(models.TextChoices):
    OPEN = "open", _("To be answered")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")


class Dispute(models.Model):
    """Money of a payment that the payer's bank took back. `returned_cents` had been collected and is owed again;
    `loss_cents` had been refunded already: a loss, never a second refund."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="disputes")
    provider_ref = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=12, choices=DisputeState, default=DisputeState.OPEN)
    reason = models.CharField(max_length=60, blank=True)
    amount_cents = models.BigIntegerField()
    returned_cents = models.BigIntegerField()
    loss_cents = models.BigIntegerField()
    opened_at = models.DateTimeField()
    respond_by = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    amount_cents=F("returned_cents") + F("loss_cents"), returned_cents__gte=0, loss_cents__gte=0
                ),
                name="dispute_adds_up",
            ),
        )

    def __str__(self) -> str:
        return self.provider_ref


class RejectionNotice(models.Model):
    """INV-7: the customer was told of a repeated rejection and has until `replace_by` to add a valid means; `ended_at`
    when one was added, or nothing that was refused is owed any more."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="rejection_notices")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="rejection_notices")
    payment = models.OneToOneField(Payment, models.PROTECT, related_name="rejection_notice")
    told_at = models.DateTimeField()
    replace_by = models.DateTimeField()
    terms_version = models.CharField(max_length=60)
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-told_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("account",), condition=Q(ended_at=None), name="one_running_rejection_notice"
            ),
        )

    def __str__(self) -> str:
        return f"{self.account_id} until {self.replace_by}"


class WebhookEvent(models.Model):
    """Something the provider told us, kept once however often it came; `digest` binds its erasable body in (PRV-4)."""

    provider = models.CharField(max_length=20)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    via = models.CharField(max_length=10, choices=(("webhook", _("sent to us")), ("listing", _("found by asking"))))
    payment = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="webhook_events")
    digest = models.CharField(max_length=64)
    happened_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-received_at", "-id")
        constraints = (models.UniqueConstraint(F("provider"), F("event_id"), name="webhook_event_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"


class WebhookBody(models.Model):
    """The bytes as they came; erasable."""

    event = models.OneToOneField(WebhookEvent, models.CASCADE, primary_key=True, related_name="body")
    raw = models.BinaryField()

    def __str__(self) -> str:
        return f"body of {self.event_id}"
