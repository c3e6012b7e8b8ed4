"""What a host is called and whom it lets in, from what its owner wrote, and the prefix that goes with a subnet."""

from ipaddress import IPv4Network, IPv6Network

from servers.providers.local.shell import RefusedError


def host_name(name: str) -> str:
    """A host name made of `name`: letters, digits and hyphens, at most 63."""
    text = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()).strip("-")[:63]
    return text.strip("-") or "host"


OURS = IPv6Network("fd77::/16")
"""The private prefixes of all places together."""


def prefix_of(subnet: str) -> str:
    """The /64 of IPv6 of a place whose hosts are on `subnet`: private, and of no other subnet's."""
    return str(IPv6Network((int(OURS.network_address) | int(IPv4Network(subnet).network_address) << 80, 64)))


def clean_key(key: str) -> str:
    """One line of authorized_keys without options; LocalError when it is none."""
    parts = key.strip().split()
    if "\n" in key.strip() or len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise RefusedError("that is no public key in OpenSSH's form")
    return " ".join(parts)
