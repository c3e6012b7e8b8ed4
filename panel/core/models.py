"""Rows of the ground floor: the journal and its seals, operations, mails, files, the clock's ticks."""

from typing import Any

from django.db import models
from django.db.models import Q

from panel.core import operation_states, triggers


class Event(models.Model):
    """One change of meaning, append-only. Personal values stand in EventPrivate, bound in by `private_digest`."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=80)
    rule = models.CharField(max_length=10, blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=60, blank=True)
    account_id = models.BigIntegerField(null=True)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    data = models.JSONField(default=dict)
    private_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["account_id", "-id"], name="event_account"),
            models.Index(fields=["subject_type", "subject_id", "-id"], name="event_subject"),
            models.Index(fields=["kind", "-id"], name="event_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class EventPrivate(models.Model):
    """The personal values of an event; erasable (PRV-4) without breaking the chain of seals."""

    event = models.OneToOneField(Event, models.PROTECT, primary_key=True, related_name="private")
    salt = models.CharField(max_length=32)
    data = models.JSONField(default=dict)


class Seal(models.Model):
    """One link of the hash chain over committed events; `hash` covers the event and the previous hash."""

    event = models.OneToOneField(Event, models.PROTECT, related_name="seal")
    previous = models.CharField(max_length=64, unique=True)
    hash = models.CharField(max_length=64, unique=True)
    sealed_at = models.DateTimeField()


class Operation(models.Model):
    """Something the outside world must do: written with the decision, carried out by a worker, never forgotten."""

    State = operation_states.State

    kind = models.CharField(max_length=80)
    key = models.CharField(max_length=200, unique=True, help_text="idempotency key: the same deed has the same key")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    account_id = models.BigIntegerField(null=True)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    payload = models.JSONField(default=dict, help_text="ids and codes only")
    result = models.JSONField(default=dict)
    due_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="operation_due", condition=Q(state="due")),
            models.Index(fields=["lease_until"], name="operation_lease", condition=Q(state="running")),
            models.Index(fields=["-id"], name="operation_failed", condition=Q(state="failed")),
            models.Index(fields=["subject_type", "subject_id", "-id"], name="operation_subject"),
            models.Index(fields=["account_id", "-id"], name="operation_account"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Attempt(models.Model):
    """One try of an operation."""

    operation = models.ForeignKey(Operation, models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=12, blank=True, help_text="done, happened, later, error, wait, unknown, gave_up, lost"
    )
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["operation", "number"], name="attempt_once")]
        ordering = ["number"]


class MailMessage(models.Model):
    """A mail the panel owes somebody. Address and text stand in MailContent."""

    key = models.CharField(max_length=200, unique=True)
    template = models.CharField(max_length=80)
    account_id = models.BigIntegerField(null=True)
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["-id"], name="mail_recent"),
            models.Index(fields=["account_id", "-id"], name="mail_account"),
            models.Index(fields=["subject_type", "subject_id"], name="mail_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.template} #{self.pk}"


class MailContent(models.Model):
    """The erasable part of a mail."""

    message = models.OneToOneField(MailMessage, models.CASCADE, primary_key=True, related_name="content")
    to = models.EmailField()
    reply_to = models.EmailField(blank=True)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    attachments = models.JSONField(default=list, help_text="ids of blobs")


class Blob(models.Model):
    """A stored file, named by its content; the bytes never change."""

    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Tick(models.Model):
    """When a sweep last ran; the row named `clock` tells a gap of the clock (ABU-12)."""

    name = models.CharField(max_length=80, primary_key=True)
    last_at = models.DateTimeField()
    last_report = models.JSONField(default=dict)
    failures = models.PositiveIntegerField(default=0)


class ClockGap(models.Model):
    """A stretch in which the clock did not run. Restrictions that fell due in it wait for a person (ABU-12)."""

    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-until"], name="clockgap_until")]


class RuntimeLease(models.Model):
    """Which process runs worker and clock on this database."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=80)
    heartbeat_at = models.DateTimeField()


class RequestKey(models.Model):
    """An Idempotency-Key of the API or a form: the same key and body gives the same answer, another body is refused."""

    scope = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0, help_text="0 while the first request is still running")
    answer = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="request_key_once")]


def subject_of(obj: models.Model | None) -> dict[str, Any]:
    """The two columns by which journal, operations and mails name an object."""
    if obj is None:
        return {"subject_type": "", "subject_id": None}
    return {"subject_type": obj._meta.label_lower, "subject_id": obj.pk}


triggers.append_only("core_event")
triggers.append_only("core_seal")
