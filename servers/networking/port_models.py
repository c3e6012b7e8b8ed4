"""Whether a port of a server was reachable, when somebody asked."""

from django.db import models

from panel.core.querysets import TenantQuerySet


class PortTest(models.Model):
    """One try to open a TCP connection from the panel to an address that the account held then."""

    class State(models.TextChoices):
        WAITING = "waiting"
        OPEN = "open"
        CLOSED = "closed"
        FILTERED = "filtered"
        FAILED = "failed"

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="port_tests")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    ip = models.GenericIPAddressField()
    port = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["account", "asked_at"], name="port_test_rate"),
            models.Index(fields=["server", "-id"], name="port_test_server"),
        )

    def __str__(self) -> str:
        return f"{self.ip} {self.port} {self.state}"
