"""Its owner destroys a server: that ends its subscription, with what the end costs (SUB-6, SRV-8)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Subscription
from invoicing.subscribing import ending
from invoicing.subscribing.leaving import Wishes
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import actions
from servers.models import Server
from servers.rules import State, Verb


@transaction.atomic
def destroy(server: Server, *, typed: str, actor: Actor, now: datetime) -> None:
    """End its subscription at once, by which its machine and disk are removed; what that costs is `ending.preview`'s
    to say beforehand. Destroyed already, or just being so: nothing.

    RuleViolation where its name was not `typed` or the state forbids it; PermissionDenied for who may not.
    """
    subscription = Subscription.objects.select_related("account", "package").get(pk=server.subscription_id)
    if server.account_id != subscription.account_id:
        raise RuleViolation(_("This server belongs to another account now."))
    held = Server.objects.select_related("subscription").get(pk=server.pk)
    if held.state in {State.DESTROYING, State.DESTROYED} and actions.DESTROY.permits(actor):
        return
    actions.DESTROY.check(actor, held)
    if typed.strip() != held.name:
        raise RuleViolation(_("The name was not typed as shown; nothing has changed."), rule="SUB-6", field="confirm")
    ending.end_now(subscription, Wishes(), actor=actor, now=now)
    held.actions.filter(verb=Verb.DESTROY).update(actor_kind=actor.kind, actor_id=actor.user_id)
