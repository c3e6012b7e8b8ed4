"""Its holder gives an additional address back: one less is paid for from the renewal on, and this one goes (SUB-12)."""

from datetime import datetime

from django.db import transaction

from invoicing.models import SubscriptionChange
from invoicing.subscribing import changes, subscriptions
from invoicing.subscribing.changes import Wish
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import actions
from servers.addressing import pool
from servers.addressing.address_rules import WhyNot, why_not_touched
from servers.addressing.address_wording import SENTENCES
from servers.addressing.moving import standing
from servers.models import Address, AddressHolding

RULE = "SUB-12"
UNTOUCHED = frozenset({WhyNot.FIRST, WhyNot.RESTRICTED, WhyNot.ENDS})


@transaction.atomic
def give_back(address: Address, *, actor: Actor, now: datetime) -> SubscriptionChange | None:
    """Plan for the renewal that the address is paid for and held no longer; None where that is planned already.

    RuleViolation with the sentence where it cannot be given back; PermissionDenied for who may not.
    """
    actions.GIVE_BACK_ADDRESS.check(actor)
    rows = AddressHolding.objects.visible_to(actor).now().filter(address=address)
    owner = rows.values_list("ordered_with__subscription", flat=True).first()
    row = subscriptions.locked(owner) if owner else None
    held_here = rows.filter(ordered_with__subscription=row).select_related("address__move", "server", "ordered_with")
    holding = held_here.select_for_update(of=("self",)).first()
    if row is None or holding is None:
        raise RuleViolation(str(SENTENCES[WhyNot.NOT_YOURS]), rule=RULE)
    refused = why_not_touched(standing(holding))
    if refused in UNTOUCHED:
        raise RuleViolation(str(SENTENCES[refused]), rule=RULE)
    wish, option = changes.wished(row), pool.OPTIONS[address.family]
    paid, held = wish.options.get(option, 0), _ordered(holding)
    chosen = AddressHolding.objects.now().filter(ordered_with=holding.ordered_with, address__family=address.family)
    if paid >= held:  # what was chosen before was taken back
        chosen.update(leaves=False)
    elif holding.leaves:
        return None
    left = held - 1 - chosen.filter(leaves=True).exclude(pk=holding.pk).count()
    made = None
    if paid > left:
        options = {code: count for code, count in {**wish.options, option: left}.items() if count}
        key = f"address:{holding.pk}:{now.isoformat()}"
        made = changes.change(row, Wish(wish.package, wish.interval, options), key=key, actor=actor, now=now)
    holding.leaves = True
    holding.save(update_fields=["leaves"])
    events.record(
        "servers.address.leaves", now=now, actor=actor, subject=address, account_id=holding.account_id, rule=RULE,
        data={"address_id": address.pk, "server_id": holding.server_id},
    )  # fmt: skip
    return made


def _ordered(holding: AddressHolding) -> int:
    """How many of its family are ordered with the same server."""
    server = holding.ordered_with
    return {4: server.extra_addresses, 6: server.extra_addresses6}[holding.address.family]
