"""Staff: who may do what in the console. The first administrator is made on the machine itself (`manage.py staff`)."""

from collections.abc import Collection
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils.translation import gettext as _

from panel.accounts import contacts
from panel.accounts.models import Membership, StaffRole, User
from panel.core import events, live
from panel.core.actors import STAFF_ROLES, Actor
from panel.core.errors import RuleViolation


@transaction.atomic
def appoint(email: str, *, name: str, roles: Collection[str], actor: Actor, now: datetime) -> User:
    """Make a person staff with exactly these roles; a new person still has to choose a password.

    RuleViolation for an unknown role, and for somebody who belongs to a customer's account: staff is apart.
    """
    if not roles or set(roles) - set(STAFF_ROLES):
        raise RuleViolation(_("The roles are: %(roles)s.") % {"roles": ", ".join(STAFF_ROLES)}, field="roles")
    email = email.strip().lower()
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User(email=email, name=name or email, created_at=now, confirmed_at=now)
        user.set_unusable_password()
        user.save()
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    if Membership.objects.filter(user=user).exists():
        raise RuleViolation(_("This person belongs to a customer's account; staff needs a log-in of its own."))
    StaffRole.objects.filter(user=user).exclude(role__in=roles).delete()
    for role in roles:
        StaffRole.objects.get_or_create(user=user, role=role)
    events.record("accounts.staff.appointed", now=now, actor=actor, subject=user, data={"roles": sorted(roles)})
    return user


@transaction.atomic
def dismiss(email: str, *, actor: Actor, now: datetime) -> User:
    """Take every role away and log the person out everywhere, at once."""
    user = User.objects.filter(email=email.strip().lower(), staff_roles__isnull=False).first()
    if user is None:
        raise RuleViolation(_("Nobody of the staff has this address."), field="email")
    user.staff_roles.all().delete()
    contacts.end_sessions(user.pk)
    events.record("accounts.staff.dismissed", now=now, actor=actor, subject=user)
    live.close_sockets(user.pk)
    return user
