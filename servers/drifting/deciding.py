"""Staff decides on a finding; what follows is carried out once, after a last look at the place (SRV-1, SRV-2)."""

import re
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import events, mail, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import ProviderError, RuleViolation
from panel.core.models import Operation
from panel.core.states import move
from servers import actions, host_keys, places, providers, provisioning, rules
from servers.action_log import attach, begin, told
from servers.addressing import holdings
from servers.drifting import drift_rules
from servers.drifting.drift_rules import Decision, Found
from servers.drifting.drift_wording import SENTENCES
from servers.models import Discrepancy, Server, ServerAction
from servers.rules import TRANSITIONS, Finding, Power, State, Verb
from servers.safekeeping import backups

RULE = "SRV-1"
SHOWN = re.compile(r"(\S+ \S+)$")  # the key at the end of what the finding says
OPEN = (Operation.State.DUE, Operation.State.RUNNING)


def found(row: Discrepancy) -> Found:
    """What decides over a finding; `server` and `operation` are read with it."""
    server = row.server
    lost = server is not None and server.discrepancies.filter(kind=Finding.MISSING, resolved_at=None).exists()
    return Found(
        row.kind, open=row.resolved_at is None, lost=lost, key=key_of(row),
        deciding=is_decided(row) and row.operation is not None and row.operation.state in OPEN,
        state=server.state if server else "",
        busy=server is not None and _busy(server, row),
    )  # fmt: skip


def _busy(server: Server, row: Discrepancy) -> bool:
    """Whether something is under way on the server, or what was decided on another finding of it."""
    others = server.discrepancies.exclude(pk=row.pk)
    return (
        server.actions.filter(state=ServerAction.State.WAITING).exists()
        or others.filter(operation__kind__in=DECIDING, operation__state__in=OPEN).exists()
    )


def is_decided(row: Discrepancy) -> bool:
    """Whether its operation is what a person decided, done by now or not."""
    return row.operation is not None and row.operation.kind in DECIDING


def key_of(row: Discrepancy) -> str:
    """The host key that was shown, where the finding is of one."""
    shown = SHOWN.search(row.detail) if row.kind == Finding.HOST_KEY else None
    return shown[1] if shown else ""


@transaction.atomic
def decide(row: Discrepancy, decision: Decision, *, typed: str, reason: str, actor: Actor, now: datetime) -> None:
    """Have it done. RuleViolation where the reference was not `typed`, no `reason` is given or the state forbids it;
    PermissionDenied for who may not."""
    actions.DECIDE_FINDING.check(actor)
    row = Discrepancy.objects.select_for_update(of=("self",)).select_related("operation").get(pk=row.pk)
    row.server = _locked(row.server_id)
    if (refused := drift_rules.why_not(found(row), decision)) is not None:
        raise RuleViolation(str(SENTENCES[refused]), rule=RULE)
    if not reason.strip():
        raise RuleViolation(_("Say why."), rule=RULE, field="reason")
    if typed.strip() != row.ref:
        raise RuleViolation(_("The reference was not typed as shown; nothing has changed."), rule=RULE, field="typed")
    earlier, row.operation = row.operation, None
    if decision is Decision.REMAKE:
        _remake(row, actor=actor, now=now)
    else:
        row.operation = operations.enqueue(
            f"servers.finding_{decision}", key=f"servers.finding:{row.pk}:{earlier.pk if earlier else 0}", now=now,
            subject=row, account_id=row.server.account_id if row.server else None, payload={"discrepancy": row.pk},
        )  # fmt: skip
    row.save(update_fields=["operation"])
    if earlier is not None:
        operations.discard(earlier.pk, reason="a person has decided", now=now)
    events.record(
        "servers.discrepancy.decided", now=now, actor=actor, subject=row, rule=RULE,
        account_id=row.server.account_id if row.server else None,
        data={"kind": row.kind, "place": row.place, "ref": row.ref, "decision": str(decision)},
        private={"reason": reason.strip()[:500]},
    )  # fmt: skip


def _server_of(row: Discrepancy) -> Server:
    """The server of a finding whose kind has one."""
    if row.server is None:
        raise ProviderError(f"{row.ref} belongs to no server", permanent=True, code="not_found")
    return row.server


def _locked(server_id: int | None) -> Server | None:
    rows = Server.objects.select_for_update(of=("self",)).select_related("subscription", "account")
    return rows.get(pk=server_id) if server_id else None


