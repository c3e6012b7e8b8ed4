"""Copies of disks, and how often one is to be made (SUB-14, SRV-8, SRV-10)."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet
from servers.safekeeping import copy_rules
from servers.safekeeping.copy_rules import CopyState, Kind


class Copy(models.Model):
    """A copy of a server's disk. It belongs to the account that had the server then, and outlives the server by some
    days; `provider_ref` and `size_bytes` are what its place says."""

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="copies")
    kind = models.CharField(max_length=8, choices=[(str(kind), str(kind)) for kind in Kind])
    name = models.CharField(max_length=copy_rules.LONGEST_NAME, blank=True)
    state = models.CharField(
        max_length=9, choices=[(str(state), str(state)) for state in CopyState], default=CopyState.WAITING.value
    )
    place = models.CharField(max_length=40)
    provider_ref = models.CharField(max_length=120, blank=True)
    image = models.CharField(max_length=80)
    disk_gb = models.PositiveIntegerField()
    size_bytes = models.BigIntegerField(default=0, help_text="0 where the place does not tell")
    slot = models.DateTimeField(null=True, help_text="the instant of the rhythm that a backup is for")
    asked_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True)
    keep_until = models.DateTimeField(null=True, help_text="when it goes by its level, unless it is the last good one")
    expires_at = models.DateTimeField(null=True, help_text="when it goes, where what it belongs to has ended")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(F("server"), F("slot"), condition=Q(slot__isnull=False), name="copy_once_a_slot"),
        )
        indexes = (
            models.Index(fields=["server", "-id"], name="copy_server"),
            models.Index(fields=["account", "-id"], name="copy_account"),
            models.Index(fields=["place", "id"], name="copy_at_place", condition=Q(state="ready")),
            models.Index(fields=["keep_until"], name="copy_kept", condition=Q(state__in=("failed", "lost", "ready"))),
            models.Index(fields=["expires_at"], name="copy_expires", condition=Q(expires_at__isnull=False)),
        )

    def __str__(self) -> str:
        return self.reference

    @property
    def token(self) -> str:
        """What its place knows it by, so that a repeat finds it."""
        return f"copy:{self.reference}"


class BackupPlan(models.Model):
    """The level of backup that a server's subscription has. A server without a row has none."""

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="backup_plan")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    level = models.CharField(max_length=10)
    own_every_hours = models.PositiveSmallIntegerField(null=True, help_text="chosen in the personalised level")
    own_keep_days = models.PositiveSmallIntegerField(null=True)
    anchor = models.DateTimeField()
    due_at = models.DateTimeField(help_text="the next instant of its rhythm")
    failing_since = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True, help_text="when the customer was told that backups fail")
    halted_at = models.DateTimeField(null=True, help_text="SRV-10: the space is used up")
    exceeding_since = models.DateTimeField(null=True, help_text="OPR-5: more is stored than the space")

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = (models.Index(fields=["due_at"], name="backup_due"),)

    def __str__(self) -> str:
        return f"{self.level} {self.server_id}"
