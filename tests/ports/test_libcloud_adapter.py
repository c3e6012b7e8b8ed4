"""Any libcloud driver behind the port: found again by token, believed after a second look, honest about its limits."""

import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.checks import run_checks
from django.test import override_settings
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import Node as VendorNode
from libcloud.compute.base import NodeAuthSSHKey, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

from panel.core.errors import ProviderError
from servers.providers import NodeSpec, Size, libcloud_adapter, simulated
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.rules import Power

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBu me@home"


class Cloud(NodeDriver):
    """A driver with the habits of real ones: power verbs under other names, metadata, answers before the deed, lies."""

    name = "Habits"
    features = {"create_node": ["ssh_key"]}

    def __init__(self) -> None:
        self.nodes: dict[str, VendorNode] = {}
        self.made = 0
        self.calls: list[str] = []
        self.error: Exception | None = None

    def list_nodes(self) -> list[VendorNode]:
        if self.error:
            raise self.error
        for node in self.nodes.values():
            if node.state == NodeState.PENDING:
                node.state = NodeState.RUNNING
                break
        return list(self.nodes.values())

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        return [NodeSize("s-1", "Small", 1024, 20, 0, 0.0, self)]

    def list_images(self, location: NodeLocation | None = None) -> list[NodeImage]:
        return [NodeImage("img-9", "Debian 13", self)]

    def create_node(  # type: ignore[override]
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: NodeAuthSSHKey | None = None,
        ex_metadata: dict[str, str] | None = None,
    ) -> VendorNode:
        self.made += 1
        self.calls.append(f"create {name} {size.id} {image.id} {auth.pubkey if auth else ''}".strip())
        extra = {"metadata": ex_metadata}
        node = VendorNode(str(self.made), name, NodeState.PENDING, ["203.0.113.7"], [], self, extra=extra)
        self.nodes[str(node.id)] = node
        return node

    def reboot_node(self, node: VendorNode) -> bool:
        self.calls.append("reboot")
        return False

    def ex_power_on_node(self, node: VendorNode) -> bool:
        self.calls.append("on")
        self.nodes[str(node.id)].state = NodeState.RUNNING
        return False

    def ex_shutdown_node(self, node: VendorNode) -> bool:
        self.calls.append("off")
        self.nodes[str(node.id)].state = NodeState.STOPPED
        return True

    def destroy_node(self, node: VendorNode) -> bool:
        self.nodes[str(node.id)].state = NodeState.TERMINATED
        return True


class Plain(Cloud):
    """The same without metadata."""

    def create_node(  # type: ignore[override]
        self, name: str, size: NodeSize, image: NodeImage, auth: NodeAuthSSHKey | None = None
    ) -> VendorNode:
        return super().create_node(name, size, image, auth=auth)


CONFIG = {"label": "Habits", "sizes": {"vps-s": "s-1"}, "images": {"debian-13": "img-9"}}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LibcloudProvider, "patience", 0.05)
    monkeypatch.setattr(LibcloudProvider, "pause", 0.001)


@pytest.fixture
def cloud() -> LibcloudProvider:
    return LibcloudProvider("habits-1", Cloud(), CONFIG)


def spec(token: str = "op-7", **other: Any) -> NodeSpec:  # noqa: S107
    values = {"keys": (KEY,)} | other
    return NodeSpec(token, "web", "debian-13", Size("vps-s", 1, 1024, 20), "habits-1", **values)


def test_a_second_creation_finds_the_first_by_its_token(cloud: LibcloudProvider) -> None:
    first = cloud.create(spec())
    assert (first.token, first.power, first.addresses) == ("op-7", Power.ON, ("203.0.113.7",))
    assert cloud.create(spec()).ref == first.ref
    assert cloud.create(spec("op-8")).ref != first.ref
    assert cloud.driver.calls == [f"create web s-1 img-9 {KEY}"] * 2  # type: ignore[attr-defined]


def test_power_verbs_are_found_under_other_names_and_done_once(cloud: LibcloudProvider) -> None:
    ref = cloud.create(spec(keys=())).ref
    assert cloud.capabilities.start_stop
    for verb, power in (
        (cloud.stop, Power.OFF),
        (cloud.stop, Power.OFF),
        (cloud.start, Power.ON),
        (cloud.start, Power.ON),
    ):
        assert verb(ref).power is power
    assert cloud.driver.calls[1:] == ["off", "on"]  # type: ignore[attr-defined]
    assert cloud.reboot(ref).power is Power.ON, "the driver said False; the machine says otherwise"


