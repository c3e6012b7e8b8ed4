"""When a new price was announced to an account: a running subscription follows it a month later (LEG-3)."""

from django.db import models
from django.db.models import F

from invoicing.offering.catalogue_models import Price
from panel.core.querysets import TenantQuerySet


class PriceNotice(models.Model):
    """The announcement of one price to one account, once, at the amount it has for the account."""

    price = models.ForeignKey(Price, models.PROTECT, related_name="notices")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    announced_at = models.DateTimeField()
    amount_cents = models.BigIntegerField(null=True, help_text="what it is for this account; null: the price's own")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-announced_at", "-id")
        constraints = (models.UniqueConstraint(F("price"), F("account"), name="price_announced_once"),)

    @property
    def cents(self) -> int:
        """The announced price, excluding VAT."""
        return self.price.amount_cents if self.amount_cents is None else self.amount_cents

    def __str__(self) -> str:
        return f"{self.price_id} to {self.account_id}"
