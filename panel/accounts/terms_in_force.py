"""Which terms apply to an account at an instant: the facts of LEG-2 brought to `panel.terms`."""

from collections.abc import Iterable
from datetime import datetime

from panel import terms
from panel.accounts.models import Account, TermsAnnouncement
from panel.core import bulk


def at(account: Account, instant: datetime) -> terms.Terms:
    """The version in force for `account` at `instant` (UTC)."""
    told = dict(account.announcements.values_list("terms_version", "announced_at"))
    return terms.current(instant, told, account.created_at)


def announced(account_ids: Iterable[int]) -> dict[int, dict[str, datetime]]:
    """What was announced to each of these accounts, by version: the facts of `panel.terms.current`."""
    found: dict[int, dict[str, datetime]] = {}
    rows = TermsAnnouncement.objects.filter(account__in=bulk.among(account_ids))
    for account, version, at in rows.values_list("account", "terms_version", "announced_at"):
        found.setdefault(account, {})[version] = at
    return found
