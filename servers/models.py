"""Rows of the servers app: machines, addresses and who held them, keys, traffic, what was asked of whom."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from panel.core import triggers
from panel.core.querysets import TenantQuerySet
from servers import rules
from servers.addressing.address_models import Address, AddressBlock, AddressHolding
from servers.discrepancy_models import Discrepancy
from servers.label_models import ServerLabel
from servers.maintaining.interruption_models import Interruption, InterruptionNotice, InterruptionUpdate
from servers.managing.managed_models import Mailbox, ManagedRun, ManagedService, PendingUpdate, RequiredUpdate
from servers.networking.firewall_models import Firewall, FirewallRequest
from servers.networking.port_models import PortTest
from servers.networking.reverse_models import ReverseName
from servers.pushes.push_models import CloudPush
from servers.safekeeping.copy_models import BackupPlan, Copy
from servers.terminals.terminal_models import TerminalPermit, TerminalSession
from servers.traffic.traffic_models import DoubtfulReading, Meter, TrafficHour, TrafficMonth, TrafficReading
from servers.watching.vitals_models import Vitals

__all__ = [
    "Address", "AddressBlock", "AddressHolding", "AvailabilityMonth", "BackupPlan", "CloudPush", "Copy", "Discrepancy",
    "DoubtfulReading", "Firewall", "FirewallRequest", "Interruption", "InterruptionNotice", "InterruptionUpdate",
    "KeyOnServer", "Mailbox", "ManagedRun", "ManagedService", "Meter", "Outage", "PendingUpdate", "PortTest",
    "RequiredUpdate", "ReverseName", "Server", "ServerAction", "ServerLabel", "ServerQuerySet", "SshKey",
    "TerminalPermit", "TerminalSession", "TrafficHour", "TrafficMonth", "TrafficReading", "Vitals",
]  # fmt: skip


def _choices(*names: str) -> list[tuple[str, str]]:
    return [(str(name), str(name)) for name in names]


class ServerQuerySet(TenantQuerySet):
    def alive(self) -> Self:
        """Everything that is not destroyed."""
        return self.exclude(state=rules.State.DESTROYED)

    def on_the_host(self) -> Self:
        """Servers that have a machine which is theirs to command."""
        return self.filter(state__in=rules.ON_THE_HOST).exclude(provider_ref="")


class Server(models.Model):
    """A customer's machine. `state` is what the panel wants of it, carried out; `power` and `reachable` are two facts,
    what the host said and whether SSH answered (SRV-12). One per subscription, which is the idempotency key (SRV-1)."""

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="servers")
    subscription = models.OneToOneField("invoicing.Subscription", models.PROTECT, related_name="server")
    name = models.CharField(max_length=63)
    state = models.CharField(max_length=12, choices=_choices(*rules.State), default=rules.State.ORDERED.value)
    place = models.CharField(max_length=40)
    provider_ref = models.CharField(max_length=120, blank=True)
    image = models.CharField(max_length=80)
    size = models.JSONField(help_text="code, vcpu, memory_mb, disk_gb")
    extra_addresses = models.PositiveSmallIntegerField(default=0, help_text="of IPv4, besides the first one")
    extra_addresses6 = models.PositiveSmallIntegerField(default=0, help_text="of IPv6")
    included_bytes = models.BigIntegerField(default=0, help_text="per traffic month (SRV-4)")
    warn_percent = models.PositiveSmallIntegerField(null=True, blank=True, help_text="the client's own (SRV-5)")
    host_key = models.TextField(blank=True, help_text="pinned at creation, from the host's side")
    protected = models.BooleanField(default=False, help_text="refuses its destruction and rebuild by its owner")
    rescue_since = models.DateTimeField(null=True, help_text="while it runs a rescue system")
    resume_to = models.CharField(max_length=12, blank=True, help_text="the state before a suspension")
    power = models.CharField(max_length=8, choices=_choices(*rules.Power), default=rules.Power.UNKNOWN.value)
    reachable = models.BooleanField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="when SSH answered last")
    checked_at = models.DateTimeField(null=True)
    ordered_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = ServerQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                F("place"), F("provider_ref"), condition=~Q(provider_ref=""), name="server_ref_once"
            ),
        )
        indexes = (
            models.Index(fields=["account", "-id"], name="server_account"),
            models.Index(fields=["state", "-id"], name="server_state"),
            models.Index(fields=["place", "-id"], name="server_place", condition=~Q(state="destroyed")),
            models.Index(fields=["name", "-id"], name="server_name", opclasses=["varchar_pattern_ops", "int8_ops"]),
            models.Index(fields=["-id"], name="server_unreachable", condition=Q(state="running", reachable=False)),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.reference})"

    @property
    def token(self) -> str:
        """What a place knows this machine by: the subscription's reference, so that a repeat finds it (SRV-1)."""
        return self.subscription.reference

    @property
    def first_boot(self) -> str:
        """The script that was ordered for its first start; empty for none."""
        return str(self.subscription.settings.get("first_boot", ""))


