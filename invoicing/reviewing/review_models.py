"""Orders held for review, what staff says of an account or a mail domain, and renewals that are refused (SUB-4)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.paying.payment_models import Payment
from invoicing.subscribing.order_models import Order, Subscription
from panel.core.querysets import TenantQuerySet


class ReviewState(models.TextChoices):
    WAITING = "waiting", _("To be decided")
    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn by the customer")


class WhyRefused(models.TextChoices):
    """The reasons staff chooses from; they are told to the customer in words."""

    UNAVAILABLE = "unavailable", _("The service is not available.")
    IDENTITY = "identity", _("We could not confirm who is ordering.")
    PAYMENT = "payment", _("The means of payment does not fit the account.")
    DEBT = "debt", _("There is an unpaid invoice or a running dispute.")
    COMPETITOR = "competitor", _("We do not serve competitors.")
    MISUSE = "misuse", _("Our services were misused.")
    OTHER = "other", _("Another reason, explained below.")


class OrderReview(models.Model):
    """One order that is held until a person has decided; `payment` is the money we hold for it meanwhile, if any.

    `reasons` are the signs that hold it, `evidence` what was known then (`review_rules.Evidence`: countries, counts and
    flags only). `words` is what the customer was told beside the reason; `due_at` the end of the promised time.
    """

    order = models.ForeignKey(Order, models.CASCADE, related_name="reviews")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    payment = models.OneToOneField(Payment, models.PROTECT, null=True, related_name="review")
    state = models.CharField(max_length=12, choices=ReviewState, default=ReviewState.WAITING)
    reasons = models.JSONField()
    evidence = models.JSONField()
    terms_version = models.CharField(max_length=60)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    why = models.CharField(max_length=20, choices=WhyRefused, blank=True)
    words = models.CharField(max_length=500, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "-id")
        constraints = (
            models.UniqueConstraint(F("order"), condition=Q(state="waiting"), name="order_review_one_waiting"),
        )
        indexes = (models.Index(fields=("due_at",), condition=Q(state="waiting"), name="order_review_waiting"),)

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class MailDomain(models.Model):
    """What staff says of a mail domain; it comes before the list of the settings."""

    domain = models.CharField(max_length=253, unique=True)
    disposable = models.BooleanField(default=True)
    said_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    said_at = models.DateTimeField()

    class Meta:
        ordering = ("domain",)

    def __str__(self) -> str:
        return self.domain


class AccountStanding(models.Model):
    """What staff says of an account: that it is a competitor's; that the limits of new accounts do not bind it."""

    account = models.OneToOneField("accounts.Account", models.PROTECT, related_name="standing")
    competitor = models.BooleanField(default=False)
    competitor_why = models.CharField(max_length=300, blank=True)
    limits_raised = models.BooleanField(default=False)
    limits_why = models.CharField(max_length=300, blank=True)
    changed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"standing of {self.account_id}"


class RenewalRefusal(models.Model):
    """A subscription that the provider does not renew: why, and until it is taken back, with the end planned on it."""

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="refusals")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    why = models.CharField(max_length=20, choices=WhyRefused)
    words = models.CharField(max_length=500, blank=True)
    ends_on = models.DateField()
    decided_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField()
    taken_back_at = models.DateTimeField(null=True)
    taken_back_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    taken_back_why = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-decided_at", "-id")
        constraints = (
            models.UniqueConstraint(F("subscription"), condition=Q(taken_back_at=None), name="one_renewal_refusal"),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.why}"
