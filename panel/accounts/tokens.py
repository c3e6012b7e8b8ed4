"""API tokens: shown once, kept as a hash, scoped to at most what the person may, tied to the membership."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest

from django.db import transaction
from django.utils.translation import gettext as _

from panel.accounts.models import ApiToken, Membership, actor_of
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation

MARK = "clause_"
USED_EVERY = timedelta(minutes=1)


@transaction.atomic
def issue(
    membership: Membership, *, name: str, scopes: Collection[str], lives: timedelta | None, actor: Actor, now: datetime
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is never shown again."""
    if not set(scopes) or set(scopes) - membership.granted():
        raise RuleViolation(_("A token can only have scopes that you have yourself."), rule="ACC-4", field="scopes")
    prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(30)
    row = ApiToken.objects.create(
        membership=membership, account_id=membership.account_id, name=name, prefix=prefix,
        digest=hashlib.sha256(secret.encode()).hexdigest(), scopes=sorted(scopes), created_at=now,
        expires_at=now + lives if lives else None,
    )  # fmt: skip
    events.record(
        "accounts.token.issued", now=now, actor=actor, subject=row, account_id=row.account_id,
        data={"scopes": row.scopes},
    )  # fmt: skip
    return row, f"{MARK}{prefix}_{secret}"


def authenticate(text: str, *, now: datetime, ip: str | None) -> Actor | None:
    """The actor a bearer text stands for; None when it is unknown, expired or revoked, or its person is gone."""
    prefix, _sep, secret = text.removeprefix(MARK).partition("_")
    row = ApiToken.objects.select_related("membership__user").filter(prefix=prefix, revoked_at=None).first()
    digest = hashlib.sha256(secret.encode()).hexdigest()
    if row is None or not text.startswith(MARK) or not compare_digest(row.digest, digest):
        return None
    if row.expires_at is not None and now >= row.expires_at:
        return None
    actor = actor_of(row.membership.user, account_id=row.account_id, ip=ip)
    if actor.account_id is None:
        return None
    if row.last_used_at is None or now - row.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return replace(actor, scopes=frozenset(row.scopes), token_id=row.pk)


@transaction.atomic
def revoke(token: ApiToken, *, actor: Actor, now: datetime) -> None:
    """End a token at once."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now)
    events.record("accounts.token.revoked", now=now, actor=actor, subject=token, account_id=token.account_id)
