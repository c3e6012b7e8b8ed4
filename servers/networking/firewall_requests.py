"""A change of the firewall as a request: staff accepts it, and it applies itself, or refuses it with a reason (TIC-5).

What is asked for is a difference, not a whole list: it is laid upon the rules there are when staff accepts it, so that
nothing that was changed meanwhile is undone.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from panel.core import events
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import action_log, actions
from servers.models import FirewallRequest, Server
from servers.networking import firewall_rules, firewall_wording, firewalls
from servers.networking.firewall_rules import Policy, Rule
from servers.verbs.power import hold
from tickets import conversation, kinds
from tickets.kinds import Card
from tickets.models import Message, Ticket
from tickets.rules import Via

KIND = "firewall"
RULE = "TIC-5"
State = FirewallRequest.State
MOST_OPEN = 5  # of one server


@dataclass(frozen=True, slots=True)
class Change:
    """One rule more, one less, or one in the place of another."""

    add: Rule | None = None
    remove: Rule | None = None


def of(ticket: Ticket) -> FirewallRequest | None:
    """What the request is about."""
    if ticket.kind != KIND:
        return None
    return FirewallRequest.objects.select_related("server", "action").filter(ticket=ticket).first()


def change_of(row: FirewallRequest) -> Change:
    """What it asks for."""
    return Change(*(firewall_rules.rule_of(kept) if kept else None for kept in (row.add, row.remove)))


def laid_upon(policy: Policy, change: Change) -> Policy:
    """The rules as they would be; notes do not tell rules apart. RuleViolation where the change has no meaning (any
    more)."""
    rules, bare = list(policy.rules), [replace(rule, note="") for rule in policy.rules]
    if change.add is None and change.remove is None:
        raise RuleViolation(_("Say which rule is to be added, or which one is to go."), rule=RULE)
    if change.add is not None and replace(change.add, note="") in bare:
        raise RuleViolation(_("This rule is there already."), rule=RULE, field="ports")
    if change.remove is None:
        return replace(policy, rules=(*rules, *([change.add] if change.add else ())))
    if replace(change.remove, note="") not in bare:
        raise RuleViolation(_("The rule that is to go is not there any more."), rule=RULE, field="remove")
    place = bare.index(replace(change.remove, note=""))
    rules[place : place + 1] = [change.add] if change.add else []
    return replace(policy, rules=tuple(rules))


@transaction.atomic
def ask(server: Server, change: Change, *, why: str, actor: Actor, now: datetime) -> FirewallRequest:
    """Somebody of the account asks for a change. RuleViolation where it has no meaning or the place cannot carry it
    out, PermissionDenied for who may not."""
    server = hold(server)
    actions.ASK_FIREWALL.check(actor, server)
    firewalls.check_able(server, laid_upon(firewalls.of(server).own, change))
    if server.firewall_requests.filter(state=State.OPEN).count() >= MOST_OPEN:
        raise RuleViolation(_("So many changes wait for our team already; withdraw one, or wait."), rule=RULE)
    with translation.override(texts.language_of(server.account.language)):
        title = _("Change of the firewall of %(server)s") % {"server": server.name}
        lines = [why.strip(), *(f"{word} {told(rule)}" for word, rule in _parts(change))]
    ticket = conversation.open_ticket(
        server.account, department=Ticket.Department.SUPPORT, title=title, body="\n\n".join(filter(None, lines)),
        actor=actor, via=Via.WEB, now=now, kind=KIND, related=server,
    )  # fmt: skip
    row = FirewallRequest.objects.create(
        ticket=ticket, server=server, account_id=server.account_id, asked_at=now,
        **{name: firewall_rules.row_of(rule) if rule else {} for name, rule in _named(change)},
    )  # fmt: skip
    _tell("asked", row, actor=actor, now=now)
    return row


@transaction.atomic
def accept(ticket: Ticket, *, words: str, sure: bool, actor: Actor, now: datetime) -> FirewallRequest:
    """Staff accepts: the firewall is changed, and the request closes once its place has confirmed it.

    RuleViolation where it is decided already, has no meaning any more, or nobody could log in over SSH and it was not
    said to be `sure`; PermissionDenied for who may not.
    """
    row = _to_decide(ticket, actor)
    server = Server.objects.get(pk=row.server_id)
    if server.account_id != row.account_id:
        raise RuleViolation(_("This server belongs to another account now."), rule=RULE)
    policy = laid_upon(firewalls.of(server).own, change_of(row))
    row.action = firewalls.change(server, policy, actor=actor, now=now, sure=sure)
    _decided(row, State.ACCEPTED, actor=actor, now=now)
    with translation.override(texts.language_of(ticket.account.language)):
        said = _("Accepted: the firewall is being changed.")
    conversation.reply(ticket, "\n\n".join(filter(None, [said, words.strip()])), actor=actor, via=Via.WEB, now=now)
    _tell("accepted", row, actor=actor, now=now)
    return row


@transaction.atomic
def refuse(ticket: Ticket, *, reason: str, actor: Actor, now: datetime) -> FirewallRequest:
    """Staff refuses, and says why: nothing changes. RuleViolation without a reason, or where it is decided already."""
    row = _to_decide(ticket, actor)
    if not reason.strip():
        raise RuleViolation(_("Say why: the customer reads it."), rule=RULE, field="words")
    _decided(row, State.REFUSED, actor=actor, now=now)
    conversation.reply(ticket, reason, actor=actor, via=Via.WEB, now=now)
    conversation.close(ticket, actor=actor, now=now)
    _tell("refused", row, actor=actor, now=now)
    return row


@transaction.atomic
def withdraw(ticket: Ticket, *, actor: Actor, now: datetime) -> FirewallRequest:
    """Whoever may ask takes it back. RuleViolation where it is decided already."""
    row = _open(ticket)
    _decided(row, State.WITHDRAWN, actor=actor, now=now)
    conversation.close(ticket, actor=actor, now=now)
    _tell("withdrawn", row, actor=actor, now=now)
    return row


@events.subscriber("servers.firewall.applied", "servers.firewall_requests")
def applied(event: Event, *, now: datetime) -> None:
    """The place has confirmed it: what was accepted is done, and its request closes."""
    server = Server.objects.get(pk=event.data["server_id"])
    if not firewalls.of(server).is_in_force:
        return  # it was changed once more meanwhile
    waiting = FirewallRequest.objects.select_for_update(of=("self",)).select_related("ticket")
    for row in waiting.filter(server=server, state=State.ACCEPTED, applied_at=None):
        row.applied_at = now
        row.save(update_fields=["applied_at"])
        conversation.close(row.ticket, actor=SYSTEM, now=now)
        _tell("applied", row, actor=SYSTEM, now=now)


def told(rule: Rule) -> str:
    """A rule on one line, in the reader's language."""
    words = [
        firewall_wording.DIRECTIONS[rule.direction], firewall_wording.VERDICTS[rule.action],
        firewall_wording.PROTOCOLS[rule.protocol], firewall_rules.ports_text(rule.ports),
        firewall_rules.peers_text(rule.peers) or _("everybody"),
    ]  # fmt: skip
    return " · ".join(str(word) for word in words if word)


