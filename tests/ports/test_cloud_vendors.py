"""Real vendors' drivers behind the port, against their vendors' own HTTP: the same promises, on good days and bad."""

import base64
import traceback
from collections.abc import Iterator
from dataclasses import replace

import pytest

from panel.core.errors import Failure, ProviderError
from servers.providers import Node
from servers.providers.libcloud_adapter import LibcloudProvider
from servers.rules import Power
from tests.support.vendors.stages import KEY, LARGE, SLOW, STAGES, Stage, stage
from tests.support.vendors.wire import Answer

SCRIPT = "export PASSWORD=h0rse-batt3ry"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LibcloudProvider, "patience", 0.3)
    monkeypatch.setattr(LibcloudProvider, "pause", 0.001)


@pytest.fixture(params=sorted(STAGES))
def far(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with stage(request.param) as found:
        yield found


def made(far: Stage, token: str = "SUB-1") -> Node:  # noqa: S107
    """A machine that is on and has its address."""
    far.cloud.create(far.spec(token))
    for _ in range(10):
        if (node := far.cloud.find(token)) is not None and node.power is Power.ON and node.addresses:
            return node
    raise AssertionError(node)


def test_the_same_token_is_the_same_machine_on_whatever_page(far: Stage) -> None:
    first = made(far)
    others = [made(far, f"SUB-{number}") for number in range(2, 6)]
    assert far.cloud.create(far.spec()).ref == first.ref
    assert far.cloud.find("SUB-1") == replace(first, power=Power.ON)
    assert {node.ref for node in far.cloud.list()} >= {first.ref, *(node.ref for node in others)}
    assert len(far.machines()) == 5
    assert (first.name, first.size, first.token) == ("web-1", "vps-s", "SUB-1")
    assert far.cloud.find("SUB-9") is None


def test_a_lost_machine_is_made_anew_under_its_token(far: Stage) -> None:
    lost, other = made(far), made(far, "SUB-10")
    far.cloud.destroy(lost.ref)
    anew = far.cloud.create(far.spec(turn=2))
    assert anew.ref not in (lost.ref, other.ref)
    assert far.cloud.create(far.spec(turn=2)).ref == anew.ref
    found = far.cloud.find("SUB-1")
    assert found is not None
    assert (found.ref, found.token) == (anew.ref, "SUB-1")
    far.cloud.destroy(anew.ref)
    assert far.cloud.create(far.spec(turn=3)).ref not in (lost.ref, anew.ref)
    assert len(far.machines()) == 2


def test_power_name_and_the_end_are_read_back(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    for verb, power in ((cloud.stop, Power.OFF), (cloud.start, Power.ON), (cloud.reboot, Power.ON)):
        assert verb(node.ref).power is power
    for _ in range(2):
        cloud.rename(node.ref, "shop-2")
    found = cloud.get(node.ref)
    assert found is not None
    assert (found.name, found.token[:3] != "") == ("shop-2", True)
    assert cloud.find("SUB-1") is not None
    for _ in range(2):
        cloud.destroy(node.ref)
    assert cloud.find("SUB-1") is None
    for verb in (cloud.start, cloud.stop, cloud.reboot):
        with pytest.raises(ProviderError) as gone:
            verb(node.ref)
        assert (gone.value.permanent, gone.value.code) == (True, "not_found")


def test_a_machine_that_is_asked_to_shut_down_does_or_the_place_says_that_it_cannot_ask(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    if not cloud.capabilities.soft_stop:
        with pytest.raises(ProviderError, match="does not support"):
            cloud.shut_down(node.ref)
        return
    cloud.shut_down(node.ref)
    for _ in range(10):
        if (found := cloud.get(node.ref)) is not None and found.power is Power.OFF:
            break
    cloud.shut_down(node.ref)
    assert cloud.start(node.ref).power is Power.ON


def test_another_size_is_given_once(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    assert cloud.capabilities.resize
    for _ in range(2):
        grown = cloud.resize(node.ref, LARGE)
        assert (grown.ref, grown.size, grown.power) == (node.ref, "vps-m", Power.ON)


def test_a_copy_is_taken_once_and_a_new_machine_can_begin_as_one(far: Stage) -> None:
    node, cloud = made(far), far.cloud
    assert cloud.capabilities.snapshots
    first = cloud.snapshot(node.ref, "copy:1")
    for _ in range(10):
        if (there := cloud.find_snapshot("copy:1")) is not None and there.ready:
            break
    assert there is not None
    assert cloud.snapshot(node.ref, "copy:1").ref == first.ref == there.ref
    assert [one.ref for one in cloud.snapshots()] == [first.ref]
    other = cloud.create(far.spec("SUB-2", snapshot=first.ref))
    assert other.ref != node.ref
    for _ in range(2):
        cloud.delete_snapshot(first.ref)
    assert cloud.snapshots() == []
    with pytest.raises(ProviderError, match="no snapshot"):
        cloud.create(far.spec("SUB-3", snapshot=first.ref))


def test_keys_and_the_first_boot_go_with_the_order(far: Stage) -> None:
    assert far.cloud.capabilities.first_boot
    far.cloud.create(far.spec(first_boot="echo hello"))
    (machine,) = far.machines()
    told = _plain(machine.get("user_data") or far.vendor.inside[machine["id"]]["user_data"])
    assert KEY in told
    assert "echo hello" in told


def _plain(text: str) -> str:
    return text if text.startswith("#!") else base64.b64decode(text).decode()


# ---------------------------------------------------------------- bad days


def test_an_answer_lost_after_the_create_is_an_unknown_outcome_and_the_retry_finds_the_first(far: Stage) -> None:
    far.vendor.loses(*far.creating)
    with pytest.raises(ProviderError) as lost:
        far.cloud.create(far.spec())
    assert (lost.value.kind, lost.value.code) == (Failure.UNKNOWN, "unreachable")
    found = far.cloud.create(far.spec())
    assert [str(machine["id"]) for machine in far.machines()] == [found.ref]


def test_what_boots_first_and_what_a_request_is_signed_with_are_in_no_error(far: Stage) -> None:
    far.vendor.loses(*far.creating)
    with pytest.raises(ProviderError) as lost:
        far.cloud.create(far.spec(first_boot=SCRIPT))
    told = "".join(traceback.format_exception(lost.value))
    assert "batt3ry" not in told
    for part in ("UserData", "user_data", "AWSAccessKeyId", "Signature", "?", *_pieces(SCRIPT)):
        assert part not in str(lost.value)
    assert "ConnectionError" in str(lost.value), "what went wrong is said"


def _pieces(text: str) -> list[str]:
    """What cannot be missing from its Base64 wherever it begins."""
    return [base64.b64encode(b" " * before + text.encode()).decode()[8:-8] for before in range(3)]


def test_a_machine_that_went_while_it_was_being_removed_is_gone(far: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    node, cloud = made(far), far.cloud
    stale = cloud._vendor(node.ref)
    cloud.destroy(node.ref)
    looks = iter([stale])
    real = cloud._vendor
    monkeypatch.setattr(cloud, "_vendor", lambda ref: next(looks, None) or real(ref))
    cloud.destroy(node.ref)
    assert cloud.find("SUB-1") is None


@pytest.mark.parametrize("body", [{"message": "boom", "error": "boom"}, "<html>Bad Gateway</html>"])
def test_a_broken_place_is_asked_again_and_what_it_did_meanwhile_is_not_known(far: Stage, body: object) -> None:
    far.vendor.answers(*far.creating, Answer(502, body))
    with pytest.raises(ProviderError) as broken:
        far.cloud.create(far.spec())
    assert (broken.value.kind, broken.value.code) == (Failure.UNKNOWN, "unavailable")
    far.vendor.answers("GET", "", Answer(500, body))
    with pytest.raises(ProviderError) as silent:
        far.cloud.list()
    assert (silent.value.kind, silent.value.code) == (Failure.RETRY, "unavailable")


def test_whoever_asks_too_often_waits_as_long_as_told(far: Stage) -> None:
    slow = far.error(429, "Too many requests")
    far.vendor.answers(*far.creating, replace(slow, headers={"Retry-After": "137"}))
    with pytest.raises(ProviderError) as told:
        far.cloud.create(far.spec())
    assert (told.value.kind, told.value.wait, told.value.code) == (Failure.WAIT, 137, "too_many")
    assert far.machines() == []


def test_a_place_without_room_is_asked_again_later_and_nothing_was_made(far: Stage) -> None:
    far.vendor.full = True
    with pytest.raises(ProviderError) as full:
        far.cloud.create(far.spec())
    assert (full.value.code, full.value.permanent, full.value.unknown) == ("out_of_capacity", False, False)
    far.vendor.full = False
    assert far.cloud.create(far.spec()).name == "web-1"


def test_wrong_credentials_are_permanent(far: Stage) -> None:
    far.vendor.answers("GET", "", far.error(401, "Unable to authenticate you"))
    with pytest.raises(ProviderError) as refused:
        far.cloud.list()
    assert (refused.value.kind, refused.value.code) == (Failure.PERMANENT, "credentials")


def test_what_the_place_refuses_for_good_is_not_asked_again(far: Stage) -> None:
    far.vendor.answers(*far.creating, far.error(400, "image and plan do not match"))
    with pytest.raises(ProviderError) as refused:
        far.cloud.create(far.spec())
    assert (refused.value.kind, refused.value.code) == (Failure.PERMANENT, "refused")


@pytest.mark.parametrize("name", sorted(STAGES))
def test_a_new_machine_that_does_not_show_yet_is_waited_for(name: str) -> None:
    with stage(name, lag=4) as far:
        assert far.cloud.create(far.spec()).name == "web-1"
        assert len(far.machines()) == 1
        assert far.cloud.capabilities.lag > 0


@pytest.mark.parametrize("name", sorted(SLOW))
def test_what_takes_long_is_not_confirmed_and_done_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with stage(name) as far:
        node = made(far)
        far.vendor.slow = 40
        monkeypatch.setattr(LibcloudProvider, "patience", 0.005)
        with pytest.raises(ProviderError) as late:
            far.cloud.resize(node.ref, LARGE)
        assert (late.value.kind, late.value.code) == (Failure.UNKNOWN, "not_confirmed")
        monkeypatch.setattr(LibcloudProvider, "patience", 3.0)
        if far.config["driver"] == "digitalocean":
            with pytest.raises(ProviderError, match="pending event") as busy:
                far.cloud.resize(node.ref, LARGE)
            assert (busy.value.kind, busy.value.code) == (Failure.RETRY, "busy")
        for _look in range(40):
            far.cloud.get(node.ref)
        grown = far.cloud.resize(node.ref, LARGE)
        assert (grown.size, grown.power) == ("vps-m", Power.ON)


def test_a_machine_of_another_size_is_told_as_it_is(far: Stage) -> None:
    far.vendor.another_size = far.config["sizes"]["vps-m"]
    node = far.cloud.create(far.spec())
    assert node.size == "vps-m", "the panel asked for vps-s, and sees that it got something else"


def test_two_accounts_at_once_do_not_see_each_others_machines() -> None:
    with stage("digitalocean", "far-1") as one, stage("vultr", "far-2") as other:
        first, second = one.cloud.create(one.spec()), other.cloud.create(other.spec())
        assert first.ref != second.ref
        assert [node.ref for node in one.cloud.list()] == [first.ref]
        assert [node.ref for node in other.cloud.list()] == [second.ref]
        assert (first.place, second.place) == ("far-1", "far-2")
