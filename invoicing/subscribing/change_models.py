"""Changes of a running subscription: made at once, or planned for the day its next period begins (SUB-12)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.issuing.document_models import Invoice
from invoicing.offering.catalogue_models import Interval, Package
from invoicing.subscribing.order_models import Subscription
from panel.core.querysets import TenantQuerySet


class ChangeState(models.TextChoices):
    PLANNED = "planned", _("Planned")
    DONE = "done", _("Done")
    UNDONE = "undone", _("Taken back")


class SubscriptionChange(models.Model):
    """What a subscription becomes, and when. `before` and `after` are compositions: package, its price, the interval
    and the options as [code, quantity, unit price in cents]; `invoice` billed the rest of the period (SUB-12)."""

    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="changes")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    key = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=ChangeState)
    package = models.ForeignKey(Package, models.PROTECT, related_name="+")
    interval = models.CharField(max_length=10, choices=Interval)
    before = models.JSONField()
    after = models.JSONField()
    effective_on = models.DateField()
    net_cents = models.BigIntegerField(default=0)
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="+")
    credit_note = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="+")
    asked_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-id")
        constraints = (
            models.UniqueConstraint(F("subscription"), F("key"), name="change_once_per_key"),
            models.UniqueConstraint(F("subscription"), condition=Q(state="planned"), name="change_one_planned"),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.state} {self.effective_on}"
