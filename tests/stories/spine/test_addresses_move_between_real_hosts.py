"""As a customer I move addresses of both families between my servers, and whoever connects meets the right machine;
what is taken away answers nowhere (SRV-3)."""

import pytest

from panel.core.errors import ProviderError
from servers import keys
from servers.addressing import moving, pool
from servers.models import Address, AddressHolding, Server
from servers.providers.local_adapter import LocalProvider
from tests.support import hosts
from tests.support.machines import server_of
from tests.support.world import World

pytestmark = [pytest.mark.local, pytest.mark.django_db]
EXTRAS = {pool.OPTIONS[pool.IPV4]: 1, pool.OPTIONS[pool.IPV6]: 1}


def test_both_families_answer_where_they_were_moved(world: World, cloud: LocalProvider) -> None:
    alice, home = world.customer(), hosts.Customer()
    key = keys.add(alice.account, name="laptop", public_key=home.public, actor=alice.actor, now=world.now)
    one = server_of(world, alice, name="web-1", keys=[key.pk], options=EXTRAS)
    two = server_of(world, alice, name="web-2", keys=[key.pk])
    extras = Address.objects.filter(holdings__ordered_with=one, holdings__is_first=False).order_by("family")
    assert [address.family for address in extras] == [4, 6]

    def answers(server: Server, address: Address) -> bool:
        """Whether `server` (by its host key) is who answers at the address."""
        node = cloud.get(server.provider_ref)
        assert node is not None
        try:
            home.log_in(cloud, node, patience=2, address=str(address.ip)).close()
        except ProviderError:
            return False
        return True

    for address in extras:
        assert answers(one, address)
        moving.move(address, two, actor=alice.actor, now=world.now)
    world.advance(seconds=10)
    for address in extras:
        assert answers(two, address)
        assert not answers(one, address)
        assert AddressHolding.objects.get(address=address, until=None).server == two
        moving.move(address, None, actor=alice.actor, now=world.now)
    world.advance(seconds=10)
    assert not any(answers(server, address) for server in (one, two) for address in extras)
    assert world.failed_operations() == []
