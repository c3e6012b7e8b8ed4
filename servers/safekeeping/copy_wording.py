"""What copies, levels and rhythms are called."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core.quantities import bytes_in_words, instant_in_words
from servers.models import Copy
from servers.safekeeping.copy_rules import DAY, Kind

KINDS: dict[str, str | Promise] = {Kind.SNAPSHOT: gettext_lazy("Snapshot"), Kind.BACKUP: gettext_lazy("Backup")}
LEVELS: dict[str, str | Promise] = {
    "level_1": gettext_lazy("Level 1"), "level_2": gettext_lazy("Level 2"), "level_3": gettext_lazy("Level 3"),
    "own": gettext_lazy("Personalised"),
}  # fmt: skip


def rhythm(hours: int) -> str:
    """How often backups are made."""
    if hours == DAY:
        return _("every night")
    if hours == 7 * DAY:
        return _("once a week")
    if hours % DAY:
        return _("every %(count)s hours") % {"count": hours}
    return _("every %(count)s days") % {"count": hours // DAY}


def named(copy: Copy) -> str:
    """A copy in a list of choices: `web-1 · before the update · 2 March 2026, 03:10 · 2.1 GB`."""
    when = instant_in_words(copy.taken_at) if copy.taken_at else ""
    size = bytes_in_words(copy.size_bytes) if copy.size_bytes else ""
    return " · ".join(str(part) for part in (copy.server.name, copy.name or KINDS[copy.kind], when, size) if part)
