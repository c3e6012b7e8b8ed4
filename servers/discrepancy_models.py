"""What a comparison of the panel with a place brought to light."""

from django.db import models
from django.db.models import F, Q

from servers.rules import Finding


class Discrepancy(models.Model):
    """Something that is not as it should be at a place; repaired by an operation or left for staff."""

    place = models.CharField(max_length=40)
    kind = models.CharField(max_length=16, choices=[(str(kind), str(kind)) for kind in Finding])
    ref = models.CharField(max_length=160, help_text="the machine or address at the place")
    server = models.ForeignKey("servers.Server", models.CASCADE, null=True, related_name="discrepancies")
    detail = models.CharField(max_length=300, blank=True)
    operation = models.ForeignKey("core.Operation", models.SET_NULL, null=True, related_name="+")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                F("place"), F("kind"), F("ref"), condition=Q(resolved_at__isnull=True), name="discrepancy_one_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"
