"""Rows of requests: the ticket, its one thread of messages by web, mail and API, and their attachments."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from panel.core.querysets import TenantQuerySet
from tickets import rules


class Ticket(models.Model):
    """A request with a number and a time stamp (TIC-1, LEG-5). `kind` names the RequestKind that gives it a meaning."""

    class Department(models.TextChoices):
        SUPPORT = "support", _("Technical support")
        BILLING = "billing", _("Billing")
        SALES = "sales", _("Services and orders")
        ABUSE = "abuse", _("Abuse desk")
        PRIVACY = "privacy", _("Privacy")

    class State(models.TextChoices):
        OPEN = rules.State.OPEN, _("Open")
        WAITING_STAFF = rules.State.WAITING_STAFF, _("With our team")
        WAITING_CUSTOMER = rules.State.WAITING_CUSTOMER, _("Your reply needed")
        CLOSED = rules.State.CLOSED, _("Closed")

    number = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="tickets")
    department = models.CharField(_("Department"), max_length=10, choices=Department.choices)
    kind = models.CharField(max_length=40, default="question")
    title = models.CharField(_("Subject"), max_length=200)
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    level = models.CharField(
        max_length=20, default="standard", help_text="the support level it was opened under (TIC-2)"
    )
    subject_type = models.CharField(max_length=60, blank=True)
    subject_id = models.BigIntegerField(null=True)
    opened_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    assigned_to = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    opened_at = models.DateTimeField()
    first_answered_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(help_text="the last message")
    waiting_since = models.DateTimeField(null=True, help_text="since when staff must act")
    closed_at = models.DateTimeField(null=True)
    terms_version = models.CharField(max_length=60)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-changed_at", "-id")
        indexes = (
            models.Index(fields=["account", "-changed_at"], name="ticket_account"),
            models.Index(fields=["waiting_since"], name="ticket_waiting", condition=Q(waiting_since__isnull=False)),
            models.Index(fields=["subject_type", "subject_id"], name="ticket_subject"),
            models.Index(fields=["-changed_at"], name="ticket_recent"),
        )

    def __str__(self) -> str:
        return self.number


class Message(models.Model):
    """One message of the thread. A mail counts once, by its Message-ID."""

    class Doubt(models.TextChoices):
        ASKED = "asked", _("Whose is it?")
        VOUCHED = "vouched", _("Vouched for by staff")
        DENIED = "denied", _("Not the customer's")

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="messages")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    author_kind = models.CharField(max_length=10, choices=[(kind, kind) for kind in rules.Author])
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    author_name = models.CharField(max_length=200, blank=True, help_text="of a mail from somebody we do not know")
    body = models.TextField()
    at = models.DateTimeField(help_text="when it arrived at our server, not when it says it was written")
    via = models.CharField(max_length=8, choices=[(via, via) for via in rules.Via])
    internal = models.BooleanField(default=False, help_text="a note that the customer never sees")
    automatic = models.BooleanField(default=False, help_text="written by a machine: it answers nothing")
    message_id = models.CharField(max_length=250, blank=True)
    doubt = models.CharField(
        max_length=8, choices=Doubt.choices, blank=True, help_text="of a mail that only its subject ties to the request"
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["ticket", "message_id"], condition=~Q(message_id=""), name="ticket_message_once"
            ),
        )
        indexes = (models.Index(fields=["ticket", "at"], name="ticket_message_thread"),)

    def __str__(self) -> str:
        return f"{self.author_kind} {self.at:%Y-%m-%d %H:%M}"


class Attachment(models.Model):
    """A file of a message; only ever served as a download."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    blob = models.ForeignKey("core.Blob", models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
