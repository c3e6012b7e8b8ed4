"""The pure law of safeguards: which rule stands behind a threat, what is taken away, and what follows an answer
(SRV-7, SRV-13, ABU-14)."""

from collections.abc import Mapping
from enum import StrEnum


class Threat(StrEnum):
    """What made staff act."""

    NETWORK = "network"
    INTRUSION = "intrusion"
    SPAM = "spam"


class How(StrEnum):
    """What is taken away: the addresses, the machine's power, or the ports by which mail leaves."""

    ADDRESSES = "addresses"
    POWER = "power"
    MAIL = "mail"


class Answer(StrEnum):
    """What the owner says of the steps."""

    DONE = "done"
    REFUSED = "refused"


class Decision(StrEnum):
    """What staff makes of it; the terms leave both to a person."""

    LIFT = "lift"
    KEEP = "keep"


RULES: Mapping[Threat, str] = {Threat.NETWORK: "SRV-7", Threat.INTRUSION: "SRV-13", Threat.SPAM: "ABU-14"}


SCOPES: Mapping[How, str] = {How.ADDRESSES: "address", How.POWER: "server", How.MAIL: "ports"}
"""The scope of the restriction that takes it away."""


def fits(threat: Threat, how: How) -> bool:
    """Spam is answered with its ports and no more (ABU-14), anything else with more than them (SRV-7, SRV-13)."""
    return (threat is Threat.SPAM) == (how is How.MAIL)


def may_keep(answer: str, *, permanent: bool) -> bool:
    """SRV-7: the limit becomes permanent where the steps were not accepted; doing them keeps that from happening."""
    return not permanent and answer != Answer.DONE
