"""The firewall of a server: changed by its owner, carried out at its place, and never without the provider's lock.

What is wanted stands in the row; every operation carries out what is wanted by then, so that in whatever order changes
cross, the last one is in force (SRV-8). The lock of new accounts (SUB-4) ends by itself.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.limiting import limits
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import operations
from panel.core.actors import Actor
from panel.core.errors import NotYet, RuleViolation
from panel.core.models import Operation
from servers import action_log, actions, places, providers
from servers.action_log import attach, begin, finish, published, reopen, told
from servers.models import Firewall, Server, ServerAction
from servers.networking import firewall_rules, firewall_wording
from servers.networking.firewall_models import digest
from servers.networking.firewall_rules import MOST_RULES, Policy, Reach, Wrong
from servers.providers import security_groups
from servers.rules import ON_THE_HOST, State, Verb
from servers.verbs.power import hold

RULE = "SRV-8"


def of(server: Server) -> Firewall:
    """The server's firewall; one that is not kept yet where nobody ever asked for one."""
    found = Firewall.objects.filter(server=server).select_related("operation").first()
    return found or Firewall(server=server, account_id=server.account_id, state=Firewall.State.IN_FORCE)


def policy_of(given: dict[str, Any]) -> Policy:
    """The policy that a form or an API call describes. RuleViolation with the sentence and the field."""
    try:
        return firewall_rules.of_json({**given, "locks": ()})
    except Wrong as wrong:
        raise violation(wrong) from wrong


def violation(wrong: Wrong) -> RuleViolation:
    """How a rule that cannot be is told."""
    return RuleViolation(firewall_wording.sentence(wrong), rule=RULE, field=wrong.field)


@transaction.atomic
def change(
    server: Server, policy: Policy, *, actor: Actor, now: datetime, seen: int | None = None, sure: bool = False
) -> ServerAction | None:
    """Have exactly `policy` in force; None where that is wanted already.

    `seen` is the `turn` that whoever changes it looked at. RuleViolation when somebody changed it since (field "seen"),
    when nobody would reach SSH any more and it was not said to be `sure` (field "sure"), or when the place cannot carry
    it out; PermissionDenied for who may not.
    """
    server = hold(server)
    actions.FIREWALL.check(actor, server)
    row, _made = Firewall.objects.select_for_update().get_or_create(
        server=server, defaults={"account_id": server.account_id, "state": Firewall.State.IN_FORCE}
    )
    if seen is not None and seen != row.turn:
        raise RuleViolation(_("Somebody changed the firewall meanwhile. Look at it again first."), rule=RULE,
                            field="seen")  # fmt: skip
    policy = replace(policy, locks=())
    if policy == row.own:
        return None
    check_able(server, policy)
    if not sure and _locks_out(row.own, policy):
        raise RuleViolation(
            _("Nobody could log in over SSH any more (port 22), and neither could our console. What is open now stays "
              "open until it ends."), rule=RULE, field="sure",
        )  # fmt: skip
    row.policy = firewall_rules.as_json(policy)
    action = begin(server, Verb.FIREWALL, actor=actor, because="", now=now, facts={"rules": len(policy.rules)})
    row.turn += 1
    attach(action, SetFirewall.kind, f"{SetFirewall.kind}:{server.pk}:{row.turn}", now=now)
    row.state, row.operation = Firewall.State.WAITING, action.operation
    row.save()
    told(server, "servers.firewall.changed", now=now, actor=actor, rule=RULE)
    return action


def _locks_out(before: Policy, after: Policy) -> bool:
    shut = firewall_rules.reach(after) is Reach.NOBODY
    return shut and firewall_rules.reach(before) is not Reach.NOBODY