def _named(change: Change) -> list[tuple[str, Rule | None]]:
    return [("add", change.add), ("remove", change.remove)]


def _parts(change: Change) -> list[tuple[str, Rule]]:
    words = {"add": _("To be added:"), "remove": _("To go:")}
    return [(words[name], rule) for name, rule in _named(change) if rule is not None]


def _to_decide(ticket: Ticket, actor: Actor) -> FirewallRequest:
    actions.DECIDE_FIREWALL.check(actor)
    return _open(ticket)


def _open(ticket: Ticket) -> FirewallRequest:
    Ticket.objects.select_for_update().get(pk=ticket.pk)
    row = of(ticket)
    if row is None or row.state != State.OPEN:
        raise RuleViolation(_("This change is decided already."), rule=RULE)
    return row


def _decided(row: FirewallRequest, state: State, *, actor: Actor, now: datetime) -> None:
    row.state, row.decided_at, row.decided_by = state, now, actor.user_id
    if state == State.ACCEPTED and row.action is None:
        row.applied_at = now  # somebody made the same change meanwhile
    row.save()


def _tell(what: str, row: FirewallRequest, *, actor: Actor, now: datetime) -> None:
    server = Server.objects.get(pk=row.server_id)
    events.record(
        f"servers.firewall_request.{what}", now=now, actor=actor, subject=server, account_id=row.account_id, rule=RULE,
        data={"server_id": server.pk, "number": row.ticket.number},
    )  # fmt: skip
    action_log.published(server, f"servers.firewall_request.{what}")


class FirewallChange:
    """A request for a change of the firewall. (A `RequestKind`.)"""

    label = gettext_lazy("Change of the firewall")

    def replied(self, ticket: Ticket, message: Message, *, actor: Actor, now: datetime) -> None:
        """Words change nothing: it is accepted, refused or withdrawn."""

    def page(self, ticket: Ticket, *, staff: bool) -> str:
        return ""

    def card(self, ticket: Ticket, *, staff: bool) -> Card | None:
        row = of(ticket)
        if row is None:
            return None
        about: dict[str, Any] = {
            "row": row, "ticket": ticket, "staff": staff,
            "parts": [(word, told(rule)) for word, rule in _parts(change_of(row))],
        }  # fmt: skip
        return Card("servers/_firewall_request.html", about)

    def settled(self, ticket: Ticket) -> bool:
        row = of(ticket)
        return row is None or row.state != State.OPEN


kinds.register(KIND, FirewallChange())
