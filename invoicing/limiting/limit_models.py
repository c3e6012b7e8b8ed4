"""The cap a customer sets for what an account spends in a calendar month, and the warnings it led to."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet


class SpendingCap(models.Model):
    """`cents` are net of VAT, for one Paris calendar month."""

    account = models.OneToOneField("accounts.Account", models.PROTECT, related_name="spending_cap")
    cents = models.BigIntegerField()
    set_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    set_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(cents__gt=0), name="spending_cap_positive"),)

    def __str__(self) -> str:
        return f"{self.account_id} {self.cents}"


class SpendingWarning(models.Model):
    """That `percent` of the cap was reached in a month was told, once for each height of the cap."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    month = models.DateField(help_text="its first day")
    percent = models.PositiveSmallIntegerField()
    cap_cents = models.BigIntegerField()
    spent_cents = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-at", "-id")
        constraints = (
            models.UniqueConstraint(
                F("account"), F("month"), F("percent"), F("cap_cents"), name="spending_warned_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.account_id} {self.month} {self.percent}"
