"""Offers to hand a running service over to another account, and what became of each."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from invoicing.subscribing.order_models import Subscription
from panel.core.actors import Actor
from panel.core.calendars import last_day_before
from panel.core.querysets import TenantQuerySet


class TransferState(models.TextChoices):
    OFFERED = "offered", _("Offered")
    ACCEPTED = "accepted", _("Accepted")
    DECLINED = "declined", _("Declined")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


class TransferQuerySet(TenantQuerySet):
    def visible_to(self, actor: Actor) -> Self:
        """Who gives and who is to receive both see it, and nobody else but staff."""
        if actor.account_id is None:
            return super().visible_to(actor)
        return self.filter(Q(account=actor.account_id) | Q(receiver=actor.account_id))


class ServiceTransfer(models.Model):
    """`account` gives, `receiver` is to have it: None where nobody has the reference `addressed_to`, which is never
    told. `prices`: [code, present cents, cents, day] of what costs another price from the renewal of `day` on: the
    present one was the giver's own, or the new one was announced to them; `prices_from` is the last such day.
    `invoice` billed the giver what was used until then."""

    reference = models.CharField(max_length=20, unique=True)
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="transfers")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    receiver = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="+")
    addressed_to = models.CharField(max_length=20)
    reason = models.CharField(max_length=300)
    state = models.CharField(max_length=10, choices=TransferState, default=TransferState.OFFERED)
    terms_version = models.CharField(max_length=60)
    offered_at = models.DateTimeField()
    offered_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    by_staff = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    prices = models.JSONField(default=list)
    prices_from = models.DateField(null=True)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, null=True, related_name="+")

    objects = TransferQuerySet.as_manager()

    class Meta:
        ordering = ("-offered_at", "-id")
        constraints = (
            models.UniqueConstraint(F("subscription"), condition=Q(state="offered"), name="one_transfer_offered"),
            models.CheckConstraint(condition=~Q(receiver=F("account")), name="transfer_to_another"),
            models.CheckConstraint(
                condition=~Q(state="accepted") | Q(receiver__isnull=False), name="transfer_accepted_by_somebody"
            ),
        )
        indexes = (models.Index(fields=("expires_at",), condition=Q(state="offered"), name="transfer_to_expire"),)

    def __str__(self) -> str:
        return self.reference

    @property
    def last_day(self) -> date:
        """The last Paris day on which it can be accepted."""
        return last_day_before(self.expires_at)
