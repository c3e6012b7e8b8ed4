"""Rows of interruptions: what, where, when; each line of their log; and who was told of it, by which mail (SUB-10)."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q

from panel.core import triggers
from panel.core.querysets import TenantQuerySet
from servers.maintaining import maintenance_rules as rules


def _choices(*names: str) -> list[tuple[str, str]]:
    return [(str(name), str(name)) for name in names]


class Interruption(models.Model):
    """Work or trouble at a place, or with the panel itself where `place` is empty. `ends_at` is the end as announced
    (none for an incident), `expected_at` a later one that was told since; only the first excuses anything (SUB-15)."""

    reference = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=10, choices=_choices(*rules.Kind))
    state = models.CharField(max_length=10, choices=_choices(*rules.State), default=rules.State.ANNOUNCED.value)
    place = models.CharField(max_length=40, blank=True)
    servers = models.ManyToManyField("servers.Server", related_name="interruptions", blank=True)
    title = models.CharField(max_length=120)
    title_fr = models.CharField(max_length=120, blank=True)
    reason = models.TextField(max_length=4000)
    reason_fr = models.TextField(max_length=4000, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    expected_at = models.DateTimeField(null=True)
    announced_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="when the clock begins or ends it")

    class Meta:
        ordering = ("-starts_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True, kind="incident") | Q(ends_at__gt=F("starts_at")),
                name="interruption_forward",
            ),
        )
        indexes = (
            models.Index(fields=["due_at"], name="interruption_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["place", "starts_at"], name="interruption_where"),
            models.Index(
                fields=["-starts_at"], name="interruption_open", condition=Q(state__in=["announced", "under_way"])
            ),
        )

    def __str__(self) -> str:
        return self.reference

    def titled(self, language: str) -> str:
        return self.title_fr if language == "fr" and self.title_fr else self.title

    def reasoned(self, language: str) -> str:
        return self.reason_fr if language == "fr" and self.reason_fr else self.reason

    @property
    def until(self) -> datetime | None:
        """When it is expected to end, as told last; when it did, once it is over."""
        return self.over_at or self.expected_at or self.ends_at


class InterruptionUpdate(models.Model):
    """A line of an interruption's log, in the order in which it was written. `mailed`: it goes by mail to everybody
    concerned."""

    interruption = models.ForeignKey(Interruption, models.PROTECT, related_name="updates")
    number = models.PositiveIntegerField()
    what = models.CharField(max_length=10, choices=_choices(*rules.Said))
    text = models.TextField(max_length=4000, blank=True)
    text_fr = models.TextField(max_length=4000, blank=True)
    until = models.DateTimeField(null=True, help_text="the end as expected from then on")
    mailed = models.BooleanField(default=False)
    at = models.DateTimeField()
    author_id = models.BigIntegerField(null=True)

    class Meta:
        ordering = ("interruption", "number")
        constraints = (models.UniqueConstraint(F("interruption"), F("number"), name="interruption_update_once"),)

    def __str__(self) -> str:
        return f"{self.interruption_id}.{self.number}"

    def said(self, language: str) -> str:
        return self.text_fr if language == "fr" and self.text_fr else self.text


class InterruptionNotice(models.Model):
    """An account was told of an update by this mail, whose acceptance is the proof of when (SUB-10)."""

    update = models.ForeignKey(InterruptionUpdate, models.PROTECT, related_name="notices")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    mail = models.ForeignKey("core.MailMessage", models.PROTECT, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(F("update"), F("account"), name="interruption_notice_once"),)

    def __str__(self) -> str:
        return f"{self.update_id} {self.account_id}"


triggers.append_only("servers_interruptionupdate")
triggers.append_only("servers_interruptionnotice")
