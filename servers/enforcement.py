"""Carrying out what restrictions and unpaid subscriptions ask of machines, and undoing it (ABU-4, ACC-13, SUB-8).

The question "must this server be off?" has one answer, `held_by`; every operation asks it again before it acts, and
`catch_up` asks it after. So a lifting that crosses a suspension, in whatever order, ends in the right state.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from invoicing.models import Subscription
from panel.accounts import restrictions
from panel.accounts.models import Restriction
from panel.core import events, operations
from panel.core.actors import SYSTEM
from panel.core.errors import NotYet, ProviderError
from panel.core.models import Event, Operation, subject_of
from panel.core.states import move
from servers import action_log, metering, providers, rules
from servers.action_log import attach, begin, finish, published, reopen, told
from servers.addressing import blocking
from servers.models import Address, Server, ServerAction
from servers.rules import TRANSITIONS, Power, State, Verb

LOOK_AGAIN = 3
CONFIRMED = {
    "account": "servers.account.suspended",
    "subscription": "servers.subscription.suspended",
    "server": "servers.server.cut_off",
}
UNSETTLED = frozenset({State.ORDERED, State.CREATING})


def held_by(server: Server) -> str | None:
    """Why the server must be off: the rule of a restriction of its account, subscription or itself, SUB-8 where its
    subscription is suspended, SUB-5 where its owner paused it."""
    for subject in (server, server.subscription):
        restriction = restrictions.blocking(server.account_id, "use_service", subject)
        if restriction is not None:
            return restriction.rule
    row = Subscription.objects.filter(pk=server.subscription_id, state="suspended").first()
    if row is None:
        return None
    return "SUB-5" if row.shown_state == "paused" else "SUB-8"


def suspend(server: Server, *, because: str, key: str, now: datetime) -> None:
    """Have the machine powered off and kept so, once per `key`; in the transaction of the decision."""
    if server.state in {State.DESTROYING, State.DESTROYED}:
        return
    if not Operation.objects.filter(key=f"servers.suspend:{server.pk}:{key}").exists():
        action = begin(server, Verb.SUSPEND, actor=SYSTEM, because=because[:120], now=now)
        attach(action, SuspendServer.kind, f"servers.suspend:{server.pk}:{key}", now=now)
        told(server, "servers.server.suspend_asked", now=now, rule=because if rules.names_a_rule(because) else "")


def resume(server: Server, *, because: str, key: str, now: datetime) -> None:
    """Have the machine brought back to what it was before, once per `key`, if nothing else holds it down."""
    if server.state in {State.DESTROYING, State.DESTROYED}:
        return
    if not Operation.objects.filter(key=f"servers.resume:{server.pk}:{key}").exists():
        action = begin(server, Verb.RESUME, actor=SYSTEM, because=because[:120], now=now)
        attach(action, ResumeServer.kind, f"servers.resume:{server.pk}:{key}", now=now)


def catch_up(server: Server, *, now: datetime) -> None:
    """After a machine came up or was started: suspend it if it must be off by now, resume it if it need not be."""
    server = Server.objects.select_related("subscription").get(pk=server.pk)
    last = server.actions.order_by("-pk").values_list("pk", flat=True).first()
    because = held_by(server)
    if because and server.state in {State.RUNNING, State.STOPPED}:
        suspend(server, because=because, key=f"after:{last}", now=now)
    elif not because and server.state == State.SUSPENDED:
        resume(server, because="", key=f"after:{last}", now=now)


@operations.register
class SuspendServer(operations.Handler):
    """The machine is off, and its owner cannot start it."""

    kind = "servers.suspend"
    resumable = True
    label = _("Suspend a server")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        if server.state in UNSETTLED:
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "the machine is still being made")
        if server.state in {State.FAILED, State.DESTROYING, State.DESTROYED}:
            return {"skipped": server.state}
        if held_by(server) is None:
            return {"skipped": "lifted"}
        reopen(op.payload["action"])
        cloud = providers.get(server.place)
        node = cloud.get(server.provider_ref)
        if node is None:
            return {"power": str(Power.GONE)}
        if node.power is not Power.OFF:
            metering.last_reading(server, now=now)
            node = cloud.stop(server.provider_ref)
        return {"power": str(node.power)}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        if server.state != State.SUSPENDED:
            return None
        node = providers.get(server.place).get(server.provider_ref)
        return {"power": str(node.power)} if node and node.power is Power.OFF else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = (
            Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=op.payload["server"])
        )
        if "skipped" in result:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
            published(server, "servers.action.cancelled")
            return
        finish(op.payload["action"], ServerAction.State.DONE, now)
        if server.state in {State.RUNNING, State.STOPPED}:
            Server.objects.filter(pk=server.pk).update(resume_to=server.state, power=result["power"], reachable=False)
            move(server, State.SUSPENDED, TRANSITIONS)
            told(server, "servers.server.suspended", now=now)
        catch_up(server, now=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.server.suspend_failed", now=now)


@operations.register
class ResumeServer(operations.Handler):
    """The machine is what it was before the suspension."""

    kind = "servers.resume"
    resumable = True
    label = _("Resume a server")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        suspending = server.actions.filter(verb=Verb.SUSPEND, state=ServerAction.State.WAITING)
        if server.state in UNSETTLED or suspending.exists():
            raise NotYet(rules.patience(LOOK_AGAIN, op.attempts), "another operation on this server comes first")
        if server.state != State.SUSPENDED:
            return {"skipped": server.state}
        if held_by(server):
            return {"skipped": "held"}
        reopen(op.payload["action"])
        if server.resume_to == State.RUNNING:
            return {"power": str(providers.get(server.place).start(server.provider_ref).power)}
        return {"power": str(Power.OFF)}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = (
            Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=op.payload["server"])
        )
        if "skipped" in result or server.state != State.SUSPENDED:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
            published(server, "servers.action.cancelled")
            return
        finish(op.payload["action"], ServerAction.State.DONE, now)
        Server.objects.filter(pk=server.pk).update(power=result["power"])
        move(server, server.resume_to or State.STOPPED, TRANSITIONS)
        told(server, "servers.server.resumed", now=now)
        catch_up(server, now=now)

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.server.resume_failed", now=now)


# ---------------------------------------------------------------- restrictions


def _servers_under(restriction: Restriction) -> list[Server]:
    """The living servers a restriction is about."""
    alive = Server.objects.alive().filter(account_id=restriction.account_id).select_related("subscription")
    match restriction.scope:
        case Restriction.Scope.ACCOUNT:
            return list(alive)
        case Restriction.Scope.SUBSCRIPTION:
            return list(alive.filter(subscription_id=restriction.subject_id or 0))
        case Restriction.Scope.SERVER:
            return list(alive.filter(pk=restriction.subject_id or 0))
        case _:
            return []


@events.subscriber("accounts.restriction.started", "servers.enforce")
def enforce(event: Event, *, now: datetime) -> None:
    """ABU-3, ABU-4, SUB-8: an address is cut off, or every machine meant goes off; the effect is told when all are."""
    restriction = Restriction.objects.get(pk=event.data["restriction"])
    address = _address_of(restriction)
    if address is not None:
        blocking.request_block(address, restriction=restriction, now=now)
        return
    if restriction.scope == Restriction.Scope.PORTS:
        return  # the firewall's to carry out: networking.mail_filter
    if restriction.scope not in CONFIRMED:
        raise ProviderError(f"no place here carries out a restriction of {restriction.scope}", permanent=True)
    for server in _servers_under(restriction):
        suspend(server, because=restriction.rule, key=str(restriction.pk), now=now)
    operations.enqueue(
        ConfirmSuspension.kind, key=f"servers.suspended:{restriction.pk}", now=now, account_id=restriction.account_id,
        subject=restriction, payload={"restriction": restriction.pk},
    )  # fmt: skip


@events.subscriber("accounts.restriction.lifted", "servers.release")
def release(event: Event, *, now: datetime) -> None:
    """ACC-13: what a lifted restriction took away comes back, unless another one still takes it."""
    restriction = Restriction.objects.get(pk=event.data["restriction"])
    address = _address_of(restriction)
    if address is not None:
        blocking.request_unblock(address, restriction=restriction, now=now)
    for server in _servers_under(restriction):
        resume(server, because=restriction.rule, key=str(restriction.pk), now=now)


def _address_of(restriction: Restriction) -> Address | None:
    if restriction.scope != Restriction.Scope.ADDRESS or restriction.subject_type != Address._meta.label_lower:
        return None
    return Address.objects.get(pk=restriction.subject_id or 0)


@operations.register
class ConfirmSuspension(operations.Handler):
    """Once every machine meant is off: the restriction took effect (the clock of ABU-5 runs from here)."""

    kind = "servers.suspended"
    resumable = True
    label = _("Confirm a suspension")
    max_attempts = 12

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        restriction = Restriction.objects.get(pk=op.payload["restriction"])
        if restriction.state != Restriction.State.ACTIVE:
            return {"skipped": "lifted"}
        under = _servers_under(restriction)
        open_ones = [
            server.pk for server in under if server.state not in {State.SUSPENDED, State.DESTROYING, State.FAILED}
        ]
        if open_ones:
            raise NotYet(
                rules.patience(LOOK_AGAIN, op.attempts), f"{len(open_ones)} of {len(under)} servers are not off yet"
            )
        return {"servers": len(under)}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if "skipped" in result:
            return
        restriction = restrictions.took_effect(op.payload["restriction"], now=now)
        events.record(
            CONFIRMED[restriction.scope], now=now, actor=SYSTEM, account_id=restriction.account_id,
            rule=restriction.rule, data={"restriction_id": restriction.pk, "servers": result["servers"]},
            subject=restriction,
        )  # fmt: skip


@transaction.atomic
def restrictions_on(server: Server) -> list[Restriction]:
    """What is in force that touches this server: on its account, its subscription, itself, its addresses (ACC-13)."""
    names = [subject_of(server), subject_of(server.subscription)]
    names += [subject_of(holding.address) for holding in server.holdings.now().select_related("address")]
    rows = Restriction.objects.in_force().filter(account_id=server.account_id).order_by("pk")
    wanted = {(name["subject_type"], name["subject_id"]) for name in names}
    return [row for row in rows if row.scope == "account" or (row.subject_type, row.subject_id) in wanted]
