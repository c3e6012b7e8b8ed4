"""Its owner or staff destroys a server: that ends its subscription, with what the end costs (SUB-6, SUB-8, SRV-8)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Subscription
from invoicing.subscribing import ending, ending_by_us, subscriptions
from invoicing.subscribing.ending_by_us import Ground
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


@transaction.atomic
def destroy_for(
    server: Server, ground: Ground, *, reason: str, typed: str, actor: Actor, now: datetime
) -> None:  # fmt: skip
    """Staff ends its subscription at once on a ground, told with its reason, by which its machine and disk are removed;
    what that costs is `ending_by_us.costs`' to say beforehand. Just being destroyed: RuleViolation, as where its name
    was not `typed`, no reason was written, or it is protected; PermissionDenied for who may not.
    """
    row = subscriptions.locked(server.subscription_id)
    held = Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=server.pk)
    actions.STAFF_DESTROY.check(actor, held)
    if typed.strip() != held.name:
        raise RuleViolation(_("The name was not typed as shown; nothing has changed."), rule="SUB-8", field="confirm")
    ending_by_us.end(row, ground, reason=reason, actor=actor, now=now)
    held.actions.filter(verb=Verb.DESTROY).update(actor_kind=actor.kind, actor_id=actor.user_id)
