"""Groups of customers who pay prices of their own (SUB-1)."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet


class CustomerGroup(models.Model):
    """A group the staff makes; its prices are rows of `Price` that name it."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class GroupMember(models.Model):
    """An account is in one group at most."""

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="members")
    account = models.OneToOneField("accounts.Account", models.PROTECT, related_name="group_member")
    since = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.group_id} {self.account_id}"


class GroupPercent(models.Model):
    """What comes off the listed prices from an instant on, where the group has no price of its own."""

    group = models.ForeignKey(CustomerGroup, models.PROTECT, related_name="percents")
    percent = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateTimeField()

    class Meta:
        ordering = ("-valid_from",)
        constraints = (
            models.UniqueConstraint(F("group"), F("valid_from"), name="group_percent_once"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="group_percent_whole"),
        )

    def __str__(self) -> str:
        return f"{self.group_id} {self.percent}"
