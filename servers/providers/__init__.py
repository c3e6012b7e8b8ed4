"""The port to whoever runs the machines, in our words (SRV-1, SRV-3, SRV-4).

`get("local-1")` gives the adapter of a place named in `settings.CLAUSE_PLACES`; only Operation handlers and samplers
call it, never code inside a transaction. Each adapter module offers `connect(place, config) -> CloudProvider`:

- `simulated`: machines that exist in the database alone, labelled so wherever they show;
- `local_adapter`: real hosts on this Linux machine (`servers.providers.local`);
- `libcloud_adapter`: any libcloud compute driver, as far as that driver goes.

Every method raises `ProviderError` when the place fails or refuses; `permanent=True` says that asking again is useless,
`code` says why in one word ("not_supported", "not_found", "refused", "unreachable", "not_confirmed", ...), `wait` for
how long the place wants to be left alone, and `unknown=True` that it may have done what it was asked. A verb returns
only once its effect has been read back from the place, and asking for what is already so is not an error.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

from django.conf import settings
from django.core import checks

from panel.core.errors import ProviderError
from servers.networking.firewall_rules import MOST_RULES, Policy
from servers.rules import Power
from servers.watching.vitals_rules import Reading


@dataclass(frozen=True, slots=True)
class Size:
    """What a package promises. `code` is the package's; adapters map it to the place's own name for it."""

    code: str
    vcpu: int
    memory_mb: int
    disk_gb: int


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A machine to be made. `token` is our idempotency key: the same token never makes a second machine (SRV-1)."""

    token: str
    name: str
    image: str
    size: Size
    place: str
    address: str = ""
    """The address the panel reserved for it (SRV-3); empty where the place gives its own."""
    keys: tuple[str, ...] = ()
    """Public keys in OpenSSH's one-line form, allowed to log in as root (SRV-2)."""
    first_boot: str = ""
    """A shell script run once, as root, at the first start; empty for none."""
    snapshot: str = ""
    """The place's name of the snapshot its disk begins as, in place of `image`; empty for none."""
    turn: int = 1
    """Which machine of the token it is: each that was lost and is made anew counts."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine as the place reports it now."""

    ref: str
    """The place's own name for it; every other verb takes this."""
    token: str
    """The idempotency key it was made under, or the key's `mark`; empty where it was not made by us."""
    name: str
    power: Power
    place: str
    addresses: tuple[str, ...] = ()
    size: str = ""
    """The code of its size; empty where the place does not tell."""
    build: str = ""
    """The mark of its last rebuild or restore; empty where there was none."""
    rescue: bool = False
    """Whether it runs a rescue system and not its own disk."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a machine's disk as the place reports it now. It stays when its machine goes."""

    ref: str
    token: str
    """What it was taken under, or the token's `mark`; empty where it was not taken by us."""
    ready: bool
    """Whether it is whole; until then nothing can be made of it."""
    size_bytes: int = 0
    """What it takes up; 0 where the place does not tell."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Cumulative bytes of Ethernet frames, read at the host's side of the machine's interface (SRV-4).

    Within one `epoch` they only grow; another epoch means that counting began anew, at zero.
    `rx` is into the machine, `tx` out of it.
    """

    epoch: str
    rx_bytes: int
    tx_bytes: int
    at: datetime
    link_bps: int = 10_000_000_000
    """The fastest the interface can be, for the plausibility check (bits per second)."""
    width: int = 64
    """Bits of the counter: 32 means that it wraps."""
    from_zero: bool = True
    """Whether the interface was made by us at zero, so that the first reading of it is traffic and not a baseline."""


