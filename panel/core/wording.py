"""What the journal says, in words: one table from the kind of an event to a sentence, its icon and its tone.

Every timeline is written from it. A sentence may name what stands in the event's `data`: `%(amount)s`. What an event
lacks is left out rather than shown as a hole; a kind nobody described says its own name, and a test finds it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, pgettext
from django.utils.translation import gettext_lazy as _

from panel.core.models import Event
from panel.core.money import format_eur


@dataclass(frozen=True)
class Wording:
    sentence: str | Promise
    icon: str = "dot"
    tone: str = "neutral"


WORDINGS: dict[str, Wording] = {
    # people and accounts
    "accounts.account.opened": Wording(_("Account opened"), "account", "good"),
    "accounts.account.changed": Wording(_("Account data changed"), "edit"),
    "accounts.account.tax_changed": Wording(_("Country, kind or VAT number changed"), "percent", "warn"),
    "accounts.person.changed": Wording(_("Profile changed"), "edit"),
    "accounts.contact.added": Wording(_("Contact added"), "user-add"),
    "accounts.staff.appointed": Wording(_("Appointed to the staff"), "user-add"),
    "accounts.staff.dismissed": Wording(_("No longer of the staff"), "user-remove"),
    "accounts.contact.changed": Wording(_("Permissions of a contact changed"), "edit"),
    "accounts.contact.removed": Wording(_("Contact removed"), "user-remove", "warn"),
    "accounts.token.issued": Wording(_("API token issued"), "token"),
    "accounts.token.revoked": Wording(_("API token revoked"), "token", "warn"),
    "accounts.restriction.waiting": Wording(_("A restriction waits for release"), "hourglass", "warn"),
    "accounts.restriction.started": Wording(_("A restriction was decided"), "locked", "bad"),
    "accounts.restriction.lifted": Wording(_("A restriction was lifted"), "unlocked", "good"),
    "accounts.restriction.refused": Wording(_("A restriction was not applied"), "unlocked", "good"),
    "accounts.approval.asked": Wording(_("Approval by another person asked for"), "approvals", "warn"),
    "accounts.approval.granted": Wording(_("Approval granted"), "approvals", "good"),
    "accounts.approval.refused": Wording(_("Approval refused"), "approvals", "bad"),
    # security of a person
    "accounts.security.logged_in": Wording(_("Logged in"), "login"),
    "accounts.security.session_ended": Wording(_("Session ended"), "logout"),
    "accounts.security.loss_reported": Wording(_("Loss reported: every session and token ended"), "shield", "warn"),
    "accounts.security.password_changed": Wording(_("Password changed"), "key", "warn"),
    "accounts.security.password_reset": Wording(_("Password reset by e-mail"), "key", "warn"),
    "accounts.security.password_set": Wording(_("Password chosen"), "key"),
    "accounts.security.email_changed": Wording(_("E-mail address changed"), "mail", "warn"),
    "accounts.security.email_confirm": Wording(_("E-mail address confirmed"), "mail", "good"),
    "accounts.security.email_deleted": Wording(_("E-mail address removed"), "mail", "warn"),
    "accounts.security.totp_activated": Wording(_("Authenticator app set up"), "shield", "good"),
    "accounts.security.totp_deactivated": Wording(_("Authenticator app removed"), "shield", "bad"),
    "accounts.security.webauthn_added": Wording(_("Passkey added"), "fingerprint", "good"),
    "accounts.security.webauthn_removed": Wording(_("Passkey removed"), "fingerprint", "warn"),
    "accounts.security.recovery_codes_generated": Wording(_("New recovery codes made"), "key"),
    # the panel itself
    "core.mail.accepted": Wording(_("Mail accepted by the outgoing server"), "mail", "good"),
    "core.mail.failed": Wording(_("Mail could not be sent"), "mail-off", "bad"),
}


def describe(kind: str) -> Wording:
    """The wording of a kind; the kind's own words when nobody described it."""
    found = WORDINGS.get(kind)
    return found or Wording(kind.partition(".")[2].replace(".", " ").replace("_", " ").capitalize() or kind)


def sentence(kind: str, data: Mapping[str, Any]) -> str:
    """The sentence with the event's own values: `..._cents` also as money, under the name without `_cents`; days
    (ISO) as people write them."""
    values: defaultdict[str, Any] = defaultdict(lambda: "\u2013", data)
    for name, value in data.items():
        if name.endswith("_cents") and isinstance(value, int):
            values[name.removesuffix("_cents")] = format_eur(value, get_language() or "en")
        elif isinstance(value, str) and (day := _day(value)):
            values[name] = day
    return str(describe(kind).sentence) % values


def _day(text: str) -> str:
    """A day in the reader's words; "" for what is no ISO day."""
    try:
        return date_format(date.fromisoformat(text), pgettext("pattern of a date", "j M Y")) if text[4:5] == "-" else ""
    except ValueError:
        return ""


class Told(NamedTuple):
    """What is read out of a journal entry, for lists that need no more of it."""

    pk: int
    kind: str
    at: datetime
    rule: str
    data: dict[str, Any]
    actor_kind: str
    actor_id: int | None
    actor_name: str


@dataclass(frozen=True)
class Link:
    """What an entry is about, and where that is looked at."""

    name: str = ""
    url: str = ""


def timeline(
    events: Iterable[Event | Told],
    names: Mapping[int, str],
    *,
    stranger: str = "",
    links: Mapping[int, Link] | None = None,
) -> list[dict[str, Any]]:
    """Entries for `{% timeline %}`. `names`: people by id; others are `stranger`; `links` by the event's id."""
    made = []
    for event in events:
        wording, link = describe(event.kind), (links or {}).get(event.pk, Link())
        made.append({
            "title": sentence(event.kind, event.data), "icon": wording.icon, "tone": wording.tone, "at": event.at,
            "rule": event.rule, "who": who(event, names, stranger), "note": link.name, "url": link.url,
        })  # fmt: skip
    return made


def who(event: Event | Told, names: Mapping[int, str], stranger: str = "") -> str:
    """The author in words: a person by name, the clock, a provider, the panel itself."""
    if event.actor_kind == "person":
        return names.get(event.actor_id or 0, stranger)
    if event.actor_kind == "webhook":
        return event.actor_name
    return gettext("the clock") if event.actor_kind == "clock" else gettext("the panel")
