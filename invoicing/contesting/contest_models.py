"""Documents that a customer contests (TIC-6, INV-9)."""

from datetime import date

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from panel.core import triggers
from panel.core.calendars import last_day_before
from panel.core.querysets import TenantQuerySet


class ContestKind(models.TextChoices):
    DISPUTE = "dispute", _("Disputed invoice")
    WAIVER = "waiver", _("Waiver of a late fee")


class ContestState(models.TextChoices):
    OPEN = "open", _("To be decided")
    ACCEPTED = "accepted", _("Accepted")
    PARTLY = "partly", _("Accepted in part")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Contest(models.Model):
    """What a customer contests of an invoice or a late-payment statement, and what was decided.

    `reference` is the number of the request in which it is talked about. `wanted` and `granted` are net cents of each
    line of the document, in order; `due_at` is when staff owes a decision (TIC-6).
    """

    reference = models.CharField(max_length=20, unique=True)
    invoice = models.ForeignKey("invoicing.Invoice", models.PROTECT, related_name="contests")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="contests")
    kind = models.CharField(max_length=10, choices=ContestKind)
    state = models.CharField(max_length=10, choices=ContestState, default=ContestState.OPEN)
    wanted = models.JSONField()
    wanted_cents = models.BigIntegerField()
    terms_version = models.CharField(max_length=60)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    # --- written once, when it ends
    granted = models.JSONField(null=True)
    granted_cents = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=300, blank=True)
    credit_note = models.OneToOneField("invoicing.Invoice", models.PROTECT, null=True, related_name="granted_contest")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-opened_at", "-id")
        constraints = (
            models.UniqueConstraint(F("invoice"), condition=Q(state="open"), name="one_open_contest_per_invoice"),
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None) | ~Q(state="open") & Q(ended_at__isnull=False),
                name="contest_ended_or_open",
            ),
        )
        indexes = (models.Index(fields=("due_at",), condition=Q(state="open"), name="contest_to_decide"),)

    def __str__(self) -> str:
        return self.reference

    @property
    def last_day(self) -> date:
        """The Paris day at whose end the decision is due."""
        return last_day_before(self.due_at)


triggers.append_only(
    "invoicing_contest",
    columns=("id", "reference", "invoice_id", "account_id", "kind", "wanted", "wanted_cents", "terms_version",
             "opened_at", "due_at"),
)  # fmt: skip
