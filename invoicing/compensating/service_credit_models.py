"""Credits for a service that fell short of its promise, and where each of them landed (SUB-15)."""

from django.db import models
from django.db.models import F, Q

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class ServiceCredit(models.Model):
    """A credit of `cents` (excluding VAT) for a subscription, by a rule; `once` names its cause, so that it is granted
    once. `reason` is what the line of the invoice says, in the customer's language."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="service_credits")
    subscription = models.ForeignKey("invoicing.Subscription", models.PROTECT, related_name="service_credits")
    once = models.CharField(max_length=120, unique=True)
    rule = models.CharField(max_length=20)
    cents = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    evidence = models.JSONField(default=dict)
    granted_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (models.CheckConstraint(condition=Q(cents__gt=0), name="service_credit_positive"),)
        indexes = (models.Index(fields=("subscription",), name="service_credit_of"),)

    def __str__(self) -> str:
        return self.once


class ServiceCreditUse(models.Model):
    """What of a credit landed on an invoice, as a line that takes it off, or in a credit note after the end."""

    credit = models.ForeignKey(ServiceCredit, models.PROTECT, related_name="uses")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="+")
    cents = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(F("credit"), F("invoice"), name="service_credit_once_per_document"),
            models.CheckConstraint(condition=Q(cents__gt=0), name="service_credit_use_positive"),
        )

    def __str__(self) -> str:
        return f"{self.credit_id} {self.invoice_id}: {self.cents}"


triggers.append_only("invoicing_servicecredit")
triggers.append_only("invoicing_servicecredituse")
