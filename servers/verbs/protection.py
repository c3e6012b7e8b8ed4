"""A server that is protected from deletion is neither destroyed nor rebuilt by its owner (SRV-8, SUB-6)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Subscription
from panel.core.actors import Actor
from servers import actions
from servers.action_log import begin, finish, told
from servers.models import Server, ServerAction
from servers.rules import Verb
from servers.verbs.power import hold


@transaction.atomic
def protect(server: Server, *, on: bool, actor: Actor, now: datetime) -> None:
    """Put the protection on or take it off; so already: nothing. PermissionDenied for who may not (to take it off asks
    for more), RuleViolation where the state forbids it."""
    server = hold(server)
    verb, action = (Verb.PROTECT, actions.PROTECT) if on else (Verb.UNPROTECT, actions.UNPROTECT)
    if server.protected == on and action.permits(actor):
        return
    action.check(actor, server)
    Server.objects.filter(pk=server.pk).update(protected=on)
    line = begin(server, verb, actor=actor, because="", now=now)
    finish(line.pk, ServerAction.State.DONE, now)
    told(server, f"servers.server.{verb}ed", now=now, actor=actor, rule="SRV-8")


def refusal_to_end(subscription: Subscription) -> str:
    """Why its owner cannot end it now, in the reader's language; empty when they can."""
    if Server.objects.alive().filter(subscription=subscription, protected=True).exists():
        return _("Its server is protected from deletion. Take the protection off on the server’s page first.")
    return ""
