"""What OpenStack can do beyond the other vendors: another disk, a rescue system, and security groups as a firewall."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.test import override_settings

from panel.core.errors import Failure, ProviderError
from servers.networking.firewall_rules import OPEN, TEMPLATES, of_json
from servers.providers import Node
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.rules import Power
from tests.support.vendors.openstack import script
from tests.support.vendors.stages import KEY, LARGE, Stage, stage

OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOther you@there"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LibcloudProvider, "patience", 0.5)
    monkeypatch.setattr(LibcloudProvider, "pause", 0.001)


@pytest.fixture
def far() -> Iterator[Stage]:
    with stage("openstack") as found:
        yield found


def made(far: Stage) -> Node:
    far.cloud.create(far.spec())
    for _ in range(5):
        if (node := far.cloud.find("SUB-1")) is not None and node.power is Power.ON:
            return node
    raise AssertionError(node)


def test_a_rebuild_has_another_system_and_other_keys_once_for_a_mark(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    wanted = far.spec(image="ubuntu-24", keys=(OTHER,), first_boot="echo anew")
    for _ in range(2):
        again = cloud.rebuild(node.ref, wanted, "one")
        assert (again.ref, again.build, again.power, again.token) == (node.ref, "one", Power.ON, "SUB-1")
    assert far.vendor.count(f"POST /compute/v2.1/servers/{node.ref}/action") == 1
    assert far.machines()[0]["image"]["id"] == "img-24"
    assert OTHER in script(far.vendor, node.ref)
    assert KEY not in script(far.vendor, node.ref)
    cloud.stop(node.ref)
    assert cloud.rebuild(node.ref, wanted, "two").power is Power.ON


def test_a_restore_is_marked_in_the_call_that_does_it(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    copy = cloud.snapshot(node.ref, "copy:1")
    for _ in range(5):
        cloud.find_snapshot("copy:1")
    for _ in range(2):
        back = cloud.restore(node.ref, copy.ref, "one")
        assert (back.build, back.token, back.power) == ("one", "SUB-1", Power.ON)
    assert far.machines()[0]["image"]["id"] == copy.ref


def test_a_rescue_system_lets_in_whoever_was_let_in_at_the_last_build(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    assert not cloud.capabilities.rescue_keys
    with pytest.raises(ProviderError, match="would let in nobody") as refused:
        cloud.rescue(node.ref, (OTHER,))
    assert refused.value.permanent
    for _ in range(2):
        rescued = cloud.rescue(node.ref, (OTHER, KEY))
        assert (rescued.power, rescued.rescue) == (Power.ON, True)
    assert 'mount "$disk" /mnt' in script(far.vendor, node.ref)
    for _ in range(2):
        back = cloud.leave_rescue(node.ref)
        assert (back.power, back.rescue) == (Power.ON, False)


def test_a_panel_that_died_before_it_confirmed_a_size_confirms_it(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    cloud.driver.ex_resize(cloud.driver.ex_get_node_details(node.ref), next(  # type: ignore[attr-defined]
        size for size in cloud.driver.list_sizes() if size.id == "f-2"
    ))  # fmt: skip
    for _ in range(3):
        found = cloud.get(node.ref)
    assert found is not None
    assert (found.size, found.power) == ("", Power.ON), "until it is confirmed it has no size to rely on"
    assert cloud.resize(node.ref, LARGE).size == "vps-m"
    assert far.machines()[0]["status"] == "ACTIVE"


POLICY = of_json({"default_in": "drop", "default_out": "accept", "rules": [
    {"direction": "in", "action": "accept", "protocol": "tcp", "ports": "22, 80, 8000-8100", "note": "mine"},
    {"direction": "in", "action": "accept", "protocol": "icmp", "peers": "2001:db8::/32"},
    {"direction": "in", "action": "accept", "peers": "203.0.113.1, 198.51.100.0/24"},
    {"direction": "in", "action": "accept", "protocol": "icmp"},
]})  # fmt: skip


def test_a_machine_is_open_until_its_group_says_otherwise_and_is_read_back(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    assert cloud.firewall(node.ref) == OPEN
    for policy in (POLICY, POLICY, TEMPLATES["web"].policy(), OPEN):
        cloud.set_firewall(node.ref, policy)
        assert cloud.firewall(node.ref) == policy.canonical()
    cloud.set_firewall(node.ref, POLICY)
    cloud.destroy(node.ref)
    assert far.vendor.groups == {}


def test_what_somebody_changed_at_the_place_shows_and_is_put_right(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    cloud.set_firewall(node.ref, POLICY)
    (group,) = far.vendor.groups.values()
    lost = group["security_group_rules"].pop()
    assert cloud.firewall(node.ref) != POLICY.canonical()
    cloud.set_firewall(node.ref, POLICY)
    group["security_group_rules"].append({**lost, "id": lost["id"], "description": "by hand", "protocol": None})
    assert cloud.firewall(node.ref) != POLICY.canonical()
    cloud.set_firewall(node.ref, POLICY)
    assert cloud.firewall(node.ref) == POLICY.canonical()
    far.vendor.inside[node.ref]["groups"].append("default")
    with pytest.raises(ProviderError, match="other security groups"):
        cloud.firewall(node.ref)


def test_what_groups_cannot_say_is_refused(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    can = cloud.capabilities.firewall
    assert can is not None
    assert (can.drops, can.outgoing) == (False, False)
    out = [{"direction": "out", "action": "drop", "protocol": "tcp", "ports": "25"}]
    for policy in (replace(OPEN, default_out=TEMPLATES["web"].policy().default_in), of_json({"locks": out})):
        with pytest.raises(ProviderError) as refused:
            cloud.set_firewall(node.ref, policy)
        assert (refused.value.code, refused.value.permanent) == ("not_supported", True)


def test_a_machine_that_found_no_host_is_removed_and_asked_for_again_later(far: Stage) -> None:
    far.vendor.no_host = True
    cloud = far.cloud
    with pytest.raises(ProviderError) as full:
        cloud.create(far.spec())
    assert (full.value.kind, full.value.code, full.value.wait) == (Failure.WAIT, "out_of_capacity", 300)
    assert (far.machines(), far.vendor.groups) == ([], {})
    far.vendor.no_host = False
    assert made(far).power is Power.ON


def test_a_conflict_is_busy_and_not_for_ever(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    far.vendor.slow = 1000
    far.vendor._task(node.ref, "migrating", "ACTIVE")
    with pytest.raises(ProviderError, match="task_state migrating") as busy:
        cloud.reboot(node.ref)
    assert (busy.value.kind, busy.value.code) == (Failure.RETRY, "busy")


def test_a_wrong_password_is_permanent(far: Stage) -> None:
    config = far.config | {"arguments": far.config["arguments"] | {"secret": "wrong"}}
    with override_settings(CLAUSE_PLACES={"far-1": config}), pytest.raises(ProviderError) as refused:
        far.cloud.list()
    assert (refused.value.kind, refused.value.code) == (Failure.PERMANENT, "credentials")
