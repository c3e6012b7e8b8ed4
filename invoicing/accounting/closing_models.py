"""Closings: what a day, a month or a year held, and everything since the beginning; sealed, never changed."""

from datetime import date, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from panel.core import triggers


class ClosingKind(models.TextChoices):
    DAY = "day", _("Day")
    MONTH = "month", _("Month")
    YEAR = "year", _("Year")


class Closing(models.Model):
    """Days from `start` to before `end`. `content`: that span alone; `totals`: since the first document. In cents."""

    kind = models.CharField(max_length=5, choices=ClosingKind)
    start = models.DateField()
    end = models.DateField()
    content = models.JSONField()
    totals = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)
    closed_at = models.DateTimeField()

    objects: ClassVar[models.Manager["Closing"]] = models.Manager()

    class Meta:
        ordering = ("-start", "kind")
        constraints = (
            models.UniqueConstraint(F("kind"), F("start"), name="closing_once"),
            models.UniqueConstraint(F("kind"), F("previous_hash"), name="closings_never_fork"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.start}"

    @property
    def last(self) -> date:
        """The last day it covers."""
        return self.end - timedelta(days=1)


triggers.append_only("invoicing_closing")
