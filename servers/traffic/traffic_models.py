"""Rows of traffic: the state of each counter, its raw readings, hours, months, and readings that staff decides on."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet
from servers import rules


class Meter(models.Model):
    """The state of one interface's counter: the last reading, to take the next one's difference from."""

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="meter")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    epoch = models.CharField(max_length=120, blank=True)
    rx_bytes = models.BigIntegerField(default=0)
    tx_bytes = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    misses = models.PositiveSmallIntegerField(default=0, help_text="times in a row that it did not answer")
    ask_again_at = models.DateTimeField(null=True, help_text="not before, since it did not answer repeatedly")
    error = models.CharField(max_length=300, blank=True)
    closed_at = models.DateTimeField(null=True, help_text="after the last reading of a destroyed machine")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"meter of {self.server_id}"


class TrafficReading(models.Model):
    """One raw reading and what it added; grows without bound, so its key holds the time (partitions by month)."""

    pk = models.CompositePrimaryKey("server_id", "at")
    server_id = models.BigIntegerField()
    at = models.DateTimeField()
    account_id = models.BigIntegerField()
    epoch = models.CharField(max_length=120)
    rx_bytes = models.BigIntegerField(help_text="the counter, into the machine")
    tx_bytes = models.BigIntegerField(help_text="the counter, out of it")
    added = models.BigIntegerField(help_text="bytes this reading added, both directions")
    verdict = models.CharField(max_length=12)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.server_id} {self.at}"


class TrafficHour(models.Model):
    """Bytes of one UTC hour, for charts and as evidence."""

    pk = models.CompositePrimaryKey("server_id", "hour")
    server_id = models.BigIntegerField()
    hour = models.DateTimeField()
    account_id = models.BigIntegerField()
    rx_bytes = models.BigIntegerField(default=0)
    tx_bytes = models.BigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.server_id} {self.hour}"


class TrafficMonth(models.Model):
    """What SRV-4 counts and SRV-5 charges: both directions, from the anchor day to the next. Where the server came from
    another account in it, `given_*` bytes are that one's, and used up the included volume first."""

    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="months")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    starts_on = models.DateField()
    ends_on = models.DateField(help_text="the first day of the next month")
    rx_bytes = models.BigIntegerField(default=0)
    tx_bytes = models.BigIntegerField(default=0)
    included_bytes = models.BigIntegerField()
    given_rx_bytes = models.BigIntegerField(default=0, help_text="of them before it came to this account")
    given_tx_bytes = models.BigIntegerField(default=0)
    warned_percent = models.PositiveSmallIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_on",)
        constraints = (models.UniqueConstraint(F("server"), F("starts_on"), name="traffic_month_once"),)

    def __str__(self) -> str:
        return f"{self.server_id} {self.starts_on}"

    @property
    def total(self) -> int:
        return self.rx_bytes + self.tx_bytes

    @property
    def own_rx(self) -> int:
        return self.rx_bytes - self.given_rx_bytes

    @property
    def own_tx(self) -> int:
        return self.tx_bytes - self.given_tx_bytes

    @property
    def own(self) -> int:
        """Bytes since the server is its present account's."""
        return self.own_rx + self.own_tx

    @property
    def own_included(self) -> int:
        """What was left of the included volume then."""
        return max(0, self.included_bytes - self.given_rx_bytes - self.given_tx_bytes)

    @property
    def own_percent(self) -> int:
        """Whole percent of that."""
        return rules.percent_used(self.own, self.included_bytes, self.given_rx_bytes + self.given_tx_bytes)


class DoubtfulReading(models.Model):
    """What a reading claims that is more than the link can carry: counted as nothing until staff accepts it (SRV-4).
    While it waits, the traffic months that it reaches into are not billed."""

    class State(models.TextChoices):
        WAITING = "waiting"
        ACCEPTED = "accepted"
        DISCARDED = "discarded"

    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="doubtful_readings")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    since = models.DateTimeField(help_text="the reading before it")
    at = models.DateTimeField()
    rx_bytes = models.BigIntegerField(help_text="claimed, into the machine")
    tx_bytes = models.BigIntegerField(help_text="claimed, out of it")
    link_bps = models.BigIntegerField(help_text="the fastest its interface can be")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True, help_text="why staff decided so")
    decided_by = models.BigIntegerField(null=True, help_text="the person")
    decided_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(F("server"), F("at"), name="doubtful_reading_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at=None) | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="doubtful_reading_decided",
            ),
        )
        indexes = (models.Index(fields=["-id"], name="doubtful_reading_open", condition=Q(state="waiting")),)

    def __str__(self) -> str:
        return f"{self.server_id} {self.at}"

    @property
    def claimed(self) -> int:
        """Bytes, both directions together."""
        return self.rx_bytes + self.tx_bytes
