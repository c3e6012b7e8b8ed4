"""A person's sessions and what ends them (ACC-6)."""

from datetime import datetime

from allauth.usersessions.models import UserSession
from django.db import transaction

from panel.accounts import contacts
from panel.accounts.models import ApiToken, User
from panel.core import events, live
from panel.core.actors import Actor


@transaction.atomic
def end_session(user_id: int, session_id: int, *, actor: Actor, now: datetime) -> bool:
    """End one of the person's own sessions; False when it is not theirs or has ended."""
    session = UserSession.objects.filter(pk=session_id, user_id=user_id).first()
    if session is None:
        return False
    session.end()
    events.record("accounts.security.session_ended", now=now, actor=actor, subject=User(pk=user_id))
    live.close_sockets(user_id)
    return True


@transaction.atomic
def report_loss(user_id: int, *, actor: Actor, now: datetime) -> None:
    """ACC-6: a lost identifier ends every session and every API token of the person at once."""
    tokens = ApiToken.objects.filter(membership__user_id=user_id, revoked_at=None).update(revoked_at=now)
    contacts.end_sessions(user_id)
    events.record(
        "accounts.security.loss_reported",
        now=now,
        actor=actor,
        subject=User(pk=user_id),
        rule="ACC-6",
        data={"tokens": tokens},
    )
    live.close_sockets(user_id)
