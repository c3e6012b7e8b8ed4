"""Staff adds a block of addresses to a place (SRV-3)."""

from datetime import datetime
from ipaddress import ip_network

from django.db import connection, transaction
from django.utils.translation import gettext as _

from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import actions, places, providers
from servers.addressing import pool
from servers.models import AddressBlock

RULE = "SRV-3"


def _alone() -> None:
    """Two blocks that overlap cannot both be new: whoever adds one waits for the other."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE servers_addressblock IN SHARE ROW EXCLUSIVE MODE")


@transaction.atomic
def add(place: str, text: str, *, actor: Actor, now: datetime) -> AddressBlock:
    """Have `place` give out the addresses of a network too. RuleViolation (with `field`) for what is no network, is
    too large, or overlaps one that any place gives out; PermissionDenied for who may not."""
    actions.ADD_BLOCK.check(actor)
    if place not in providers.places() or not places.capabilities(place).any_block:
        raise RuleViolation(_("Blocks cannot be added at this place."), rule=RULE, field="place")
    try:
        network = ip_network(text.strip())
    except ValueError:
        raise RuleViolation(_("Write a network such as 192.0.2.0/24 or 2001:db8::/64."), rule=RULE,
                            field="network") from None  # fmt: skip
    if network.version == pool.IPV6 and not places.capabilities(place).ipv6:
        raise RuleViolation(_("This place has no IPv6."), rule=RULE, field="network")
    if network.version == pool.IPV4 and network.num_addresses > pool.LARGEST_BLOCK:
        raise RuleViolation(_("A block of IPv4 has at most %(most)s addresses.") % {"most": pool.LARGEST_BLOCK},
                            rule=RULE, field="network")  # fmt: skip
    _alone()
    for other in providers.places():
        for known in pool.networks(other, network.version):
            if network.overlaps(known):
                words = {"block": known, "place": places.label(other)}
                raise RuleViolation(_("It overlaps %(block)s of %(place)s.") % words, rule=RULE, field="network")
    row = AddressBlock.objects.create(place=place, network=str(network), added_at=now, added_by=actor.user_id or 0)
    events.record(
        "servers.address.block_added", now=now, actor=actor, subject=row, rule=RULE,
        data={"place": place, "network": row.network},
    )  # fmt: skip
    return row
