"""Staff limits a server at once, its owner answers in the request, staff lifts the limit or makes it permanent.

The limit is a `Restriction` like every other one (ACC-13), or one an address; what belongs together names the same
request in its evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from panel.accounts import restrictions, terms_in_force
from panel.accounts.models import Restriction
from panel.core import events
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import action_log, places
from servers.models import Address, Server
from servers.rules import ON_THE_HOST
from servers.safeguarding import safeguard_rules as rules
from servers.safeguarding.safeguard_rules import RULES, Answer, Decision, How, Threat
from tickets import conversation, kinds
from tickets.kinds import Card
from tickets.models import Message, Ticket
from tickets.rules import Via

KIND = "safeguard"
THREATS: dict[str, str | Promise] = {
    Threat.NETWORK: gettext_lazy("Its use endangers the network"),
    Threat.INTRUSION: gettext_lazy("Somebody broke into it"),
    Threat.SPAM: gettext_lazy("Mail from it is refused as spam"),
}
EFFECTS: dict[str, str | Promise] = {
    How.ADDRESSES: gettext_lazy("Its addresses are cut off; it stays on."),
    How.POWER: gettext_lazy("It is switched off."),
    How.MAIL: gettext_lazy("Its outgoing mail ports are closed; everything else goes on."),
}


@dataclass(frozen=True, slots=True)
class Safeguard:
    """The limits that belong to one request, and what was said of them. `server` as the request names it."""

    server: Server
    rows: Sequence[Restriction]
    threat: Threat
    how: How
    steps: str
    answer: str
    permanent: bool

    @property
    def in_force(self) -> bool:
        return any(row.state == Restriction.State.ACTIVE for row in self.rows)

    @property
    def rule(self) -> str:
        return RULES[self.threat]


def of(ticket: Ticket) -> Safeguard | None:
    """What a request of this kind is about; None for any other."""
    rows = list(Restriction.objects.filter(account=ticket.account_id, evidence__request=ticket.number).order_by("pk"))
    server = Server.objects.filter(pk=ticket.subject_id or 0).first()
    if ticket.kind != KIND or not rows or server is None:
        return None
    told = rows[0].evidence
    return Safeguard(
        server, rows, Threat(told["threat"]), How(told["how"]), told["steps"], told.get("answer", ""),
        bool(told.get("permanent")),
    )  # fmt: skip


@transaction.atomic
def limit(
    server: Server, threat: Threat, how: How, *, reason: str, steps: str, actor: Actor, now: datetime
) -> Ticket:  # fmt: skip
    """SRV-7, SRV-13, ABU-14: the limit is decided and carried out at once, and the owner gets reason and mandatory
    steps by e-mail. RuleViolation where the server is not there to be limited, or its place cannot do so."""
    server = Server.objects.select_for_update(of=("self",)).select_related("account", "subscription").get(pk=server.pk)
    if server.state not in ON_THE_HOST:
        raise RuleViolation(_("There is no machine to be limited."))
    if how is How.ADDRESSES and not places.capabilities(server.place).block_address:
        raise RuleViolation(_("This place cannot cut off addresses; switch the server off."), field="how")
    if not rules.fits(threat, how):
        raise RuleViolation(_("Against spam the mail ports are closed, and only against spam."), field="how")
    ports = terms_in_force.at(server.account, now).mail_filter.ports if how is How.MAIL else ()
    filtered = places.capabilities(server.place).firewall
    if ports and not (filtered and filtered.outgoing):
        raise RuleViolation(_("This place cannot filter what leaves a server."), field="how")
    for text, field in ((reason, "reason"), (steps, "steps")):
        if not text.strip():
            raise RuleViolation(_("Please write something."), field=field)
    with translation.override(texts.language_of(server.account.language)):
        title = _("%(server)s is limited") % {"server": server.name}
        body = _letter(server, threat, how, reason, steps)
    ticket = conversation.open_ticket(
        server.account, department=Ticket.Department.SUPPORT, title=title, body=body, actor=actor, via=Via.WEB, now=now,
        kind=KIND, related=server,
    )  # fmt: skip
    said = {"request": ticket.number, "threat": threat, "how": how, "steps": steps.strip(),
            "ports": ", ".join(map(str, ports))}  # fmt: skip
    for number, subject in enumerate(_limited(server, how)):
        restrictions.restrict(
            server.account, scope=rules.SCOPES[how], rule=RULES[threat], subject=subject,
            statement=f"{title}\n{body}", author=actor, now=now, key=f"safeguard:{ticket.number}:{number}",
            evidence=said,
        )  # fmt: skip
    conversation.follow(ticket.messages.get(), actor=actor, now=now)
    _tell("limited", server, ticket, threat, actor=actor, now=now)
    return ticket


def _limited(server: Server, how: How) -> list[Server | Address]:
    if how is not How.ADDRESSES:
        return [server]
    return [one.address for one in server.holdings.attached().select_related("address").order_by("pk")]


def _letter(server: Server, threat: Threat, how: How, reason: str, steps: str) -> str:
    parts = [
        _("We had to limit your server %(server)s (%(reference)s) at once. %(effect)s")
        % {"server": server.name, "reference": server.reference, "effect": EFFECTS[how]},
        f"{THREATS[threat]}{_(': ')}{reason.strip()}",
        _("What you must do:") + "\n" + steps.strip(),
        _("Answer in this request once it is done: we look at it and lift the limit. If you do not accept these steps, "
          "the limit can become permanent."),
        _("(rule %(rule)s of the terms)") % {"rule": RULES[threat]},
    ]  # fmt: skip
    return "\n\n".join(str(part) for part in parts)


@transaction.atomic
def answer(ticket: Ticket, what: Answer, *, words: str, actor: Actor, now: datetime) -> None:
    """The owner has carried out the steps, or does not accept them: staff decides what follows."""
    safeguard = _open(ticket)
    with translation.override(texts.language_of(ticket.account.language)):
        said = _("The steps are carried out.") if what is Answer.DONE else _("These steps are not accepted.")
    _note(safeguard, answer=what)
    body = f"{said}\n\n{words.strip()}" if words.strip() else said
    conversation.reply(ticket, body, actor=actor, via=Via.WEB, now=now)
    _tell(f"answered_{what}", safeguard.server, ticket, safeguard.threat, actor=actor, now=now)


@transaction.atomic
def decide(ticket: Ticket, what: Decision, *, reason: str, actor: Actor, now: datetime) -> None:
    """Staff lifts the limit, or lets it stand for good (it can be lifted later all the same: ACC-13); the owner reads
    why in the request."""
    safeguard = _open(ticket)
    if what is Decision.KEEP and not rules.may_keep(safeguard.answer, permanent=safeguard.permanent):
        raise RuleViolation(_("The steps were carried out, or the limit is permanent already."))
    if what is Decision.KEEP:
        _note(safeguard, permanent=True)
    else:
        for row in safeguard.rows:
            restrictions.lift(row.pk, reason=reason.strip(), actor=actor, now=now)
    conversation.reply(ticket, reason, actor=actor, via=Via.WEB, now=now)
    conversation.close(ticket, actor=actor, now=now)
    verb = "kept" if what is Decision.KEEP else "lifted"
    _tell(verb, safeguard.server, ticket, safeguard.threat, actor=actor, now=now)


def _open(ticket: Ticket) -> Safeguard:
    Ticket.objects.select_for_update().get(pk=ticket.pk)
    safeguard = of(ticket)
    if safeguard is None or not safeguard.in_force:
        raise RuleViolation(_("This limit is lifted already."))
    return safeguard


def _note(safeguard: Safeguard, **more: Any) -> None:
    for row in safeguard.rows:
        row.evidence = {**row.evidence, **more}
        row.save(update_fields=["evidence"])


def _tell(what: str, server: Server, ticket: Ticket, threat: Threat, *, actor: Actor, now: datetime) -> None:
    events.record(
        f"servers.safeguard.{what}", now=now, actor=actor, subject=server, account_id=server.account_id,
        rule=RULES[threat], data={"server_id": server.pk, "number": ticket.number},
    )  # fmt: skip
    action_log.published(server, f"servers.safeguard.{what}")


class SafeguardRequest:
    """A request about a limit. (A `RequestKind`.)"""

    label = gettext_lazy("Limited server")

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        """Words change nothing: the limit is lifted, or stands, by a decision."""

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        return ""

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        safeguard = of(ticket)
        if safeguard is None:
            return None
        about = {
            "safeguard": safeguard, "ticket": ticket, "staff": staff, "threat": THREATS[safeguard.threat],
            "effect": EFFECTS[safeguard.how],
            "may_keep": rules.may_keep(safeguard.answer, permanent=safeguard.permanent),
        }  # fmt: skip
        return Card("servers/_safeguard.html", about)

    def settled(self, ticket: Ticket) -> bool:
        safeguard = of(ticket)
        return safeguard is None or safeguard.permanent or not safeguard.in_force


kinds.register(KIND, SafeguardRequest())
