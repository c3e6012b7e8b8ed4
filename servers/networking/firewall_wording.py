"""What a firewall's rules, templates and mistakes are called."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from servers.networking.firewall_rules import Direction, Protocol, Reach, Verdict, Wrong

Words = dict[str, str | Promise]

DIRECTIONS: Words = {
    Direction.IN: pgettext_lazy("direction", "Incoming"), Direction.OUT: pgettext_lazy("direction", "Outgoing")
}  # fmt: skip
VERDICTS: Words = {Verdict.ACCEPT: pgettext_lazy("firewall", "Allow"), Verdict.DROP: pgettext_lazy("firewall", "Block")}
PROTOCOLS: Words = {
    Protocol.TCP: "TCP", Protocol.UDP: "UDP", Protocol.ICMP: gettext_lazy("ICMP (ping)"),
    Protocol.ANY: gettext_lazy("Every protocol"),
}  # fmt: skip
REACH: Words = {
    Reach.EVERYBODY: gettext_lazy("open to everybody"), Reach.SOME: gettext_lazy("open to some addresses"),
    Reach.NOBODY: gettext_lazy("closed to everybody"),
}  # fmt: skip
TEMPLATES: dict[str, tuple[str | Promise, str | Promise]] = {
    "ssh": (gettext_lazy("SSH only"), gettext_lazy("Port 22 and ping; nothing else comes in.")),
    "web": (gettext_lazy("Web server"), gettext_lazy("HTTP and HTTPS (80, 443), SSH and ping.")),
    "mail": (gettext_lazy("Mail server"), gettext_lazy("SMTP, submission, IMAP and POP3, SSH and ping.")),
    "database": (
        gettext_lazy("Database from one address"),
        gettext_lazy("PostgreSQL and MySQL (5432, 3306) from the addresses you name, SSH and ping."),
    ),
    "dns": (gettext_lazy("Name server"), gettext_lazy("DNS (53, TCP and UDP), SSH and ping.")),
}

_MISTAKES: dict[tuple[str, str], str | Promise] = {
    ("ports", "no_port"): gettext_lazy("“%(value)s” is no port: write 22, or a range such as 8000-8100."),
    ("ports", "out_of_range"): gettext_lazy("There is no port %(value)s: ports go from 1 to 65535."),
    ("ports", "backwards"): gettext_lazy("The range %(value)s ends before it begins."),
    ("ports", "too_many"): gettext_lazy("One rule has at most %(value)s ports or ranges."),
    ("ports", "no_ports_here"): gettext_lazy("Only TCP and UDP have ports."),
    ("peers", "no_address"): gettext_lazy("“%(value)s” is neither an address nor a network such as 192.0.2.0/24."),
    ("peers", "wrong_mask"): gettext_lazy("“%(value)s” has a wrong mask: /0 to /32 for IPv4, /0 to /128 for IPv6."),
    ("peers", "host_bits"): gettext_lazy("“%(value)s” is an address inside a network: write the network’s first one."),
    ("peers", "mixed"): gettext_lazy("One rule has IPv4 or IPv6 addresses, not both: make two rules."),
    ("peers", "missing"): gettext_lazy("Name the addresses that may connect."),
    ("peers", "too_many"): gettext_lazy("One rule names at most %(value)s addresses or networks."),
    ("note", "too_long"): gettext_lazy("A note has at most %(value)s characters."),
    ("rules", "too_many"): gettext_lazy("A server has at most %(value)s rules here."),
}


def sentence(wrong: Wrong) -> str:
    """What is wrong, for whoever wrote it."""
    found = _MISTAKES.get((wrong.field, wrong.why))
    text = str(found) % {"value": wrong.value} if found else _("This rule is not one: %(value)s") % {"value": wrong}
    return _("Rule %(number)s: %(text)s") % {"number": wrong.number, "text": text} if wrong.number else text
