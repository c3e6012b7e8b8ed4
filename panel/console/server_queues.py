"""What waits for who looks after servers."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from panel.console.queues import Queue, Row, queue
from panel.core.quantities import bytes_in_words
from servers.models import Discrepancy, DoubtfulReading, RequiredUpdate
from servers.wording import FINDINGS


def discrepancies(now: datetime) -> Queue:
    """What the panel and a place do not agree upon, updates that are late among it (SRV-1, SRV-9)."""
    rows = Discrepancy.objects.filter(resolved_at=None).order_by("first_seen")
    return queue(
        rows,
        lambda row: Row(
            f"{FINDINGS[row.kind]}: {row.ref}", reverse("servers:staff_finding", args=[row.pk]),
            f"{row.place} {row.detail}".strip(), since=row.first_seen,
        ),
        title=_("What is not as it should be"), icon="server", url=reverse("servers:staff_server_list"),
    )  # fmt: skip


def required_updates(now: datetime) -> Queue:
    """SUB-11: the customer's working days are over; we may install them and bill our hourly rate."""
    rows = RequiredUpdate.objects.filter(state=RequiredUpdate.State.DUE).select_related("server", "account")
    return queue(
        rows.order_by("until", "pk"),
        lambda row: Row(
            row.title, reverse("servers:staff_server_managed", args=[row.server.reference]),
            f"{row.server.name} · {row.account}", since=row.until,
        ),
        title=_("Required updates to install"), icon="download", url=reverse("servers:staff_server_list"),
    )  # fmt: skip


def doubtful_readings(now: datetime) -> Queue:
    """SRV-4: what counters claim beyond what their link can carry; the bill of the month waits for it."""
    rows = DoubtfulReading.objects.filter(state=DoubtfulReading.State.WAITING).select_related("server").order_by("pk")
    url = reverse("servers:staff_reading_list")
    return queue(
        rows, lambda row: Row(row.server.name, url, bytes_in_words(row.claimed), since=row.at),
        title=_("Doubtful traffic readings"), icon="traffic", url=url,
    )  # fmt: skip
