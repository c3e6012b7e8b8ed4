"""Contact management (ACC-4): the owner, or a contact who may, adds and removes contacts; nobody gives more than they
have."""

from collections.abc import Collection
from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from panel.accounts import permissions
from panel.accounts.models import Account, Membership, User
from panel.core import events, live, mail
from panel.core.actors import Actor
from panel.core.errors import RuleViolation


def _grantable(actor: Actor, wanted: Collection[str]) -> list[str]:
    unknown = set(wanted) - permissions.ALL
    beyond = set(wanted) - actor.permissions
    if unknown or beyond:
        raise RuleViolation(
            _("You can only give permissions that you have yourself."), rule="ACC-4", field="permissions"
        )
    return sorted(wanted)


@transaction.atomic
def invite(
    account: Account, *, email: str, name: str, wanted: Collection[str], actor: Actor, link: str, now: datetime
) -> Membership:
    """Add a contact with their own log-in; a new person gets a mail to choose a password. `link` is a format string
    with {uid} and {key} for the page where the password is chosen."""
    granted = _grantable(actor, wanted)
    email = email.strip().lower()
    user = User.objects.filter(email=email).first()
    is_new = user is None
    if user is None:
        user = User(email=email, name=name, created_at=now, confirmed_at=None, language=account.language)
        user.set_unusable_password()
        user.save()
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    try:
        with transaction.atomic():
            membership = Membership.objects.create(
                user=user, account=account, permissions=granted, created_at=now, invited_by_id=actor.user_id
            )
    except IntegrityError:
        raise RuleViolation(
            _("This person is a contact of the account already."), rule="ACC-4", field="email"
        ) from None
    _tell("added", membership, actor, now)
    mail.send(
        "contact_invited", to=email, now=now, key=f"contact:{membership.pk}:invited", account_id=account.pk,
        subject=membership, lang=account.language,
        context={
            "account": account, "name": name, "is_new": is_new,
            "link": password_link(link, user) if is_new else "",
        },
    )  # fmt: skip
    return membership


def password_link(link: str, user: User) -> str:
    """`link` with {uid} and {key} filled in: the page where a person without a password chooses one, once."""
    from allauth.account.forms import default_token_generator  # allauth's forms import ours
    from allauth.account.utils import user_pk_to_url_str

    return link.format(uid=user_pk_to_url_str(user), key=default_token_generator.make_token(user))


@transaction.atomic
def change(membership: Membership, *, wanted: Collection[str], actor: Actor, now: datetime) -> None:
    """Give a contact other permissions; they hold from the next request on. Those the actor lacks stay as they are."""
    _refuse_owner(membership)
    if membership.user_id == actor.user_id:
        raise RuleViolation(_("You cannot change your own permissions."), rule="ACC-4")
    beyond_me = set(membership.permissions) - actor.permissions
    membership.permissions = sorted({*_grantable(actor, wanted), *beyond_me})
    membership.save(update_fields=["permissions"])
    _tell("changed", membership, actor, now)
    live.close_sockets(membership.user_id)


@transaction.atomic
def remove(membership: Membership, *, actor: Actor, now: datetime) -> None:
    """End a contact's access: membership, tokens, sessions that act in this account, and open sockets."""
    _refuse_owner(membership)
    _tell("removed", membership, actor, now)
    user_id = membership.user_id
    membership.delete()
    if not Membership.objects.filter(user_id=user_id).exists():
        end_sessions(user_id)
    live.close_sockets(user_id)


def end_sessions(user_id: int) -> None:
    """Log a person out everywhere."""
    from allauth.usersessions.models import UserSession

    keys = list(UserSession.objects.filter(user_id=user_id).values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(user_id=user_id).delete()


def _refuse_owner(membership: Membership) -> None:
    if membership.is_owner:
        raise RuleViolation(_("The owner of the account cannot be changed or removed here."), rule="ACC-4")


def _tell(verb: str, membership: Membership, actor: Actor, now: datetime) -> None:
    events.record(
        f"accounts.contact.{verb}", now=now, actor=actor, subject=membership, account_id=membership.account_id,
        rule="ACC-4", data={"user": membership.user_id, "permissions": membership.permissions},
    )  # fmt: skip
