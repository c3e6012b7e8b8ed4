"""What each provider can do, side by side, read from the adapters themselves: `docs/providers.md`.

python -m servers.providers.table > docs/providers.md
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

from libcloud.compute.providers import get_driver

from servers.providers import Capabilities, Filtering
from servers.providers.libcloud_adapter import VENDORS

WORDS: Mapping[str, str] = {
    "simulated": "nothing real behind it",
    "start_stop": "start, cut the power",
    "soft_stop": "ask to shut down",
    "reboot": "reboot",
    "rename": "rename the machine",
    "rebuild": "rebuild",
    "rescue": "rescue system",
    "rescue_keys": "rescue lets in keys added since",
    "resize": "another size",
    "snapshots": "snapshots, new servers of them",
    "restore": "restore on the same machine",
    "first_boot": "first-boot script",
    "keys": "keys later on",
    "firewall": "firewall",
    "block_address": "cut off an address (ABU-3)",
    "extra_addresses": "additional addresses",
    "ipv6": "additional addresses of IPv6",
    "any_block": "blocks of our own",
    "chooses_address": "chooses the address itself",
    "counters": "traffic counters (SRV-4)",
    "counters_at_once": "counters of many in one call",
    "firewalls_at_once": "firewalls of many in one call",
    "vitals": "processor, memory, disk",
    "host_key": "vouches for the host key",
    "lag": "a new machine shows after at most",
}
"""Field of `Capabilities` -> what it is called here; the order of the lines."""
SUBJECTS = {"rescue_keys": "rescue", "ipv6": "extra_addresses", "any_block": "extra_addresses",
            "counters_at_once": "counters", "firewalls_at_once": "firewall"}  # fmt: skip
"""What says nothing where something else is not there."""
CLASSES: Mapping[str, tuple[str, str]] = {
    "simulated": ("servers.providers.simulated", "SimulatedCloud"),
    "local": ("servers.providers.local_adapter", "LocalProvider"),
    **{name: (module, "Vendor") for name, module in VENDORS.items()},
}
NOTES: Mapping[str, Iterable[str]] = {
    "simulated": (
        "A cloud in one file, labelled so wherever it shows; strict, and nasty on demand.",
        "Tells by itself of each change of power (`/hooks/cloud/<place>/`).",
    ),
    "local": ("Real hosts out of network namespaces on this machine; for tests and for a look, never for tenants.",),
}  # fmt: skip


def adapters() -> dict[str, Any]:
    """An adapter of each kind that has never met its place: enough to ask what it can do."""
    made = {}
    for name, (module, kind) in CLASSES.items():
        adapter: Any = object.__new__(getattr(import_module(module), kind))
        adapter.place, adapter.label, adapter.config, adapter.network = name, name, {}, None
        if name in VENDORS:
            driver: Any = get_driver(name)
            adapter.driver = object.__new__(_driver(name, driver))
        made[name] = adapter
    return made


def _driver(name: str, found: Any) -> Any:
    """The class of today's interface, where libcloud gives one that chooses among several."""
    module = import_module(found.__module__)
    newest = {"digitalocean": "DigitalOcean_v2_NodeDriver", "vultr": "VultrNodeDriverV2",
              "openstack": "OpenStack_2_NodeDriver"}  # fmt: skip
    return getattr(module, newest[name]) if name in newest else found


def cell(can: Capabilities, name: str) -> str:
    """What stands in the table."""
    value = getattr(can, name)
    if name in SUBJECTS and not getattr(can, SUBJECTS[name]):
        return "–"
    if isinstance(value, Filtering):
        return "yes" if value.drops and value.outgoing else "incoming, only what is let in"
    if name == "lag":
        return f"{value} s" if value else "at once"
    return "yes" if value else "–"


def render() -> str:
    """The whole page."""
    found = adapters()
    can = {name: adapter.capabilities for name, adapter in found.items()}
    lines = [
        "# Providers", "",
        "Generated from the adapters: `python -m servers.providers.table > docs/providers.md`. What a provider cannot",
        "do shows on the page with the reason and is not attempted. Any other libcloud driver goes as far as its",
        "methods.",
        "", f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}",
        *(f"| {word} | {' | '.join(cell(can[one], name) for one in found)} |" for name, word in WORDS.items()),
        "", "What is told apart of their failures is the same everywhere: asked again later, asked again after as long",
        "as the place wants, looked for before it is asked again, or given up into the staff's queue.",
    ]  # fmt: skip
    for name, adapter in found.items():
        lines += ["", f"## {name}", "", *(f"- {note}" for note in NOTES.get(name) or adapter.notes)]
    return "\n".join(lines) + "\n"


def unnamed() -> set[str]:
    """Capabilities that the table leaves out."""
    return {one.name for one in fields(Capabilities)} - WORDS.keys() - {"label"}


if __name__ == "__main__":
    sys.stdout.write(render())
