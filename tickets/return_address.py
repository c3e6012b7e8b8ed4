"""The address that an answer by mail goes to: it names the request and proves that we gave it out (TIC-3).

`support+req-7kq2m9x4.<proof>@...`: the proof is a keyed hash, so that nothing needs to be kept and nothing guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.conf import settings

from panel.core import proofs
from tickets.models import Ticket

MAILBOXES = {
    Ticket.Department.SUPPORT: "support",
    Ticket.Department.BILLING: "billing",
    Ticket.Department.SALES: "response",
    Ticket.Department.ABUSE: "abuse",
    Ticket.Department.PRIVACY: "support",
}
PURPOSE = "return-address"
_TAG = re.compile(r"(req-[0-9a-z]{8})\.([a-z2-7]{16})")


def of(ticket: Ticket) -> str:
    """Where answers to `ticket` go."""
    number = ticket.number.lower()
    mailbox = MAILBOXES[Ticket.Department(ticket.department)]
    return f"{mailbox}+{number}.{proofs.of(PURPOSE, number)}@{settings.CLAUSE_MAIL_DOMAIN}"


def numbers_in(addresses: Iterable[str]) -> list[str]:
    """The numbers of the requests that these addresses prove to name."""
    found = []
    for address in addresses:
        match = _TAG.fullmatch(address.lower().partition("@")[0].partition("+")[2])
        if match and proofs.holds(PURPOSE, match[1], match[2]):
            found.append(match[1].upper())
    return found
