"""Reads for pages about people and accounts. Rows come through `visible_to(actor)` or belong to the person who asks."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db.models import F, QuerySet

from panel.accounts.models import Account, ApiToken, Membership, Restriction, StaffRole, User
from panel.core import wording
from panel.core.actors import Actor
from panel.core.models import Event, subject_of
from panel.core.prepared import Prepared, whoever


def accounts_of(user_id: int) -> QuerySet[Membership]:
    """The memberships of a person, own accounts first."""
    return (
        Membership.objects.filter(user_id=user_id)
        .select_related("account")
        .order_by("-is_owner", "account__name", "pk")
    )


_MEMBERS = Prepared(
    lambda: Membership.objects.visible_to(whoever()).order_by().values_list("user_id", "user__name", "user__email")
)


def _in_force() -> QuerySet[Any, Any]:
    return Restriction.objects.visible_to(whoever()).in_force().order_by("pk").values_list("scope", "rule", "statement")


_IN_FORCE, IN_FORCE_COUNT = Prepared(_in_force), Prepared(_in_force, counted=True)


def is_staff(user_id: int) -> bool:
    """Whether the person has a role in the console."""
    return StaffRole.objects.filter(user_id=user_id).exists()


@dataclass(frozen=True, slots=True)
class InForce:
    """A restriction as the account reads of it; `scope` is one of Restriction.Scope."""

    scope: str
    rule: str
    statement: str


def in_force(actor: Actor) -> list[InForce]:
    """The restrictions in force on the account, oldest first."""
    return [InForce(*row) for row in _IN_FORCE.rows(account=actor.account_id)]


def account(actor: Actor) -> Account:
    """The account the actor works in. Account.DoesNotExist for those who work in none."""
    return Account.objects.visible_to(actor).get(pk=actor.account_id or 0)


def contacts(actor: Actor) -> QuerySet[Membership]:
    """Everybody who may enter the account, the owner first."""
    return Membership.objects.visible_to(actor).select_related("user").order_by("-is_owner", "user__name", "pk")


def tokens(actor: Actor) -> QuerySet[ApiToken]:
    """The account's API tokens: a person's own; all of them for who manages contacts. Newest first, revoked ones
    last."""
    rows = ApiToken.objects.visible_to(actor).select_related("membership__user")
    if not actor.may("contacts"):
        rows = rows.filter(membership__user_id=actor.user_id or 0)
    return rows.order_by(F("revoked_at").asc(nulls_first=True), "-pk")


@dataclass(frozen=True)
class SecondFactors:
    totp: bool
    passkeys: int
    recovery_codes_left: int


def second_factors(user_id: int) -> SecondFactors:
    """What stands between a stolen password and this person's log-in."""
    found = list(Authenticator.objects.filter(user_id=user_id))
    kinds = [row.type for row in found]
    codes = next((row.wrap() for row in found if row.type == Authenticator.Type.RECOVERY_CODES), None)
    return SecondFactors(
        totp=Authenticator.Type.TOTP in kinds, passkeys=kinds.count(Authenticator.Type.WEBAUTHN),
        recovery_codes_left=len(codes.get_unused_codes()) if codes else 0,
    )  # fmt: skip


def sessions(user_id: int, current_key: str | None) -> list[dict[str, Any]]:
    """Where a person is logged in, the present session first, then by last use."""
    rows = [row for row in UserSession.objects.filter(user_id=user_id).order_by("-last_seen_at") if row.exists()]
    made = [
        {"id": row.pk, "device": _device(row.user_agent), "ip": row.ip, "seen_at": row.last_seen_at,
         "created_at": row.created_at, "current": row.session_key == current_key}
        for row in rows
    ]  # fmt: skip
    return sorted(made, key=lambda row: not row["current"])


_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def _device(user_agent: str) -> str:
    """A browser's long name in two words; what we do not know is shown as it came, shortened."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(filter(None, (browser, system))) or user_agent[:60] or "?"


def timeline(
    events: Iterable[Event | wording.Told],
    *,
    reader: Actor | None = None,
    links: Mapping[int, wording.Link] | None = None,
) -> list[dict[str, Any]]:
    """Journal entries in words, in one query at most."""
    rows = list(events)
    people = {row.actor_id for row in rows if row.actor_kind == "person" and row.actor_id}
    names = names_of(people, reader=reader)
    return wording.timeline(rows, names, stranger=settings.CLAUSE_BRAND["name"], links=links)


def names_of(people: Set[int], *, reader: Actor | None = None) -> dict[int, str]:
    """The names of people by id, in one query at most. A customer (`reader`) reads those of the account's own people;
    anybody else is the provider to them."""
    known: Iterable[tuple[int, str, str]] = ()
    if reader is not None and reader.user_id and reader.name and people <= {reader.user_id}:
        known = [(reader.user_id, reader.name, "")]
    elif people and reader is not None:
        known = _MEMBERS.rows(account=reader.account_id)
    elif people:
        known = User.objects.filter(pk__in=people).values_list("pk", "name", "email")
    return {pk: name or email for pk, name, email in known}


def security_activity(user_id: int, *, limit: int = 10) -> list[dict[str, Any]]:
    """What happened to a person's log-in, newest first."""
    rows = Event.objects.filter(**subject_of(User(pk=user_id)), kind__startswith="accounts.").order_by("-pk")[:limit]
    return timeline(rows)
