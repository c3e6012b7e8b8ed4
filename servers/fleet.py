"""The staff's fleet: every server of every account, as fast with 200,000 of them as with ten.

Keyset pages by descending id, no COUNT(*), one prepared query whatever the size, values instead of model instances.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import Any

from django.db.models import CharField, FilteredRelation, Q, QuerySet

from panel.accounts.models import Account
from panel.core.prepared import Prepared, at_once, slot
from servers import months
from servers.models import AddressHolding, Discrepancy, Server
from servers.rules import ALIVE, State, percent_used

PAGE = 50
COLUMNS = (
    "pk", "reference", "name", "state", "power", "reachable", "place", "included_bytes", "account__reference",
    "account__company", "account__name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the fleet."""

    pk: int
    reference: str
    name: str
    state: str
    power: str
    reachable: bool | None
    place: str
    account_reference: str
    account: str
    address: str
    blocked: bool
    used: int
    percent: int
    held_from: datetime | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """A page of the fleet; `next_before` continues it. `past`: the rows are holders of an address, former ones too.
    `findings`: something at the places is not as it should be (or was not asked)."""

    rows: Sequence[Row]
    next_before: int | None
    past: bool = False
    findings: bool = True


def page_of_fleet(
    *, words: str = "", state: str = "", place: str = "", trouble: bool = False, before: int | None = None
) -> Fleet:
    """SRV-12: the fleet, newest first. `words`: a name's beginning, a reference of a server or account, or an address
    (then everybody who ever held it). `trouble`: running, but its SSH does not answer."""
    if words and _is_address(words):
        return _holders(words)
    state = state if state in set(State) else ""
    findings: Sequence[Any] = (True,)
    if words:
        found = list(_page(words, state, place, trouble, before))
    else:
        page = _prepared(state, bool(place), trouble, bool(before))
        found, findings = at_once(page, _FINDINGS, place=place, before=before)
    following = found[PAGE - 1][0] if len(found) > PAGE else None
    return Fleet([_row(row) for row in found[:PAGE]], following, findings=bool(findings))


@cache
def _prepared(state: str, place: bool, trouble: bool, before: bool) -> Prepared:
    return Prepared(lambda: _page("", state, place and slot("place", CharField()), trouble, before and slot("before")))


def _page(words: str, state: str, place: Any, trouble: bool, before: Any) -> QuerySet[Any, Any]:
    """A page and one row more, with each server's first address and its latest traffic month."""
    first = FilteredRelation("holdings", condition=Q(holdings__until=None, holdings__is_first=True))
    rows: QuerySet[Server] = Server.objects.annotate(first=first, used=months.own(), given=months.given()).order_by(
        "-pk"
    )
    if state:
        rows = rows.filter(state=state)
    elif not words:
        rows = rows.filter(state__in=sorted(ALIVE))
    if place:
        rows = rows.filter(place=place)
    if trouble:
        rows = rows.filter(state=State.RUNNING, reachable=False)
    if words:
        rows = rows.filter(_named(words))
    if before:
        rows = rows.filter(pk__lt=before)
    return rows.values_list(*COLUMNS, "first__address__ip", "first__address__blocked", "used", "given")[: PAGE + 1]


def _named(words: str) -> Q:
    """One indexed question: the reference of a server or an account where `words` looks like one, else a name."""
    match words.upper().partition("-"):
        case ("SRV", "-", _):
            return Q(reference=words.upper())
        case ("ACC", "-", _):
            return Q(account__in=Account.objects.filter(reference=words.upper()).values("pk"))
        case _:
            return Q(name__startswith=words.lower())


def _is_address(words: str) -> bool:
    try:
        ip_address(words)
    except ValueError:
        return False
    return True


def _row(row: Sequence[Any], **span: datetime | None) -> Row:
    *plain, owner, company, person, address, blocked, used, given = row
    pk, reference, name, state, power, reachable, place, included = plain
    return Row(
        pk, reference, name, state, power, reachable, place, owner, company or person, address or "",
        bool(blocked), used or 0, percent_used(used or 0, included, given or 0), **span,
    )  # fmt: skip


def _holders(words: str) -> Fleet:
    """Everybody who held an address, the present holder first (SRV-3)."""
    columns = [f"server__{column}" for column in COLUMNS]
    holdings = AddressHolding.objects.filter(address__ip=str(ip_address(words))).order_by("-since", "-pk")
    found = holdings.values_list("since", "until", "address__blocked", *columns)[:PAGE]
    return Fleet(
        [_row([*row, words, blocked and until is None, 0, 0], held_from=since, held_until=until)
         for since, until, blocked, *row in found],
        None, past=True,
    )  # fmt: skip


_FINDINGS = Prepared(lambda: Discrepancy.objects.filter(resolved_at=None).order_by().values_list("pk")[:1])


def open_findings(limit: int = 20) -> list[Discrepancy]:
    """What is not as it should be at the places, the newest first."""
    return list(Discrepancy.objects.filter(resolved_at=None).select_related("server", "operation")[:limit])