def check_able(server: Server, policy: Policy) -> None:
    """RuleViolation where the place of `server` cannot carry out `policy`."""
    can = places.capabilities(server.place).firewall
    if can is None:
        raise RuleViolation(str(actions.NOT_HERE["firewall"]), rule=RULE)
    most = min(can.most, MOST_RULES)
    if len(policy.rules) > most:
        raise violation(Wrong("rules", "too_many", most))
    if not can.outgoing and (
        policy.default_out is firewall_rules.Verdict.DROP
        or any(rule.direction is firewall_rules.Direction.OUT for rule in policy.rules)
    ):
        raise RuleViolation(_("This place cannot filter what leaves a server."), rule=RULE, field="direction")
    drops = any(rule.action is firewall_rules.Verdict.DROP for rule in policy.rules)
    if not can.drops and (drops or (policy.rules and policy.default_in is firewall_rules.Verdict.ACCEPT)):
        raise RuleViolation(
            _("At this place a rule can only let something in; everything else is dropped."), rule=RULE, field="action"
        )
    if not can.drops and security_groups.repeated(policy):
        raise RuleViolation(_("At this place no two rules may say the same."), rule=RULE, field="ports")


@transaction.atomic
def apply_again(server: Server, *, actor: Actor, now: datetime) -> None:
    """Have what is wanted carried out once more, after it failed or where the place has lost it; under way already:
    nothing. PermissionDenied for who may not, RuleViolation where the state forbids it."""
    server = hold(server)
    actions.FIREWALL.check(actor, server)
    row = Firewall.objects.select_for_update().filter(server=server).first()
    if row is not None and row.state != Firewall.State.WAITING:
        carry_out(row, server, now=now)


def repair(server: Server, *, now: datetime) -> Operation | None:
    """What the reconciler asks for where the place has other rules than it confirmed; None where that is settled or
    under way by now."""
    row = Firewall.objects.select_for_update().filter(server=server).first()
    if row is None or row.state != Firewall.State.IN_FORCE:
        return None
    return carry_out(row, server, now=now)


def carry_out(row: Firewall, server: Server, *, now: datetime) -> Operation:
    """The place is told what is wanted, in the transaction that changed it; without a line in the action log, since
    nobody asked for anything new."""
    row.turn += 1
    row.operation = operations.enqueue(
        SetFirewall.kind, key=f"{SetFirewall.kind}:{server.pk}:{row.turn}", now=now, account_id=server.account_id,
        subject=server, payload={"server": server.pk, "action": None},
    )  # fmt: skip
    row.state = Firewall.State.WAITING
    row.save()
    published(server, "servers.firewall.waiting")
    return row.operation


# ---------------------------------------------------------------- the managed service


def begin_with(server: Server, policy: Policy, *, now: datetime) -> None:
    """SRV-9: the first firewall of a managed server, unless it has one already or its place cannot filter."""
    row = _managed(server, policy)
    if row is not None and row.own.is_open and not row.own.rules:
        row.policy = firewall_rules.as_json(policy)
        carry_out(row, server, now=now)
        told(server, "servers.firewall.changed", now=now, rule="SRV-9")


def open_for(server: Server, policy: Policy, *, now: datetime) -> None:
    """What a service that we set up needs comes in from now on, beside what comes in already."""
    row = _managed(server, policy)
    if row is None or row.own.default_in is not firewall_rules.Verdict.DROP:
        return
    bare = [replace(rule, note="") for rule in row.own.rules]
    fresh = tuple(rule for rule in policy.rules if replace(rule, note="") not in bare)
    if fresh:
        row.policy = firewall_rules.as_json(replace(row.own, rules=(*row.own.rules, *fresh)))
        carry_out(row, server, now=now)
        told(server, "servers.firewall.changed", now=now, rule="SRV-9")


def _managed(server: Server, policy: Policy) -> Firewall | None:
    """The firewall of a server, locked; None where its place could not carry out `policy`."""
    try:
        check_able(server, policy)
    except RuleViolation:
        return None
    row, _made = Firewall.objects.select_for_update().get_or_create(
        server=server, defaults={"account_id": server.account_id, "state": Firewall.State.IN_FORCE}
    )
    return row


# ---------------------------------------------------------------- the lock of new accounts


