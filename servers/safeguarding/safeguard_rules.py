"""The pure law of safeguards: which rule stands behind a threat, and what follows an answer (SRV-7, SRV-13)."""

from collections.abc import Mapping
from enum import StrEnum


class Threat(StrEnum):
    """What made staff act."""

    NETWORK = "network"
    INTRUSION = "intrusion"


class How(StrEnum):
    """What is taken away: the addresses, or the machine's power."""

    ADDRESSES = "addresses"
    POWER = "power"


class Answer(StrEnum):
    """What the owner says of the steps."""

    DONE = "done"
    REFUSED = "refused"


class Decision(StrEnum):
    """What staff makes of it; the terms leave both to a person."""

    LIFT = "lift"
    KEEP = "keep"


RULES: Mapping[Threat, str] = {Threat.NETWORK: "SRV-7", Threat.INTRUSION: "SRV-13"}


def may_keep(answer: str, *, permanent: bool) -> bool:
    """SRV-7: the limit becomes permanent where the steps were not accepted; doing them keeps that from happening."""
    return not permanent and answer != Answer.DONE
