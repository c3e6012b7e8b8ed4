"""What the managed service consists of: its roles, its first firewall, and where it can be given (SRV-9, SRV-11)."""

import re
from collections.abc import Iterable, Mapping

from servers.networking import firewall_rules, reverse_rules
from servers.networking.firewall_rules import Policy, Rule

OPTION = "vps-managed"
WEB, MAIL = "web", "mail"
ALWAYS = ("base", "patches", "backup_agent")
CHOSEN = (WEB, MAIL)
SHORTEST_PASSWORD = 12
LONGEST_ADDRESS = 120
_ADDRESS = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}")


def is_wanted(options: Mapping[str, int]) -> bool:
    """Whether a subscription with these options has the service."""
    return bool(options.get(OPTION))


def roles(chosen: Iterable[str]) -> list[str]:
    """What is set up, in its order."""
    mine = set(chosen)
    return [*ALWAYS, *(role for role in CHOSEN if role in mine)]


def firewall(chosen: Iterable[str]) -> Policy:
    """SRV-9: the first firewall: SSH, ping, and what the servers chosen need; nothing else comes in."""
    rules: list[Rule] = []
    for name in ("ssh", *chosen):
        rules += [rule for rule in firewall_rules.TEMPLATES[name].policy().rules if rule not in rules]
    base = firewall_rules.TEMPLATES["ssh"].policy()
    return Policy(tuple(rules), base.default_in, base.default_out)


def is_mail_address(text: str) -> bool:
    """Whether a mailbox can have it: plain letters alone, so that it means the same in every file it stands in."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None and ".." not in text


def host_name(name: str, published: str) -> str:
    """What the server calls itself to others: its published name, else one that is nobody's; always a host name."""
    return next(filter(None, map(reverse_rules.host_name, (published, f"{name}.localdomain"))), "server.localdomain")
