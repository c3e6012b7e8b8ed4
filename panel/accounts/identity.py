"""Who is logged in: what every page asks first, by prepared queries. The rows are those of django.contrib.sessions."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.functions import Now

from panel.accounts.models import STANDING, Standing, User, standing
from panel.core.prepared import Prepared, slot

_SESSION = Prepared(
    lambda: Session.objects.filter(session_key=slot("key", models.CharField()), expire_date__gt=Now()).values_list(
        "session_data", "expire_date"
    )
)
_COLUMNS = [field.attname for field in User._meta.concrete_fields]
_WHO = Prepared(lambda: standing(User.objects.filter(pk=slot("pk"))).values_list(*_COLUMNS, *STANDING))


class SessionStore(db.SessionStore):
    """Sessions in the database, read by a prepared query."""

    def _get_session_from_db(self) -> Session | None:
        key = self.session_key
        row = _SESSION.first(key=key)
        if key is None or row is None:
            self._session_key = None
            return None
        return Session(session_key=key, session_data=row[0], expire_date=row[1])


class Backend(AuthenticationBackend):  # type: ignore[misc]
    """allauth's log-in by e-mail; the person of a session is read with their standing in one prepared query."""

    def get_user(self, user_id: Any) -> User | None:
        rows = _WHO.rows(pk=user_id)
        if not rows:
            return None
        user: User = User.from_db(None, _COLUMNS, rows[0][: len(_COLUMNS)])
        user.standing = Standing.read([row[len(_COLUMNS) :] for row in rows])  # type: ignore[attr-defined]
        return user if self.user_can_authenticate(user) else None


def standing_of(user: User) -> Standing:
    """What a person is; what their session's first look said, where there was one."""
    found: Standing | None = getattr(user, "standing", None)
    return found or Standing.read([row[len(_COLUMNS) :] for row in _WHO.rows(pk=user.pk)])
