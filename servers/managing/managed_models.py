"""The managed service of a server, its runs, what waits to be updated, its mailboxes (SRV-9, SRV-11); what its owner
must install (SUB-11)."""

from django.db import models
from django.db.models import F, Q

from panel.core.querysets import TenantQuerySet
from panel.core.secrets import EncryptedTextField


class ManagedService(models.Model):
    """We look after this server: while `wanted`, a key of the panel's own, for this server and this purpose alone, is
    on it. `roles` are those its owner chose beside the ones every managed server has."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IN_FORCE = "in_force"
        ENDING = "ending"
        ENDED = "ended"
        FAILED = "failed"

    server = models.OneToOneField("servers.Server", models.CASCADE, primary_key=True, related_name="managed")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    wanted = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    roles = models.JSONField(default=list)
    private_key = EncryptedTextField(blank=True)
    public_key = models.TextField()
    since = models.DateTimeField()
    turn = models.PositiveIntegerField(default=0, help_text="counts the changes of the key, for its operation's")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")
    edition = models.PositiveIntegerField(default=1, help_text="counts the changes of what is to be set up")
    set_up = models.PositiveIntegerField(default=0, help_text="the edition that was carried out last")
    set_up_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="when updates are looked for next")
    reported_at = models.DateTimeField(null=True, help_text="when the server told last what waits")
    restart_wanted = models.BooleanField(default=False, help_text="an update is in force after a restart only")

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["due_at"], name="managed_due", condition=Q(wanted=True, state="in_force")),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"managed service of {self.server_id}"


class ManagedRun(models.Model):
    """Ansible went over a server once: what each task came to. `lines` are bounded in number and length."""

    class Kind(models.TextChoices):
        SETUP = "setup"
        PATCHES = "patches"

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="managed_runs")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    asked_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ok = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    lines = models.JSONField(default=list, help_text="role, task, status and, of one that failed, its words")
    error = models.TextField(blank=True, help_text="for staff")
    edition = models.PositiveIntegerField(default=0, help_text="what it set up")
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                F("server"), F("kind"), condition=Q(state__in=("waiting", "running")), name="managed_run_one"
            ),
        )
        indexes = (models.Index(fields=["server", "-id"], name="managed_run_server"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.server_id}"


class PendingUpdate(models.Model):
    """A package of a managed server with a newer version on offer. Its clock goes on where that one is overtaken by
    another before it is installed (SRV-9)."""

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="pending_updates")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    package = models.CharField(max_length=120)
    installed = models.CharField(max_length=120)
    available = models.CharField(max_length=120)
    security = models.BooleanField(default=False)
    first_seen = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, help_text="when it waited no more")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("first_seen", "package")
        constraints = (
            models.UniqueConstraint(
                F("server"), F("package"), condition=Q(resolved_at__isnull=True), name="pending_update_once"
            ),
        )
        indexes = (
            models.Index(fields=["server", "first_seen"], name="pending_update_server"),
            models.Index(fields=["first_seen"], name="pending_update_open", condition=Q(resolved_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.package} {self.available}"


class Mailbox(models.Model):
    """A mailbox of a managed mail server; of its password only what proves it is kept, as dovecot reads it (SRV-11)."""

    server = models.ForeignKey("servers.Server", models.CASCADE, related_name="mailboxes")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    address = models.CharField(max_length=120)
    password = models.CharField(max_length=200)
    added_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("address",)
        constraints = (models.UniqueConstraint(F("server"), F("address"), name="mailbox_once"),)

    def __str__(self) -> str:
        return self.address


class RequiredUpdate(models.Model):
    """An update that the customer must install; their time runs from the instant the e-mail was accepted (SUB-11)."""

    class State(models.TextChoices):
        ANNOUNCED = "announced"
        DUE = "due"
        DONE = "done"
        INSTALLED = "installed"
        WITHDRAWN = "withdrawn"

    reference = models.CharField(max_length=20, unique=True)
    server = models.ForeignKey("servers.Server", models.PROTECT, related_name="required_updates")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    title = models.CharField(max_length=120)
    why = models.TextField(max_length=4000)
    terms_version = models.CharField(max_length=40)
    state = models.CharField(max_length=9, choices=State.choices, default=State.ANNOUNCED)
    announced_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True, help_text="when the outgoing mail server accepted the e-mail")
    until = models.DateTimeField(null=True, help_text="the end of the customer's working days")
    reminded = models.PositiveSmallIntegerField(default=0, help_text="how many reminders were due by now")
    ended_at = models.DateTimeField(null=True)
    minutes = models.PositiveIntegerField(null=True, help_text="of our work")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["server", "-id"], name="required_update_server"),
            models.Index(fields=["until"], name="required_update_open", condition=Q(state="announced")),
            models.Index(fields=["until", "id"], name="required_update_due", condition=Q(state="due")),
        )

    def __str__(self) -> str:
        return self.reference
