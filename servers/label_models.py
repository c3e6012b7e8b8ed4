"""What accounts sort their servers by."""

from django.db import models
from django.db.models import F

from panel.core.querysets import TenantQuerySet


class ServerLabel(models.Model):
    """A word that an account sorts its servers by."""

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="labels")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    name = models.CharField(max_length=24)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(F("server"), F("name"), name="server_label_once"),)
        indexes = (models.Index(fields=["account", "name"], name="server_label"),)

    def __str__(self) -> str:
        return self.name
