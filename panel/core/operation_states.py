"""States of an operation."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class State(models.TextChoices):
    DUE = "due", _("Due")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


TRANSITIONS = {
    State.DUE: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.DUE, State.DONE, State.FAILED}),
    State.FAILED: frozenset({State.DUE, State.CANCELLED}),
}