def _remake(row: Discrepancy, *, actor: Actor, now: datetime) -> None:
    """The server begins once more, with what it holds: keys, firewall and price stay, and its addresses where the
    place does not choose them."""
    server = _server_of(row)
    move(server, State.CREATING, TRANSITIONS)
    server.provider_ref, server.host_key, server.rescue_since = "", "", None
    server.power, server.reachable = rules.Power.UNKNOWN, None
    server.save(update_fields=["provider_ref", "host_key", "rescue_since", "power", "reachable"])
    action = begin(server, Verb.CREATE, actor=actor, because=RULE, now=now, facts={"lost": row.ref})
    action.reached("paid", now)
    attach(action, provisioning.CreateServer.kind, f"servers.create:{server.token}:again:{row.pk}", now=now)
    Discrepancy.objects.filter(pk=row.pk).update(resolved_at=now)
    last = backups.latest(server)
    mail.send(
        "servers/remade", to=server.account.billing_email, lang=server.account.language, now=now,
        account_id=server.account_id, subject=server, key=f"servers.remade:{row.pk}",
        context={"server": server, "last": last.taken_at if last else None,
                 "other_address": places.capabilities(server.place).chooses_address},
    )  # fmt: skip
    told(server, "servers.server.remade", now=now, actor=actor, rule=RULE)


# ---------------------------------------------------------------- carried out


class _Decided(operations.Handler):
    """One decision: looked at again at the place, done, and the finding settled."""

    max_attempts = 8

    def _row(self, op: Operation) -> Discrepancy:
        rows = Discrepancy.objects.select_related("server__subscription")
        return rows.get(pk=op.payload["discrepancy"])

    def settled(self, row: Discrepancy, event: str, now: datetime) -> None:
        """Nothing is left to be decided."""
        Discrepancy.objects.filter(pk=row.pk).update(resolved_at=now)
        events.record(
            event, now=now, actor=SYSTEM, subject=row, rule=RULE,
            account_id=row.server.account_id if row.server else None,
            data={"kind": row.kind, "place": row.place, "ref": row.ref},
        )  # fmt: skip


@operations.register
class RemoveMachine(_Decided):
    """A machine that is no server's own is removed; one that has become somebody's is not."""

    kind = "servers.finding_remove"
    label = gettext_lazy("Remove a machine that is no server’s")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = self._row(op)
        cloud = providers.get(row.place)
        node = cloud.get(row.ref)
        if node is None or node.power is Power.GONE:
            return {}
        if Server.objects.alive().filter(place=row.place, provider_ref=row.ref).exists():
            raise ProviderError(f"{row.ref} is a server’s own by now", permanent=True, code="in_use")
        if not node.token:
            raise ProviderError(f"{row.ref} bears no mark of ours", permanent=True, code="not_ours")
        cloud.destroy(row.ref)
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        self.settled(self._row(op), "servers.discrepancy.removed", now)


@operations.register
class AdoptMachine(_Decided):
    """A machine that bears the server's mark becomes its own, once its own is certainly gone."""

    kind = "servers.finding_adopt"
    label = gettext_lazy("Take a machine on for its server")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = self._row(op)
        server = _server_of(row)
        cloud = providers.get(row.place)
        node, own = cloud.get(row.ref), cloud.get(server.provider_ref)
        if server.provider_ref != row.ref and own is not None and own.power is not Power.GONE:
            raise ProviderError(f"{server.provider_ref} is there again", permanent=True, code="in_use")
        if node is None or node.token not in (server.token, providers.mark(server.token)):
            raise ProviderError(f"{row.ref} is not a machine of this server", permanent=True, code="not_ours")
        key = cloud.host_key(row.ref) if cloud.capabilities.host_key else ""
        given = list(node.addresses) if cloud.capabilities.chooses_address else []
        return {"power": str(node.power), "host_key": key, "given": given}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        row = self._row(op)
        server = Server.objects.select_for_update().get(pk=_server_of(row).pk)
        server.provider_ref, server.host_key, server.power = row.ref, result["host_key"], result["power"]
        server.save(update_fields=["provider_ref", "host_key", "power"])
        holdings.adopt(server, result["given"], now=now)
        server.discrepancies.filter(kind=Finding.MISSING, resolved_at=None).update(resolved_at=now)
        self.settled(row, "servers.discrepancy.adopted", now)


@operations.register
class TrustHostKey(_Decided):
    """The key that a person compared is pinned, if the machine still shows it."""

    kind = "servers.finding_trust"
    label = gettext_lazy("Trust a new host key")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        row = self._row(op)
        server = _server_of(row)
        shown = host_keys.shown_by(server)
        if not shown:
            raise ProviderError(f"{server.reference} does not answer", code="unreachable")
        if shown.split()[:2] != key_of(row).split()[:2]:
            raise ProviderError(f"{server.reference} shows yet another key", permanent=True, code="host_key")
        return {"host_key": shown}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        row = self._row(op)
        Server.objects.filter(pk=_server_of(row).pk).update(host_key=result["host_key"])
        self.settled(row, "servers.discrepancy.trusted", now)


DECIDING = frozenset({RemoveMachine.kind, AdoptMachine.kind, TrustHostKey.kind})
