"""The addresses that each place gives out: the shelf, the blocks behind it, and the rest after a holder (SRV-3)."""

from collections.abc import Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import islice

from django.db import connection

from panel.core.errors import ProviderError
from servers import providers
from servers.models import Address, AddressBlock
from servers.providers.local.words import prefix_of

LARGEST_BLOCK = 65_536  # of IPv4; of a block of IPv6 as many are given out
STOCK_AT_ONCE = 256
IPV4, IPV6 = 4, 6
OPTIONS = {IPV4: "vps-address", IPV6: "vps-address-v6"}
"""The option of a subscription that pays for an additional address."""
# Where a place's configuration names neither `addresses` nor a `subnet`: ranges that are nobody's on the internet.
DEFAULT_POOLS = {
    "simulated": ("203.0.113.0/24", "198.51.100.0/24", "198.18.0.0/16", "2001:db8:77::/64"),
    "local": ("10.77.0.0/24", prefix_of("10.77.0.0/24")),
}


def configured(place: str) -> list[str]:
    """What the place's configuration gives out: its `addresses`, else the subnets its hosts are on, else a default."""
    config = providers.places()[place]
    subnets = [config["subnet"], prefix_of(str(config["subnet"]))] if config.get("subnet") else []
    blocks = config.get("addresses") or subnets or DEFAULT_POOLS.get(str(config.get("provider")), ())
    return [str(block) for block in blocks]


def networks(place: str, family: int = IPV4) -> list[IPv4Network | IPv6Network]:
    """The blocks of the place, those of its configuration first, then those that staff added."""
    added = AddressBlock.objects.filter(place=place).order_by("pk").values_list("network", flat=True)
    found = [ip_network(block) for block in (*configured(place), *added)]
    return [network for network in found if network.version == family]


def size(network: IPv4Network | IPv6Network) -> int:
    """How many addresses of a block are given out: not those of the network, of the gateway and for everybody."""
    return min(max(network.num_addresses - 3, 1), LARGEST_BLOCK)


def _pool(place: str, family: int) -> Iterator[str]:
    """Every address of the place's blocks, without network, gateway and broadcast."""
    for network in networks(place, family):
        if family == IPV4 and network.num_addresses > LARGEST_BLOCK:
            raise ProviderError(f"{network} is larger than {LARGEST_BLOCK} addresses", permanent=True, code="pool")
        hosts = iter(network.hosts())
        if network.num_addresses > 2:
            next(hosts)  # the gateway
        yield from map(str, islice(hosts, LARGEST_BLOCK))


def left(place: str, family: int = IPV4) -> int:
    """How many addresses the place could still give out: free ones, and those not yet on the shelf."""
    if providers.get(place).capabilities.chooses_address:
        return LARGEST_BLOCK
    whole = sum(size(network) for network in networks(place, family))
    return whole - Address.objects.filter(place=place, family=family).exclude(state=Address.State.FREE).count()


def stock(place: str, family: int = IPV4) -> int:
    """Put the next addresses of the place's blocks on the shelf; returns how many are new."""
    known = {str(ip) for ip in Address.objects.filter(place=place, family=family).values_list("ip", flat=True)}
    fresh: list[Address] = []
    for ip in _pool(place, family):
        if ip not in known:
            fresh.append(Address(ip=ip, place=place, family=family))
        if len(fresh) == STOCK_AT_ONCE:
            break
    Address.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def take(place: str, family: int = IPV4) -> Address:
    """A free address of the place, locked; ProviderError (code "no_address") when there is none."""
    for _ in range(2):
        free = Address.objects.filter(place=place, family=family, state=Address.State.FREE).order_by("pk")
        address = free.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked).first()
        if address is not None:
            return address
        if not stock(place, family):
            break
    raise ProviderError(f"{place} has no free address of IPv{family} left", code="no_address")


def end_quarantine(*, now: datetime) -> int:
    """Addresses whose quarantine is over can be given out again; how many those are."""
    rested = Address.objects.filter(state=Address.State.QUARANTINE, free_at__lte=now)
    return rested.update(state=Address.State.FREE, free_at=None)
