"""Billing runs: what was due, what became of each, and a dry run to compare with."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.subscribing.order_models import Subscription
from panel.core.querysets import TenantQuerySet


class RunState(models.TextChoices):
    RUNNING = "running", _("In progress")
    DONE = "done", _("Done")
    SHORT = "short", _("Fell short")


class BillingRun(models.Model):
    """One look at everything that is due at `as_of`: by staff (`key` is what the form sends, so that pressing twice is
    one run), or by the clock (one a Paris day). `dry`: drawn up, nothing issued.

    `expected` subscriptions were due; each is billed, had nothing to bill, waits for a last reading, or failed.
    `taxes`: what was (or would be) invoiced, {"S 20.00": [net, vat]} in cents.
    """

    key = models.CharField(max_length=80, unique=True)
    dry = models.BooleanField(default=False)
    started_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    as_of = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.RUNNING)
    expected = models.PositiveIntegerField(default=0)
    billed = models.PositiveIntegerField(default=0)
    empty = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    net_cents = models.BigIntegerField(default=0)
    vat_cents = models.BigIntegerField(default=0)
    taxes = models.JSONField(default=dict)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("-id",), condition=Q(state="short"), name="billing_run_short"),)

    def __str__(self) -> str:
        return self.key

    @property
    def total_cents(self) -> int:
        return self.net_cents + self.vat_cents

    @property
    def looked_at(self) -> int:
        """How many are decided."""
        return self.billed + self.empty + self.waiting + self.failed


class ItemState(models.TextChoices):
    DUE = "due", _("Due")
    BILLED = "billed", _("Billed")
    EMPTY = "empty", _("Nothing to bill")
    WAITING = "waiting", _("Waits for a reading")
    FAILED = "failed", _("Failed")


class BillingRunItem(models.Model):
    """One subscription of a run; amounts are those of its invoices, or of the one drawn up."""

    run = models.ForeignKey(BillingRun, models.CASCADE, related_name="items")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="+")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    due_on = models.DateField()
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.DUE)
    invoices = models.PositiveSmallIntegerField(default=0)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="+")
    net_cents = models.BigIntegerField(default=0)
    vat_cents = models.BigIntegerField(default=0)
    taxes = models.JSONField(default=dict)
    error = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(F("run"), F("subscription"), F("due_on"), name="billing_run_item_once"),)
        indexes = (models.Index(fields=("run", "state", "id"), name="billing_run_item_state"),)

    def __str__(self) -> str:
        return f"{self.run_id} {self.subscription_id}"

    @property
    def total_cents(self) -> int:
        return self.net_cents + self.vat_cents
