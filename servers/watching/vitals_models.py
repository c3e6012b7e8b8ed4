"""How each machine does: one row a server, written over, with the processor's use of the last 24 hours (SRV-12)."""

from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from panel.core.querysets import TenantQuerySet
from servers.watching.vitals_rules import Rates, Reading


class Vitals(models.Model):
    """The last reading, what it came to, and when the machine is asked again. To look at, never to bill by."""

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="vitals")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    read_at = models.DateTimeField(null=True, help_text="when the host told last")
    told = models.JSONField(default=dict, help_text="the reading, as `vitals_rules.Reading`")
    came_to = models.JSONField(default=dict, help_text="as `vitals_rules.Rates`")
    hours = models.JSONField(default=list, help_text="start of the UTC hour, percent times seconds, seconds")
    misses = models.PositiveIntegerField(default=0, help_text="readings in a row that failed")
    failing_since = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True, help_text="when it is read next though nobody watches")
    watched_until = models.DateTimeField(null=True, help_text="somebody has its page open")
    silent = models.PositiveIntegerField(default=0, help_text="looks in a row at which its SSH did not answer")
    ask_at = models.DateTimeField(null=True, help_text="until when its SSH is not asked again")

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["next_at"], name="vitals_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["watched_until"], name="vitals_watched", condition=Q(watched_until__isnull=False)),
        )

    def __str__(self) -> str:
        return f"vitals of {self.server_id}"

    @property
    def reading(self) -> Reading | None:
        """The last one; None before the first."""
        if self.read_at is None or not self.told:
            return None
        began = self.told["started_at"]
        return Reading(**{**self.told, "started_at": datetime.fromisoformat(began) if began else None})

    @property
    def rates(self) -> Rates:
        return Rates(**self.came_to)

    def keep(self, reading: Reading, found: Rates, now: datetime) -> None:
        """Take both into the row; the caller saves `KEPT`."""
        began = reading.started_at.isoformat() if reading.started_at else None
        self.told, self.came_to, self.read_at = {**asdict(reading), "started_at": began}, asdict(found), now

    @property
    def up(self) -> timedelta | None:
        """How long it had run at the last reading."""
        reading = self.reading
        if reading is None or reading.started_at is None or self.read_at is None:
            return None
        return max(timedelta(), self.read_at - reading.started_at)


KEPT = ("read_at", "told", "came_to", "hours", "misses", "failing_since", "next_at")