@dataclass(frozen=True, slots=True)
class Filtering:
    """Which firewall rules a place can carry out for a machine."""

    outgoing: bool = True
    drops: bool = True
    """A rule can drop, and the default can be to accept; False: only what a rule accepts comes in."""
    most: int = MOST_RULES


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the adapter can do; a verb behind a False raises ProviderError(permanent=True, code="not_supported")."""

    label: str
    """How the place is called on pages."""
    simulated: bool = False
    """True: nothing real stands behind it, and every page that shows it says so."""
    start_stop: bool = False
    soft_stop: bool = False
    """A machine can be asked to shut down, and not only cut off from its power."""
    reboot: bool = False
    rename: bool = False
    rebuild: bool = False
    rescue: bool = False
    rescue_keys: bool = True
    """A rescue system lets in whatever keys it is given; False: only those of the last build, whatever it is given."""
    block_address: bool = False
    counters: bool = False
    vitals: bool = False
    """How a machine does (processor, memory, disk) can be read from its host's side."""
    host_key: bool = False
    keys: bool = False
    """Keys can be added and removed from the place's side after creation."""
    first_boot: bool = False
    extra_addresses: bool = False
    """Further addresses can be attached to a machine and detached from it (SRV-3)."""
    ipv6: bool = False
    """Such an address can be one of IPv6."""
    any_block: bool = False
    """The place routes whatever block it is told: staff can add blocks of addresses."""
    resize: bool = False
    """A machine can be given another size; its disk only grows."""
    snapshots: bool = False
    """Disks can be copied while their machine runs, and new machines made of a copy (SUB-14)."""
    restore: bool = False
    """A machine can get the disk of a snapshot and stay what it is."""
    firewall: Filtering | None = None
    """Packets of a machine are filtered by rules; None: they are not."""
    counters_at_once: bool = False
    """The counters of many machines are told in one call; else each is asked by itself."""
    firewalls_at_once: bool = False
    """The policies in force of many machines are told in one call."""
    chooses_address: bool = False
    """True: the place gives the address itself and `NodeSpec.address` stays empty."""
    lag: int = 0
    """Seconds after which a machine that was asked for shows in `find` for sure; before, that it does not show says
    nothing."""


class CloudProvider(Protocol):
    """One place where machines run."""

    @property
    def capabilities(self) -> Capabilities: ...

    def create(self, spec: NodeSpec) -> Node:
        """Make the machine, or return the one that `spec.token` made before (finishing it if it was left half made)."""

    def find(self, token: str) -> Node | None:
        """The machine made under `token`, also a half-made one (power PENDING); None when there is none."""

    def get(self, ref: str) -> Node | None:
        """The machine `ref` as it is now; None when it does not exist."""

    def list(self) -> list[Node]:
        """Every machine of the place, ours or not."""

    def start(self, ref: str) -> Node: ...

    def stop(self, ref: str) -> Node:
        """Cut the power, without asking the machine."""

    def shut_down(self, ref: str) -> None:
        """Ask the machine to end by itself; `capabilities.soft_stop`. Whether it did shows in `get`, later."""

    def reboot(self, ref: str) -> Node: ...

    def destroy(self, ref: str) -> None:
        """Remove the machine with its disk and blocks; a machine that is gone already is fine."""

    def resize(self, ref: str, size: Size) -> Node:
        """Give the machine another size, restarting it when it is on; `capabilities.resize`. Nobody may ask for a
        smaller disk."""

    def rename(self, ref: str, name: str) -> None:
        """Call the machine `name`, inside too as far as the place reaches there; `capabilities.rename`."""

    def rebuild(self, ref: str, spec: NodeSpec, mark: str) -> Node:
        """Replace the disk by a new one of `spec.image`, with `spec.keys` and `spec.first_boot`; addresses, blocks and
        size stay, the machine has another host key and is on. Once per `mark`; `capabilities.rebuild`."""

    def rescue(self, ref: str, keys: tuple[str, ...]) -> Node:
        """Restart the machine into a rescue system that lets `keys` in and has its disk below /mnt, and so again at
        each start until `leave_rescue`; `capabilities.rescue`. The rescue system has a host key of its own."""

    def leave_rescue(self, ref: str) -> Node:
        """Restart the machine from its own disk; one that is not in rescue is left alone."""

    def snapshot(self, ref: str, token: str) -> Snapshot:
        """Copy the machine's disk as it is now, or give the copy that `token` made before, whole or not yet;
        `capabilities.snapshots`. The machine goes on meanwhile; what its programs have not written yet is not in it."""

    def find_snapshot(self, token: str) -> Snapshot | None:
        """The copy made under `token`, also an unfinished one; the first where the place made several."""

    def snapshots(self) -> Sequence[Snapshot]:
        """Every copy of the place that it names as one of ours; of others it may tell or not."""

    def delete_snapshot(self, snapshot: str) -> None:
        """Remove a copy; one that is gone already is fine. Machines that were made of it stay."""

    def restore(self, ref: str, snapshot: str, mark: str) -> Node:
        """Replace the disk by that of a snapshot; addresses, blocks, firewall and size stay, and the machine is on.
        Once per `mark`; `capabilities.restore`. Where the host key lies on the disk it is that of then."""

    def block_address(self, ref: str, ip: str) -> None:
        """No packet to or from `ip` passes any more; survives a power cycle (ABU-3)."""

    def unblock_address(self, ref: str, ip: str) -> None: ...

    def attach_address(self, ref: str, ip: str) -> None:
        """The machine answers at `ip` too, also after a power cycle; `capabilities.extra_addresses` (SRV-3)."""

    def detach_address(self, ref: str, ip: str) -> None:
        """The machine gives up an attached address, its block with it; its first one stays."""

    def blocked(self, ref: str) -> set[str]:
        """The machine's addresses that are cut off now, read from the place and not from memory."""

    def set_firewall(self, ref: str, policy: Policy) -> None:
        """Exactly `policy` decides over the machine's packets, whatever it was before, also after a power cycle and a
        rebuild; `capabilities.firewall` (SRV-8)."""

    def firewall(self, ref: str) -> Policy:
        """The policy in force, in its canonical form, read from the place and not from memory."""

    def counters(self, ref: str, *, now: datetime) -> Counters:
        """The counters as read now; `now` becomes their `at`. A stopped machine gives its last reading."""

    def vitals(self, ref: str, *, now: datetime) -> Reading | None:
        """How the machine does now, seen from its host and not from inside; None while it is off;
        `capabilities.vitals` (SRV-12)."""

    def counters_of(self, refs: Sequence[str], *, now: datetime) -> Mapping[str, Counters]:
        """`counters` of these machines by their refs, in one call; one that has none to tell is left out, and stops no
        other; `capabilities.counters_at_once`."""

    def firewalls_of(self, refs: Sequence[str]) -> Mapping[str, Policy]:
        """`firewall` of these machines by their refs, in one call; one that is not there or cannot be read is left out;
        `capabilities.firewalls_at_once`."""

    def host_key(self, ref: str) -> str:
        """The machine's SSH host key, "ssh-ed25519 AAAA...", as the place knows it (never learned over the network)."""

    def add_key(self, ref: str, key: str) -> None: ...

    def remove_key(self, ref: str, key: str) -> None: ...


