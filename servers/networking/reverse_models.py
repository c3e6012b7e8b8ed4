"""What an address is to be called in the reverse direction, and what was published (SRV-3)."""

from django.db import models

from panel.core.querysets import TenantQuerySet


class ReverseName(models.Model):
    """`name` is wanted, "" for none; `published` is what the name server confirmed last, since `since`."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        REFUSED = "refused"
        FAILED = "failed"

    address = models.OneToOneField("servers.Address", models.CASCADE, primary_key=True, related_name="reverse")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    name = models.CharField(max_length=253, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    turn = models.PositiveIntegerField(default=0, help_text="counts the changes")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")
    published = models.CharField(max_length=253, blank=True)
    since = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.address_id} {self.name}"
