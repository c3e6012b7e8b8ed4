"""What a host is called and whom it lets in, from what its owner wrote."""

from servers.providers.local.shell import RefusedError


def host_name(name: str) -> str:
    """A host name made of `name`: letters, digits and hyphens, at most 63."""
    text = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower()).strip("-")[:63]
    return text.strip("-") or "host"


def clean_key(key: str) -> str:
    """One line of authorized_keys without options; LocalError when it is none."""
    parts = key.strip().split()
    if "\n" in key.strip() or len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise RefusedError("that is no public key in OpenSSH's form")
    return " ".join(parts)