def test_what_a_driver_cannot_do_is_told_beforehand_and_refused_for_good(cloud: LibcloudProvider) -> None:
    ref, can = cloud.create(spec()).ref, cloud.capabilities
    assert (can.soft_stop, can.rename, can.rebuild, can.rescue) == (True, False, False, False)
    for refused in (
        lambda: cloud.rename(ref, "shop"),
        lambda: cloud.rebuild(ref, spec(), "one"),
        lambda: cloud.rescue(ref, (KEY,)),
        lambda: cloud.leave_rescue(ref),
    ):
        with pytest.raises(ProviderError) as error:
            refused()
        assert (error.value.code, error.value.permanent) == ("not_supported", True)


def test_a_machine_is_asked_to_shut_down_only_while_it_is_on(cloud: LibcloudProvider) -> None:
    ref = cloud.create(spec(keys=())).ref
    for _ in range(2):
        cloud.shut_down(ref)
    assert cloud.driver.calls[1:] == ["off"]  # type: ignore[attr-defined]


def test_a_new_name_keeps_the_mark_that_the_machine_is_found_by() -> None:
    class Renames(Plain):
        def ex_rename_node(self, node: VendorNode, name: str) -> bool:
            self.nodes[str(node.id)].name = name
            return False

    cloud = LibcloudProvider("habits-1", Renames(), CONFIG)
    made = cloud.create(spec())
    cloud.rename(made.ref, "shop")
    found = cloud.find("op-7")
    assert found is not None
    assert (found.ref, found.name.startswith("shop--")) == (made.ref, True)


def test_a_destroyed_machine_that_stays_listed_is_gone(cloud: LibcloudProvider) -> None:
    ref = cloud.create(spec()).ref
    cloud.destroy(ref)
    cloud.destroy(ref)
    assert cloud.find("op-7") is None
    assert cloud.create(spec()).ref != ref
    with pytest.raises(ProviderError) as gone:
        cloud.start(ref)
    assert (gone.value.code, gone.value.permanent) == ("not_found", True)