class SshKey(models.Model):
    """A public key of the account's (SRV-2). A removed one stays as a row until it is off every machine."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="ssh_keys")
    name = models.CharField(max_length=80)
    public_key = models.TextField(help_text="kind and key, without the comment")
    fingerprint = models.CharField(max_length=60)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)
    came_with = models.ForeignKey(
        Server, models.PROTECT, null=True, related_name="+", help_text="the server of another account it was on"
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                F("account"), F("fingerprint"), condition=Q(removed_at__isnull=True), name="ssh_key_once"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def dialog(self) -> str:
        """The name of the dialog that asks before removing it."""
        return f"remove-{self.pk}"


class KeyOnServer(models.Model):
    """Whether a key is to be on a server, and whether the host has confirmed it."""

    server = models.ForeignKey(Server, models.CASCADE, related_name="keys")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    key = models.ForeignKey(SshKey, models.PROTECT, related_name="on_servers")
    wanted = models.BooleanField(default=True)
    installed_at = models.DateTimeField(null=True)
    turn = models.PositiveIntegerField(default=0, help_text="counts the changes of mind, for the operation's key")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(F("server"), F("key"), name="key_on_server_once"),)

    def __str__(self) -> str:
        return f"{self.key_id} on {self.server_id}"


class ServerAction(models.Model):
    """Something asked of a server, by a person or the panel: its steps, its operation and how it ended (SRV-8)."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    server = models.ForeignKey(Server, models.PROTECT, related_name="actions")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    verb = models.CharField(max_length=12, choices=_choices(*rules.Verb))
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    because = models.CharField(max_length=120, blank=True, help_text="a rule or a code, never free text of a person")
    operation = models.ForeignKey("core.Operation", models.PROTECT, null=True, related_name="+")
    facts = models.JSONField(default=dict, help_text="what was true before")
    steps = models.JSONField(default=list)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                F("server"),
                condition=Q(state="waiting", verb__in=sorted(verb.value for verb in rules.ONE_AT_A_TIME)),
                name="action_one_power",
            ),
        )
        indexes = (models.Index(fields=["server", "-id"], name="action_server"),)

    def __str__(self) -> str:
        return f"{self.verb} {self.server_id}"

    def reached(self, step: str, now: datetime) -> bool:
        """Notes that `step` is behind us; False if it was noted before. The caller saves."""
        if any(known["name"] == step for known in self.steps):
            return False
        self.steps = [*self.steps, {"name": step, "at": now.isoformat()}]
        return True


class Outage(models.Model):
    """A stretch in which a server that should run was down: its place did not say that it is on, and its SSH did not
    answer (SUB-15). `judged`: every month that it reaches into is over and was reckoned."""

    server = models.ForeignKey(Server, models.PROTECT, related_name="outages")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    judged = models.BooleanField(default=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-since", "-id")
        constraints = (
            models.UniqueConstraint(F("server"), condition=Q(until__isnull=True), name="outage_one_open"),
            models.CheckConstraint(condition=Q(until__isnull=True) | Q(until__gte=F("since")), name="outage_forward"),
        )
        indexes = (
            models.Index(fields=["server", "since"], name="outage_of"),
            models.Index(fields=["since"], name="outage_to_judge", condition=Q(judged=False)),
        )

    def __str__(self) -> str:
        return f"{self.server_id} {self.since}"


class AvailabilityMonth(models.Model):
    """How available a server was in a calendar month that is over, in seconds; only months with an outage have a row,
    and each is reckoned once (SUB-15)."""

    server = models.ForeignKey(Server, models.PROTECT, related_name="availability_months")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    starts_on = models.DateField()
    measured_seconds = models.PositiveIntegerField()
    down_seconds = models.PositiveIntegerField()
    credited_cents = models.BigIntegerField(default=0)
    terms_version = models.CharField(max_length=60)
    reckoned_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-starts_on",)
        constraints = (models.UniqueConstraint(F("server"), F("starts_on"), name="availability_month_once"),)

    def __str__(self) -> str:
        return f"{self.server_id} {self.starts_on}"


triggers.append_only("servers_availabilitymonth")
