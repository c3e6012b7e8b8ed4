"""The pure law of reverse names: what can be one (SRV-3)."""

import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def host_name(text: str) -> str | None:
    """The full host name that `text` gives, in small letters and without a final dot; None where it is none: at least
    two labels of letters, digits and hyphens, at most 253 characters, and no address."""
    name = text.strip().lower().removesuffix(".")
    labels = name.split(".")
    fits = len(name) <= 253 and len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)
    return name if fits and not labels[-1].isdecimal() else None
