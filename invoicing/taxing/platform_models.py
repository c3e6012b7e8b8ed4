"""What leaves through the accredited platform: documents one by one, e-reports by period (INV-10)."""

from datetime import date, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class TransmissionState(models.TextChoices):
    WAITING = "waiting", _("To be sent")
    SENT = "sent", _("Deposited")
    DELIVERED = "delivered", _("Delivered")
    ACCEPTED = "accepted", _("Accepted")
    REFUSED = "refused", _("Refused by the buyer")
    REJECTED = "rejected", _("Rejected by the platform")


class ReportKind(models.TextChoices):
    SALES = "sales", _("Sales")
    COLLECTIONS = "collections", _("Collections")


CODES = {
    200: _("deposited"), 201: _("issued"), 202: _("received by the buyer's platform"), 203: _("made available"),
    204: _("taken up"), 205: _("approved"), 206: _("approved in part"), 207: _("in dispute"), 208: _("suspended"),
    209: _("completed"), 210: _("refused"), 211: _("payment sent"), 212: _("collected"), 213: _("rejected"),
}  # fmt: skip


class Transmission(models.Model):
    """An issued document on its way to a French business through the platform. `ref`: the platform's name of it."""

    invoice = models.OneToOneField("invoicing.Invoice", models.PROTECT, related_name="transmission")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=TransmissionState, default=TransmissionState.WAITING)
    ref = models.CharField(max_length=120, null=True, unique=True)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=("id",), condition=Q(state__in=("waiting", "sent", "delivered")), name="transmission_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.state}"


class TransmissionStatus(models.Model):
    """A life-cycle status (200 to 213) of a transmission, kept once however often it is told."""

    transmission = models.ForeignKey(Transmission, models.PROTECT, related_name="statuses")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    code = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    note = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("at", "code")
        constraints = (
            models.UniqueConstraint(F("transmission"), F("code"), F("at"), name="transmission_status_once"),
            models.CheckConstraint(condition=Q(code__range=(200, 213)), name="transmission_status_known"),
        )

    def __str__(self) -> str:
        return f"{self.transmission_id} {self.code}"

    @property
    def words(self) -> str:
        """The code in words."""
        return str(CODES[self.code])


class EReport(models.Model):
    """Sales or collections of a period, days from `start` to before `end`, as they were told to the platform.

    `documents` names what it covers; `content` never changes once made.
    """

    kind = models.CharField(max_length=12, choices=ReportKind)
    start = models.DateField()
    end = models.DateField()
    documents = models.JSONField(default=list)
    content = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=TransmissionState, default=TransmissionState.WAITING)
    ref = models.CharField(max_length=120, null=True, unique=True)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-start", "kind")
        constraints = (models.UniqueConstraint(F("kind"), F("start"), name="e_report_once"),)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """How the platform is told of it: `SALES-2026-03-01`."""
        return f"{self.kind.upper()}-{self.start.isoformat()}"

    @property
    def last(self) -> date:
        """The last day it covers."""
        return self.end - timedelta(days=1)


triggers.append_only("invoicing_transmissionstatus")
triggers.append_only(
    "invoicing_ereport", columns=("id", "kind", "start", '"end"', "documents", "content", "created_at")
)
