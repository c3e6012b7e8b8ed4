"""SRV-3, ABU-3 over IPv6 on real hosts: real packets at an attached address, none at a blocked or a link-local one."""

from collections.abc import Iterator

import pytest

from panel.core.errors import ProviderError
from servers.networking.firewall_rules import Direction, Policy, Protocol, Rule, Verdict
from servers.providers import Node
from servers.providers.local.network import has_ipv6
from servers.providers.local_adapter import LocalProvider
from tests.support import hosts
from tests.support.hosts import Customer, spec
from tests.support.wire import eventually

pytestmark = pytest.mark.local
TENTATIVE = 0x40
CONNECT = """
import json, socket, sys
try:
    socket.create_connection((sys.argv[1], 22), timeout=float(sys.argv[2])).close()
    print(json.dumps("met"))
except OSError as error:
    print(json.dumps(type(error).__name__))
"""


@pytest.fixture(scope="module")
def two(cloud: LocalProvider, customer: Customer) -> Iterator[tuple[Node, Node]]:
    if not has_ipv6():
        pytest.fail("this machine's kernel has no IPv6")
    made = [cloud.create(spec(f"six-{number}", customer.public)) for number in (1, 2)]
    yield made[0], made[1]
    for node in made:
        cloud.destroy(node.ref)


def address(cloud: LocalProvider, number: int) -> str:
    return str(cloud.driver.network.prefix[number])


def meets(cloud: LocalProvider, customer: Customer, node: Node, ip: str, patience: float = 3) -> bool:
    with customer.log_in(cloud, node) as inside:
        return hosts.python(inside, CONNECT, ip, str(patience)) == "met"


def test_a_host_answers_there_over_a_power_cycle_and_not_once_it_is_gone(
    cloud: LocalProvider, customer: Customer, two: tuple[Node, Node]
) -> None:
    one, ip = two[0], address(cloud, 0x10)
    cloud.attach_address(one.ref, ip)
    cloud.attach_address(one.ref, ip)
    found = cloud.get(one.ref)
    assert found is not None
    assert found.addresses == (one.addresses[0], ip)
    customer.log_in(cloud, one, address=ip).close()
    cloud.reboot(one.ref)
    customer.log_in(cloud, one, address=ip).close()
    cloud.detach_address(one.ref, ip)
    with pytest.raises(ProviderError):
        customer.log_in(cloud, one, patience=1, address=ip)


def test_hosts_reach_each_other_there_unless_it_is_cut_off(
    cloud: LocalProvider, customer: Customer, two: tuple[Node, Node]
) -> None:
    one, other = two
    cloud.attach_address(one.ref, address(cloud, 0x21))
    cloud.attach_address(other.ref, address(cloud, 0x22))
    assert meets(cloud, customer, one, address(cloud, 0x22))
    cloud.block_address(other.ref, address(cloud, 0x22))
    assert cloud.blocked(other.ref) == {address(cloud, 0x22)}
    assert not meets(cloud, customer, one, address(cloud, 0x22), patience=1)
    cloud.reboot(other.ref)
    assert not meets(cloud, customer, one, address(cloud, 0x22), patience=1)
    with pytest.raises(ProviderError):
        customer.log_in(cloud, other, patience=1, address=address(cloud, 0x22))
    customer.log_in(cloud, other).close()
    cloud.unblock_address(other.ref, address(cloud, 0x22))
    assert meets(cloud, customer, one, address(cloud, 0x22))
    for node, number in ((one, 0x21), (other, 0x22)):
        cloud.detach_address(node.ref, address(cloud, number))


def test_it_moves_from_one_host_to_the_other_and_answers_there(
    cloud: LocalProvider, customer: Customer, two: tuple[Node, Node]
) -> None:
    one, other = two
    ip = address(cloud, 0x30)
    cloud.attach_address(one.ref, ip)
    customer.log_in(cloud, one, address=ip).close()
    with pytest.raises(ProviderError) as refused:
        cloud.attach_address(other.ref, ip)
    assert refused.value.permanent
    cloud.detach_address(one.ref, ip)
    cloud.attach_address(other.ref, ip)
    customer.log_in(cloud, other, address=ip).close()  # by the other's host key
    cloud.detach_address(other.ref, ip)


def settled(cloud: LocalProvider, customer: Customer, node: Node) -> str:
    """The host's link-local address, once nobody else was found to have it."""
    found: list[str] = []

    def there() -> bool:
        with customer.log_in(cloud, node) as inside:
            rows = [line.split() for line in inside.run(["cat", "/proc/net/if_inet6"]).output.splitlines()]
        found[:] = [row[0] for row in rows if row[0].startswith("fe80") and not int(row[4], 16) & TENTATIVE]
        return bool(found)

    assert eventually(there)
    return ":".join(found[0][at : at + 4] for at in range(0, 32, 4))


def test_link_local_addresses_are_no_way_around(
    cloud: LocalProvider, customer: Customer, two: tuple[Node, Node]
) -> None:
    one, other = two
    for node, number in ((one, 0x41), (other, 0x42)):
        cloud.attach_address(node.ref, address(cloud, number))
    links = [settled(cloud, customer, node) for node in (one, other)]
    assert meets(cloud, customer, one, address(cloud, 0x42))
    assert not meets(cloud, customer, one, f"{links[1]}%eth0")
    for node, number in ((one, 0x41), (other, 0x42)):
        cloud.detach_address(node.ref, address(cloud, number))


def test_the_customers_firewall_filters_it_too(
    cloud: LocalProvider, customer: Customer, two: tuple[Node, Node]
) -> None:
    one, other = two
    for node, number in ((one, 0x51), (other, 0x52)):
        cloud.attach_address(node.ref, address(cloud, number))
    stranger = f"{address(cloud, 0x51)}/128"
    drop = Rule(Direction.IN, Verdict.DROP, Protocol.TCP, ((22, 22),), (stranger,))
    cloud.set_firewall(other.ref, Policy((drop,)))
    assert not meets(cloud, customer, one, address(cloud, 0x52), patience=1)
    customer.log_in(cloud, other, address=address(cloud, 0x52)).close()
    cloud.set_firewall(other.ref, Policy())
    assert meets(cloud, customer, one, address(cloud, 0x52))


@pytest.mark.parametrize("wanted", ["2001:db8::5", "gateway", "fe80::1"])
def test_what_is_not_of_the_place_is_refused_for_good(
    cloud: LocalProvider, two: tuple[Node, Node], wanted: str
) -> None:
    ip = str(cloud.driver.network.gateway6) if wanted == "gateway" else wanted
    with pytest.raises(ProviderError) as refused:
        cloud.attach_address(two[0].ref, ip)
    assert (refused.value.permanent, refused.value.code) == (True, "refused")
