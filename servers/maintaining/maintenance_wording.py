"""What interruptions are called on pages, in mails and in the journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.core.badges import BADGES, Badge
from panel.core.wording import WORDINGS, Wording
from servers import places
from servers.maintaining.interruption_models import Interruption
from servers.maintaining.maintenance_rules import Condition, Kind, Said, State

THE_PANEL = _("Customer panel and orders")

KINDS: dict[str, str | Promise] = {
    Kind.PLANNED: _("Planned maintenance"),
    Kind.EMERGENCY: _("Emergency maintenance"),
    Kind.INCIDENT: _("Incident"),
}
ICONS: dict[str, str] = {Kind.PLANNED: "calendar", Kind.EMERGENCY: "alarm", Kind.INCIDENT: "warning"}
TONES: dict[str, str] = {Kind.PLANNED: "info", Kind.EMERGENCY: "warn", Kind.INCIDENT: "bad"}
SAID: dict[str, str | Promise] = {
    Said.ANNOUNCED: _("Announced"),
    Said.BEGUN: _("Begun"),
    Said.NOTE: _("Update"),
    Said.EXTENDED: _("Takes longer"),
    Said.OVER: _("Over"),
    Said.CANCELLED: _("Cancelled"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A condition in words."""

    word: str | Promise
    tone: str
    icon: str


CONDITIONS = {
    Condition.DOWN: Told(_("Outage"), "bad", "failed"),
    Condition.PARTLY_DOWN: Told(_("Partial outage"), "bad", "warning"),
    Condition.MAINTENANCE: Told(_("Maintenance"), "info", "calendar"),
    Condition.DEGRADED: Told(_("Runs; actions are delayed"), "warn", "hourglass"),
    Condition.UP: Told(_("Works"), "good", "check"),
}
WORST = {
    Condition.DOWN: Told(_("There is an outage"), "bad", "failed"),
    Condition.PARTLY_DOWN: Told(_("Some services are disturbed"), "bad", "warning"),
    Condition.MAINTENANCE: Told(_("Maintenance is under way"), "info", "calendar"),
    Condition.DEGRADED: Told(_("Servers run; actions on some are delayed"), "warn", "hourglass"),
    Condition.UP: Told(_("Everything works"), "good", "check"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log as people read it."""

    number: int
    what: str | Promise
    text: str
    until: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """An interruption as people read it, its log newest first."""

    row: Interruption
    kind: str | Promise
    icon: str
    tone: str
    where: str | Promise
    title: str
    reason: str
    log: Sequence[Line]


def shown(row: Interruption, language: str) -> Shown:
    log = [
        Line(one.number, SAID[one.what], one.said(language), one.until if one.what == Said.EXTENDED else None, one.at)
        for one in sorted(row.updates.all(), key=lambda one: one.number, reverse=True)
    ]
    kind = Kind(row.kind)
    where = places.label(row.place) if row.place else THE_PANEL
    return Shown(row, KINDS[kind], ICONS[kind], TONES[kind], where, row.titled(language), row.reasoned(language), log)


BADGES.update({
    f"interruption.{State.ANNOUNCED}": Badge("calendar", _("Announced"), "info"),
    f"interruption.{State.UNDER_WAY}": Badge("working", _("Under way"), "warn"),
    f"interruption.{State.OVER}": Badge("check", _("Over"), "good"),
    f"interruption.{State.CANCELLED}": Badge("undo", _("Cancelled"), "neutral"),
})  # fmt: skip
WORDINGS.update({
    "servers.interruption.announced": Wording(_("Interruption %(interruption)s announced"), "calendar", "warn"),
    "servers.interruption.begun": Wording(_("Interruption %(interruption)s began"), "working", "warn"),
    "servers.interruption.note": Wording(_("Update of interruption %(interruption)s"), "message"),
    "servers.interruption.extended": Wording(_("Interruption %(interruption)s takes longer"), "hourglass", "warn"),
    "servers.interruption.over": Wording(_("Interruption %(interruption)s is over"), "check", "good"),
    "servers.interruption.cancelled": Wording(_("Interruption %(interruption)s cancelled"), "undo"),
})  # fmt: skip
