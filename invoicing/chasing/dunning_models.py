"""What happens to unpaid invoices: when their clock stood, what was sent, and the suspensions they lead to (INV-14,
TIC-6, INV-7, SRV-6)."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class ClockStop(models.Model):
    """A stretch in which the clock of an invoice stands: no reminder, no late fee, no suspension, no collection.

    `because` says what it waits for (`invoicing.pausing`); several may overlap.
    """

    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="stops")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    because = models.CharField(max_length=10)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("since", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("invoice", "because"), condition=Q(until=None), name="one_open_stop_per_cause"
            ),
        )

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.because}"


class Reminder(models.Model):
    """A reminder that was sent: once per invoice and stage, whoever asks and however often."""

    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="reminders")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    stage = models.PositiveSmallIntegerField()
    days_late = models.PositiveIntegerField()
    due_cents = models.BigIntegerField()
    sent_at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("sent_at", "id")
        constraints = (models.UniqueConstraint(F("invoice"), F("stage"), name="reminder_once_per_stage"),)

    def __str__(self) -> str:
        return f"{self.invoice_id} #{self.stage}"


class SuspensionState(models.TextChoices):
    PROPOSED = "proposed", _("To be decided")
    HELD = "held", _("Kept back")
    APPLIED = "applied", _("Suspended")
    REFUSED = "refused", _("Not suspended")
    WITHDRAWN = "withdrawn", _("No longer due")
    LIFTED = "lifted", _("Lifted")


class Suspension(models.Model):
    """What an unpaid debt leads to (SUB-8): proposed to a person, or decided by the clock where the terms say so.

    `key` names the debt, so that it is proposed once; `due_on` is the first Paris day on which the rule allows it.
    """

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="unpaid_suspensions")
    key = models.CharField(max_length=80, unique=True)
    rule = models.CharField(max_length=10)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="+")
    terms_version = models.CharField(max_length=60)
    state = models.CharField(max_length=10, choices=SuspensionState, default=SuspensionState.PROPOSED)
    due_on = models.DateField()
    proposed_at = models.DateTimeField()
    held_at = models.DateTimeField(null=True)
    approval = models.ForeignKey("accounts.Approval", models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    restriction = models.ForeignKey("accounts.Restriction", models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-proposed_at", "-id")
        indexes = (
            models.Index(
                fields=("account",), condition=Q(state__in=("proposed", "held", "applied")), name="suspension_alive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.key}"


class TerminationState(models.TextChoices):
    PROPOSED = "proposed", _("To be decided")
    ENDED = "ended", _("Ended")
    REFUSED = "refused", _("Not ended")
    WITHDRAWN = "withdrawn", _("No longer due")


class Termination(models.Model):
    """What a suspended debt may lead to when it stays unpaid (SUB-8): the end of services, which a person decides.
    Proposed once for each time the account was suspended. `due_on` is the first Paris day on which the terms allow it;
    `ended` names the subscriptions that were ended."""

    suspension = models.ForeignKey(Suspension, models.PROTECT, related_name="terminations")
    restriction = models.OneToOneField("accounts.Restriction", models.PROTECT, related_name="+")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=TerminationState, default=TerminationState.PROPOSED)
    due_on = models.DateField()
    proposed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    ended = models.JSONField(default=list)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-proposed_at", "-id")
        indexes = (models.Index(fields=("account",), condition=Q(state="proposed"), name="termination_proposed"),)

    def __str__(self) -> str:
        return f"SUB-8 {self.account_id}"


triggers.append_only("invoicing_reminder")
