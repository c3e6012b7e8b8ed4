"""As staff I see what each place has left, add a block before it is too late, and find who held an address (SRV-3)."""

import contextlib
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from invoicing.subscribing import kinds
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers.addressing import address_selectors, blocks, pool
from servers.models import AddressBlock
from tests.support.crowd import at_once
from tests.support.machines import first_ip, package, server_of, simulated_place
from tests.support.world import World

pytestmark = pytest.mark.django_db
SMALL = {"addresses": ["192.0.2.0/29"]}  # five addresses to give out


def of(family: int = pool.IPV4) -> address_selectors.Pool:
    return next(one for one in address_selectors.pools() if one.family == family)


def test_a_pool_that_runs_dry_is_seen_and_a_block_fills_it(tmp_path: Path) -> None:
    with simulated_place(tmp_path, **SMALL):
        world = World()
        alice = world.customer()
        for number in range(5):
            server_of(world, alice, name=f"web-{number}")
        assert (of().whole, of().left, of().held, of().scarce) == (5, 0, 5, True)
        vps = kinds.get("vps")
        assert not vps.available(package(), {"place": "sim-1"})
        blocks.add("sim-1", " 198.51.100.0/28 ", actor=world.staff("infrastructure"), now=world.now)
        assert (of().whole, of().left, of().blocks) == (18, 13, ["192.0.2.0/29", "198.51.100.0/28"])
        assert vps.available(package(), {"place": "sim-1"})
        assert first_ip(server_of(world, alice, name="more")) == "198.51.100.2"
        assert Event.objects.get(kind="servers.address.block_added").data["network"] == "198.51.100.0/28"


def test_what_was_given_back_rests_and_is_counted_so(tmp_path: Path) -> None:
    with simulated_place(tmp_path, **SMALL):
        world = World()
        server = server_of(world, world.customer())
        ip = first_ip(server)
        with transaction.atomic():
            kinds.get("vps").terminate(server.subscription, because="SUB-6", now=world.now)
        world.work()
        assert (of().left, of().held, of().resting) == (4, 0, 1)
        ((address, free_at),) = address_selectors.resting()
        assert (str(address.ip), (free_at - world.now).days) == (ip, 30)
        (holding,) = address_selectors.holders(f" {ip} ") or []
        assert (holding.account, holding.until) == (server.account, world.now)
        assert address_selectors.holders("nonsense") is None


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("192.0.2.0/30", "overlaps 192.0.2.0/29"),
        ("192.0.2.1/24", "Write a network"),
        ("web-1", "Write a network"),
        ("10.0.0.0/8", "at most 65536"),
    ],
)
def test_a_block_that_cannot_be_is_refused_with_the_reason(tmp_path: Path, network: str, words: str) -> None:
    with simulated_place(tmp_path, **SMALL):
        world = World()
        with pytest.raises(RuleViolation, match=words):
            blocks.add("sim-1", network, actor=world.staff("infrastructure"), now=world.now)
        with pytest.raises(PermissionDenied):
            blocks.add("sim-1", "198.51.100.0/24", actor=world.staff("support"), now=world.now)


def test_a_large_prefix_of_ipv6_gives_as_many_as_anybody_needs(tmp_path: Path) -> None:
    with simulated_place(tmp_path):
        world = World()
        assert of(pool.IPV6).left == pool.LARGEST_BLOCK
        with transaction.atomic():
            taken = pool.take("sim-1", pool.IPV6)
        assert str(taken.ip) == "2001:db8:77::2"
        assert pool.stock("sim-1", pool.IPV6) == pool.STOCK_AT_ONCE
        assert world.failed_operations() == []


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_that_overlap_and_come_together_one_is_added(tmp_path: Path) -> None:
    with simulated_place(tmp_path, **SMALL):
        world = World()
        sam, added = world.staff("infrastructure"), []

        def add() -> None:
            with contextlib.suppress(RuleViolation):
                added.append(blocks.add("sim-1", "198.51.100.0/28", actor=sam, now=world.now))

        at_once(add)
        assert len(added) == AddressBlock.objects.count() == 1