def test_a_verb_without_effect_is_not_believed(cloud: LibcloudProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    ref = cloud.create(spec()).ref
    monkeypatch.setattr(Cloud, "ex_shutdown_node", lambda self, node: True)
    with pytest.raises(ProviderError, match="the place says on") as unconfirmed:
        cloud.stop(ref)
    assert (unconfirmed.value.code, unconfirmed.value.permanent) == ("not_confirmed", False)


@pytest.mark.parametrize(
    ("error", "permanent", "code"),
    [
        (BaseHTTPError(400, "no such flavour"), True, "refused"),
        (BaseHTTPError(429, "slow down"), False, "too_many"),
        (BaseHTTPError(503, ""), False, "unavailable"),
        (InvalidCredsError("no"), True, "credentials"),
        (ConnectionResetError("gone"), False, "unreachable"),
        (KeyError("server"), False, "failed"),
        (NotImplementedError(), True, "not_supported"),  # what libcloud raises where a driver lacks a method
    ],
)
def test_every_failure_is_one_error_that_says_whether_to_ask_again(
    cloud: LibcloudProvider, error: Exception, permanent: bool, code: str
) -> None:
    cloud.driver.error = error  # type: ignore[attr-defined]
    with pytest.raises(ProviderError) as failed:
        cloud.list()
    assert (failed.value.permanent, failed.value.code) == (permanent, code)


SECRET = "/?Action=RunInstances&UserData=c2VjcmV0&Signature=c2VjcmV0"


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError(f"Max retries exceeded with url: {SECRET} (Caused by NewConnectionError('refused'))"),
        requests.ReadTimeout(f"http://ec2{SECRET}"), requests.TooManyRedirects(f"more than 30: 'https://ec2{SECRET}'"),
        OSError(f"url: {SECRET}"), LibcloudError(f"no answer of http://ec2{SECRET} at all"), ValueError(SECRET),
        MalformedResponseError(f"not XML: http://ec2{SECRET}"), BaseHTTPError(500, f"at http://ec2{SECRET} it failed"),
        BaseHTTPError(403, SECRET), BaseHTTPError(400, str({"error": f"http://ec2{SECRET}"})),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_no_failure_repeats_what_was_asked(cloud: LibcloudProvider, error: Exception) -> None:
    cloud.driver.error = error  # type: ignore[attr-defined]
    with pytest.raises(ProviderError) as failed:
        cloud.list()
    told = "".join(traceback.format_exception(failed.value)) + str(failed.value)
    assert "c2VjcmV0" not in told


def test_what_cannot_be_met_is_refused_before_anything_is_made(cloud: LibcloudProvider) -> None:
    for wrong in (
        spec(keys=(KEY, f"{KEY}2")),
        spec(first_boot="reboot"),
        NodeSpec("t", "n", "plan9", Size("vps-s", 1, 1, 1), "p"),
    ):
        with pytest.raises(ProviderError) as refused:
            cloud.create(wrong)
        assert refused.value.permanent
    assert cloud.driver.calls == []  # type: ignore[attr-defined]
    with pytest.raises(ProviderError, match="Habits does not support: block an address"):
        cloud.block_address("1", "203.0.113.7")
    assert not cloud.capabilities.block_address


def test_without_metadata_the_tokens_mark_stands_in_the_name() -> None:
    cloud = LibcloudProvider("plain-1", Plain(), CONFIG)
    made = cloud.create(spec("Op 9:x"))
    assert made.name == f"web--{libcloud_adapter.mark('Op 9:x')}"
    assert made.token == "Op 9:x"
    assert cloud.find("Op 9:x") == made
    assert cloud.create(spec("Op 9:x")).ref == made.ref
    assert cloud.find("op-9-x") is None


class Images(Cloud):
    """A driver that makes images of machines, late, and rebuilds machines from them, as OpenStack does."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[NodeImage] = []
        self.lost = False

    def list_images(  # type: ignore[override]
        self, location: NodeLocation | None = None, ex_only_active: bool = True
    ) -> list[NodeImage]:
        shown = [
            NodeImage(image.id, image.name, self, extra=dict(image.extra))
            for image in self.images if not ex_only_active or image.extra["status"] == "ACTIVE"
        ]  # fmt: skip
        for image in self.images:
            image.extra["status"] = "ACTIVE"
        return [*super().list_images(location), *shown]

    def create_image(self, node: VendorNode, name: str, metadata: dict[str, str] | None = None) -> None:  # type: ignore[override]
        self.calls.append(f"image of {node.id}")
        number = len(self.calls)
        self.images.append(NodeImage(f"img-{number}", name, self, extra={"status": "SAVING", "minDisk": 20}))
        if self.lost:
            raise ConnectionResetError("no answer")

    def delete_image(self, node_image: NodeImage) -> bool:
        self.images = [image for image in self.images if image.id != node_image.id]
        return False

    def ex_rebuild(self, node: VendorNode, image: NodeImage, **kwargs: Any) -> bool:
        self.calls.append(f"rebuild {node.id} {image.id} {kwargs['name']}")
        self.nodes[str(node.id)].extra = {"metadata": kwargs["ex_metadata"]}
        return False


def test_an_image_of_a_machine_is_its_snapshot_once_for_a_token() -> None:
    driver = Images()
    cloud = LibcloudProvider("habits-1", driver, CONFIG)
    assert (cloud.capabilities.snapshots, cloud.capabilities.restore) == (True, True)
    ref = cloud.create(spec(keys=())).ref
    driver.lost = True
    with pytest.raises(ProviderError) as unknown:
        cloud.snapshot(ref, "copy:1")
    assert not unknown.value.permanent
    there = cloud.snapshot(ref, "copy:1")
    assert (there.token, there.ready) == (libcloud_adapter.mark("copy:1"), False)
    assert driver.calls.count(f"image of {ref}") == 1, "the retry found the first one"
    assert cloud.find_snapshot("copy:1") == replace(there, ready=True)
    assert [one.ref for one in cloud.snapshots()] == [there.ref]
    for _ in range(2):
        cloud.delete_snapshot(there.ref)
    assert cloud.snapshots() == []


def test_a_restore_is_marked_in_the_call_that_does_it(cloud: LibcloudProvider) -> None:
    driver = Images()
    place = LibcloudProvider("habits-1", driver, CONFIG)
    node = place.create(spec(keys=()))
    taken = place.snapshot(node.ref, "copy:1")
    place.find_snapshot("copy:1")
    for _ in range(2):
        back = place.restore(node.ref, taken.ref, "one")
        assert (back.build, back.token) == ("one", "op-7")
    assert [call for call in driver.calls if "rebuild" in call] == [f"rebuild {node.ref} {taken.ref} web"]
    other = place.create(spec("op-8", keys=(), snapshot=taken.ref))
    assert driver.calls[-1] == f"create web s-1 {taken.ref}"
    assert other.ref != node.ref
    with pytest.raises(ProviderError, match="no snapshot") as gone:
        place.restore(node.ref, "img-9-gone", "two")
    assert gone.value.permanent
    assert not cloud.capabilities.snapshots
    for refused in (
        lambda: cloud.snapshot(node.ref, "copy:1"), cloud.snapshots, lambda: cloud.restore("1", "x", "one"),
        lambda: cloud.delete_snapshot("x"),
    ):  # fmt: skip
        with pytest.raises(ProviderError) as error:
            refused()
        assert (error.value.code, error.value.permanent) == ("not_supported", True)


def test_what_real_drivers_can_copy_is_read_from_them() -> None:
    """OpenStack both, EC2 and DigitalOcean without the way back; Linode copies disks and not machines."""
    from libcloud.compute.drivers.digitalocean import DigitalOcean_v2_NodeDriver
    from libcloud.compute.drivers.ec2 import EC2NodeDriver
    from libcloud.compute.drivers.linode import LinodeNodeDriverV4
    from libcloud.compute.drivers.openstack import OpenStack_2_NodeDriver
    from libcloud.compute.drivers.vultr import VultrNodeDriverV2

    found = {}
    for driver in (OpenStack_2_NodeDriver, EC2NodeDriver, DigitalOcean_v2_NodeDriver, LinodeNodeDriverV4,
                   VultrNodeDriverV2):  # fmt: skip
        can = LibcloudProvider("x", object.__new__(driver), {}).capabilities
        found[driver.__name__.partition("NodeDriver")[0]] = (can.snapshots, can.restore)
    assert found == {
        "OpenStack_2_": (True, True), "EC2": (True, False), "DigitalOcean_v2_": (True, False), "Linode": (False, False),
        "Vultr": (False, False),
    }  # fmt: skip


def test_libclouds_own_test_driver_by_configuration() -> None:
    """No power verbs: said so. A reboot that never ends: not confirmed."""
    config = {"provider": "libcloud", "driver": "dummy", "arguments": {"creds": "0"}}
    cloud = libcloud_adapter.connect("dummy-1", config)
    first, second = cloud.list()
    assert cloud.capabilities.label == "Dummy Node Provider"
    assert not cloud.capabilities.start_stop
    with pytest.raises(ProviderError, match="does not support: stop"):
        cloud.stop(first.ref)
    with pytest.raises(ProviderError, match="place says pending"):
        cloud.reboot(first.ref)
    cloud.destroy(second.ref)
    assert [node.ref for node in cloud.list()] == [first.ref]


def test_a_driver_that_does_not_exist_is_a_matter_of_configuration() -> None:
    with pytest.raises(ProviderError, match="'nowhere' cannot be made") as wrong:
        libcloud_adapter.connect("x", {"driver": "nowhere"})
    assert (wrong.value.permanent, wrong.value.code) == (True, "configuration")


def test_the_first_boot_of_a_cloud_image_keeps_keys_and_script_apart() -> None:
    text = libcloud_adapter.first_boot_script(spec(first_boot="echo 'KEYS'\n"))
    assert KEY in text.splitlines()
    assert text.index(KEY) < text.index("echo 'KEYS'")


def test_a_place_that_cannot_cut_off_an_address_is_warned_of(tmp_path: Path) -> None:
    """Without it ABU-3 ends in the staff's queue; the operator should know before the first case."""
    paris = {"provider": "libcloud", "label": "Paris", "driver": "openstack", "arguments": {"key": "k"}}
    here = {"provider": "simulated", "label": "Here"}
    with override_settings(CLAUSE_PLACES={"paris": paris, "sim": here}):
        warned = [message for message in run_checks() if message.id == "servers.W001"]
    (warning,) = warned
    assert "'paris' (libcloud)" in warning.msg
    able = simulated.connect("sim", {"file": str(tmp_path / "sim.sqlite3")}).capabilities.block_address
    assert [able, LibcloudProvider("paris", Cloud(), {}).capabilities.block_address] == [True, False]
