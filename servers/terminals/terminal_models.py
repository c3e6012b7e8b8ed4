"""The customer's permission for terminals to a server, and who opened one (SRV-8). Nothing that is typed or shown."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet
from panel.core.secrets import EncryptedTextField
from servers.terminals.terminal_rules import Ending


class TerminalPermit(models.Model):
    """Lets the panel log in to one server with a key of its own that exists for this alone. While `wanted`, the public
    key belongs on the machine; the private one is forgotten with the permission, before the machine is even asked."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        ENDING = "ending"
        ENDED = "ended"
        FAILED = "failed"

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="terminal_permit")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    wanted = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    private_key = EncryptedTextField(blank=True)
    public_key = models.TextField()
    given_by = models.BigIntegerField(help_text="the person")
    given_at = models.DateTimeField()
    staff_until = models.DateTimeField(null=True, help_text="until when staff may open one too")
    turn = models.PositiveIntegerField(default=0, help_text="counts the changes, for the operation's key")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"terminals of {self.server_id}"


class TerminalSession(models.Model):
    """One terminal that somebody opened. `alive_at` is renewed while it lives; a row that is not renewed is closed."""

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="terminals")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    user_id = models.BigIntegerField()
    by_staff = models.BooleanField()
    opened_at = models.DateTimeField()
    connected_at = models.DateTimeField(null=True)
    alive_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ending = models.CharField(max_length=12, blank=True, choices=[(str(one), str(one)) for one in Ending])

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ending="") | Q(ended_at__isnull=False) & ~Q(ending=""),
                name="terminal_ended_somehow",
            ),
        )
        indexes = (
            models.Index(fields=["server", "-id"], name="terminal_server"),
            models.Index(F("user_id"), name="terminal_open_by", condition=Q(ended_at__isnull=True)),
            models.Index(F("alive_at"), name="terminal_open", condition=Q(ended_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"terminal {self.pk} to {self.server_id}"

    @property
    def lasted(self) -> timedelta | None:
        """From the log-in to the end; None while it is open or where there was no log-in."""
        return self.ended_at - self.connected_at if self.ended_at and self.connected_at else None