def mark(token: str) -> str:
    """What stands for `token` in a machine's name: short, of letters every place allows, and of no other token."""
    return hashlib.sha256(token.encode()).hexdigest()[:20]


def not_supported(verb: str, label: str) -> ProviderError:
    """The one way to say that a place cannot do something."""
    return ProviderError(f"{label} does not support: {verb}", permanent=True, code="not_supported")


ADAPTERS: Mapping[str, str] = {
    "simulated": "servers.providers.simulated",
    "local": "servers.providers.local_adapter",
    "libcloud": "servers.providers.libcloud_adapter",
}


NO_PLACE = frozenset({"unreachable", "unavailable", "credentials", "configuration", "too_many"})
"""What a place answers, by its code, when none of its machines can be asked."""
BLOCKING = frozenset({"simulated", "local"})
"""The adapters with `capabilities.block_address`; written down here so that asking connects to nobody."""


def check_places(**_: object) -> list[checks.CheckMessage]:
    """Warn of places that cannot carry out ABU-3 (registered by the app)."""
    return [
        checks.Warning(
            f"The place {name!r} ({config.get('provider')}) cannot cut off a single address.",
            hint="The step of ABU-3 will give up there into the staff's queue, without its fee, and ABU-4 will not "
            "follow by itself. Give the adapter `block_address`, or silence servers.W001 if staff cuts addresses off "
            "by hand.",
            id="servers.W001",
        )
        for name, config in places().items()
        if config.get("provider") not in BLOCKING
    ]  # fmt: skip


class _Connected(threading.local):
    """Adapters of this thread: vendors' driver objects are not safe to share between threads."""

    def __init__(self) -> None:
        self.by_place: dict[tuple[str, str], CloudProvider] = {}


_connected = _Connected()


def places() -> Mapping[str, Mapping[str, Any]]:
    """The configured places: name -> configuration, whose "provider" names the adapter."""
    return cast("Mapping[str, Mapping[str, Any]]", settings.CLAUSE_PLACES)


def get(place: str) -> CloudProvider:
    """This thread's adapter for `place`; ProviderError(permanent) when the place or its adapter is unknown."""
    config = places().get(place)
    if config is None:
        raise ProviderError(f"no place named {place!r} is configured", permanent=True, code="unknown_place")
    key = (place, json.dumps(config, sort_keys=True, default=str))
    if key not in _connected.by_place:
        module = ADAPTERS.get(str(config.get("provider")))
        if module is None:
            raise ProviderError(f"place {place!r} names no known provider", permanent=True, code="unknown_provider")
        _connected.by_place[key] = import_module(module).connect(place, config)
    return _connected.by_place[key]
