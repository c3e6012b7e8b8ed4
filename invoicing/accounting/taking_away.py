"""Somebody takes the books away: which file, over which days, is written into the journal (INV-11)."""

from datetime import datetime

from django.db import transaction

from invoicing.accounting import archive, exports
from invoicing.handing_out import Made
from invoicing.taxing.report_rules import Span
from panel.core import events
from panel.core.actors import Actor

ARCHIVE = "archive"


@transaction.atomic
def take(kind: str, span: Span, *, actor: Actor, now: datetime) -> Made:
    """The file `kind` (a key of exports.KINDS, or ARCHIVE) over `span`, read from one state of the books."""
    made = archive.made(span, now=now) if kind == ARCHIVE else exports.KINDS[kind](span)
    events.record("invoicing.books.taken", now=now, actor=actor, rule="INV-11", data={"name": made.name})
    return made