def begin_anew(server: Server, *, now: datetime) -> None:
    """Its machine was just made, for the first time or in place of a lost one, and filters nothing yet: its place is
    told what is wanted. A server of a new account cannot send mail by the closed ports (SUB-4). In the transaction that
    made it."""
    filtered = places.capabilities(server.place).firewall
    if filtered is None:
        return
    account = Account.objects.get(pk=server.account_id)
    law = terms_in_force.at(account, now).limits
    rows = Firewall.objects.select_for_update()
    if filtered.outgoing and law.closed_ports and limits.standing_of(account).is_new(law):
        row, _made = rows.get_or_create(server=server, defaults={"account": account})
        row.closed_ports = ", ".join(map(str, law.closed_ports))
    elif (found := rows.filter(server=server).first()) is not None:
        row = found
    else:
        return
    row.in_force, row.in_force_since = "", None
    carry_out(row, server, now=now)


def closed_ports(server: Server) -> str:
    """SUB-4: the TCP ports by which no mail leaves the server because its account is new, "25, 465"; empty for none."""
    return Firewall.objects.filter(server=server).values_list("closed_ports", flat=True).first() or ""


def end_locks(place: str, *, now: datetime) -> int:
    """SUB-4: the lock goes with the limits of a new account; how many did."""
    locked = Firewall.objects.filter(server__place=place, server__state__in=ON_THE_HOST).exclude(closed_ports="")
    ended = 0
    for row in locked.select_related("account"):
        if limits.standing_of(row.account).is_new(terms_in_force.at(row.account, now).limits):
            continue
        with transaction.atomic():
            server = hold(Server.objects.get(pk=row.server_id))
            held = Firewall.objects.select_for_update().get(pk=server.pk)
            held.closed_ports = ""
            carry_out(held, server, now=now)
            told(server, "servers.firewall.unlocked", now=now, rule="SUB-4")
        ended += 1
    return ended


def handed_over(server: Server) -> None:
    """The rules protect the machine and stay; who wrote them, and why, is not the new holder's to read."""
    row = Firewall.objects.filter(server=server).first()
    if row is not None:
        own = replace(row.own, rules=tuple(replace(rule, note="") for rule in row.own.rules))
        Firewall.objects.filter(pk=row.pk).update(account=server.account_id, policy=firewall_rules.as_json(own))


# ---------------------------------------------------------------- carried out


@operations.register
class SetFirewall(operations.Handler):
    """The place filters by what is wanted by now, whatever was asked in between."""

    kind = "servers.firewall"
    label = gettext_lazy("Set the firewall of a server")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server, row = self._of(op)
        if server.state in {State.ORDERED, State.CREATING}:
            raise NotYet(5, "the machine is still being made")
        if server.state not in ON_THE_HOST:
            return {"skipped": server.state}
        if op.payload["action"]:
            reopen(op.payload["action"])
        wanted = row.wanted
        providers.get(server.place).set_firewall(server.provider_ref, wanted)
        return {"digest": digest(wanted)}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server, row = self._of(op)
        if server.state not in ON_THE_HOST:
            return None
        there, wanted = providers.get(server.place).firewall(server.provider_ref), row.wanted
        return {"digest": digest(wanted)} if there == wanted else None

    def _of(self, op: Operation) -> tuple[Server, Firewall]:
        server = Server.objects.select_related("firewall").get(pk=op.payload["server"])
        return server, server.firewall

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = Server.objects.select_for_update().get(pk=op.payload["server"])
        row = Firewall.objects.select_for_update().get(server=server)
        if "skipped" not in result:
            if row.in_force != result["digest"] or row.in_force_since is None:
                row.in_force, row.in_force_since = result["digest"], now
            if row.is_in_force:
                row.state = Firewall.State.IN_FORCE
            row.save(update_fields=["in_force", "in_force_since", "state"])
            told(server, "servers.firewall.applied", now=now, rule=RULE)
            if not row.is_in_force:  # a change that crossed this one may have been written over
                carry_out(row, server, now=now)
        if op.payload["action"]:
            state = ServerAction.State.CANCELLED if "skipped" in result else ServerAction.State.DONE
            finish(op.payload["action"], state, now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        mine = Firewall.objects.filter(server_id=op.payload["server"], operation=op, state=Firewall.State.WAITING)
        mine.update(state=Firewall.State.FAILED)
        if op.payload["action"]:
            action_log.gave_up(op, "servers.firewall.failed", now=now)
        else:
            told(Server.objects.get(pk=op.payload["server"]), "servers.firewall.failed", now=now, operation=op.pk)
