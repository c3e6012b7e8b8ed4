"""As a customer I enter my servers with my own keys: at creation, afterwards, and no longer once removed (SRV-2)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from panel.core.errors import RuleViolation
from servers import keys
from servers.models import KeyOnServer, SshKey
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


def line(private: object = None, comment: str = "laptop") -> str:
    key = private or ed25519.Ed25519PrivateKey.generate()
    return f"{key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}"  # type: ignore[attr-defined]


def add(world: World, who: Customer, text: str, *servers: object) -> SshKey:
    return keys.add(who.account, name="", public_key=text, servers=servers, actor=who.actor, now=world.now)  # type: ignore[arg-type]


def test_a_key_chosen_with_the_order_is_on_the_machine_from_the_start(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    text = line()
    key = add(world, alice, text)
    server = server_of(world, alice, keys=[key.pk])
    assert cloud.keys(server.provider_ref) == {" ".join(text.split()[:2])}
    assert KeyOnServer.objects.get().installed_at is not None


def test_a_key_is_put_on_a_running_server_and_taken_off_when_removed(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    key = add(world, alice, line(), server)
    cloud.plan("add_key", "lost")
    world.work()
    world.advance(minutes=1)
    assert len(cloud.keys(server.provider_ref)) == 1
    assert KeyOnServer.objects.get().installed_at is not None
    keys.remove(key, actor=alice.actor, now=world.now)
    keys.remove(key, actor=alice.actor, now=world.now)
    world.work()
    assert cloud.keys(server.provider_ref) == set()


def test_changing_ones_mind_ends_with_the_last_wish(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    server = server_of(world, alice)
    key = add(world, alice, line())
    for wish in (keys.put_on, keys.take_off, keys.put_on, keys.put_on, keys.take_off):
        wish(key, server, now=world.now)
    world.work()
    assert cloud.keys(server.provider_ref) == set()
    keys.put_on(key, server, now=world.now)
    world.work()
    assert len(cloud.keys(server.provider_ref)) == 1


def test_another_accounts_key_never_gets_on_a_server(cloud: Control) -> None:
    world = World()
    alice, bob = world.customer(), world.customer("Bob")
    key = add(world, bob, line())
    server = server_of(world, alice, keys=[key.pk])
    assert cloud.keys(server.provider_ref) == set()
    with pytest.raises(ValueError, match="own account"):
        keys.put_on(key, server, now=world.now)


def test_the_same_key_is_refused_twice_but_may_come_back_after_its_removal(cloud: Control) -> None:
    world = World()
    alice = world.customer()
    text = line()
    key = add(world, alice, text)
    with pytest.raises(RuleViolation, match="already"):
        add(world, alice, text)
    keys.remove(key, actor=alice.actor, now=world.now)
    assert add(world, alice, text).pk != key.pk


@pytest.mark.parametrize("make", [ed25519.Ed25519PrivateKey.generate, lambda: ec.generate_private_key(ec.SECP256R1()),
                                  lambda: rsa.generate_private_key(65537, 2048)])  # fmt: skip
def test_usual_kinds_are_taken(make) -> None:  # type: ignore[no-untyped-def]
    parsed = keys.parse(line(make(), "a comment of mine"))
    assert parsed.fingerprint.startswith("SHA256:")
    assert parsed.comment == "a comment of mine"


good = line()


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", good + "\n" + good,
        good.replace("ssh-ed25519", "ssh-rsa"),
        good.replace("ssh-ed25519", "ssh-dss"), "ssh-ed25519 !!!! me", good[:40], "ssh-ed25519 " + "A" * 20_000,
        'command="rm" ' + good, line(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - that is the point
    ],
    ids=[
        "nothing", "a word", "a private key", "two keys", "another kind named", "an old kind named", "no base64",
        "cut short", "far too long", "with options", "too weak",
    ],
)  # fmt: skip
def test_what_is_no_good_key_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        keys.parse(text)
    assert refused.value.field == "public_key"
