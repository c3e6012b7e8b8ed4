"""Messages of places, each kept once."""

from django.db import models
from django.db.models import F


class CloudPush(models.Model):
    """Something a place told us, kept once however often it came; its bytes are bound in by their digest alone, since
    nothing of them is believed."""

    place = models.CharField(max_length=40)
    event_id = models.CharField(max_length=120)
    ref = models.CharField(max_length=120, help_text="the machine at the place")
    kind = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=64)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-received_at", "-id")
        constraints = (models.UniqueConstraint(F("place"), F("event_id"), name="cloud_push_once"),)

    def __str__(self) -> str:
        return f"{self.place} {self.event_id}"
