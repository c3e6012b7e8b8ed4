"""What a firewall is to be, what its place last confirmed (SRV-8), and changes that staff is asked for (TIC-5)."""

import hashlib
import json

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet
from servers.networking import firewall_rules
from servers.networking.firewall_rules import Policy


class Firewall(models.Model):
    """`policy` is its owner's wish, `closed_ports` and `filtered_ports` the provider's locks above it; `in_force`
    stands for what the place confirmed last. A server without a row lets everything through."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        FAILED = "failed"

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="firewall")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    policy = models.JSONField(default=dict, help_text="as firewall_rules.as_json writes it, without locks")
    closed_ports = models.CharField(
        max_length=60, blank=True, help_text="outgoing TCP, while the account is new (SUB-4)"
    )
    filtered_ports = models.CharField(
        max_length=60, blank=True, help_text="outgoing TCP, while mail is filtered (ABU-14)"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    turn = models.PositiveIntegerField(default=0, help_text="counts the changes")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")
    in_force = models.CharField(max_length=64, blank=True, help_text="digest of what the place confirmed last")
    in_force_since = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=["server"], name="firewall_locked", condition=~Q(closed_ports="")),)

    def __str__(self) -> str:
        return f"firewall of {self.server_id}"

    @property
    def own(self) -> Policy:
        """What its owner asked for."""
        return firewall_rules.of_json(self.policy)

    @property
    def locked_ports(self) -> str:
        """Outgoing TCP that is closed above its owner's rules, for whatever reason."""
        both = firewall_rules.ports_of(f"{self.closed_ports} {self.filtered_ports}")
        return firewall_rules.ports_text(both)

    @property
    def wanted(self) -> Policy:
        """What the place is told: the locks, then its owner's rules."""
        locks = firewall_rules.closed_mail(firewall_rules.ports_of(self.locked_ports))
        return Policy(self.own.rules, self.own.default_in, self.own.default_out, locks).canonical()

    @property
    def is_in_force(self) -> bool:
        """Whether the place confirmed just what is wanted now."""
        return self.in_force == digest(self.wanted)


def digest(policy: Policy) -> str:
    """Stands for a policy; two that mean the same have the same."""
    text = json.dumps(firewall_rules.as_json(policy.canonical()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class FirewallRequest(models.Model):
    """What a request asks for: rules as firewall_rules.row_of writes them. It is decided once; `action` applies it."""

    class State(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    ticket = models.OneToOneField("tickets.Ticket", models.PROTECT, primary_key=True, related_name="firewall_request")
    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="firewall_requests")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    add = models.JSONField(default=dict, help_text="the new rule; empty for none")
    remove = models.JSONField(default=dict, help_text="the rule that goes; empty for none")
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.BigIntegerField(null=True, help_text="the person")
    action = models.ForeignKey("servers.ServerAction", models.PROTECT, null=True, related_name="+")
    applied_at = models.DateTimeField(null=True, help_text="when its place had confirmed it")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | ~Q(state="open") & Q(decided_at__isnull=False),
                name="firewall_request_decided",
            ),
        )
        indexes = (
            models.Index(F("server"), name="firewall_request_open", condition=Q(state="open")),
            models.Index(
                F("action"), name="firewall_request_under_way", condition=Q(state="accepted", applied_at=None)
            ),
        )

    def __str__(self) -> str:
        return f"firewall request {self.ticket_id}"
