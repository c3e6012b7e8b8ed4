"""Start, stop, cut and reboot, asked by a person and carried out once (SRV-8)."""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from panel.core import operations
from panel.core.actors import Actor
from panel.core.errors import NotYet, RuleViolation
from panel.core.models import Operation
from panel.core.states import move
from servers import action_log, actions, enforcement, metering, providers
from servers.action_log import attach, begin, finish, note, noted, published, reopen, told
from servers.models import Server, ServerAction
from servers.rules import ON_THE_HOST, TRANSITIONS, Power, State, Verb, after, ignored

LOOK_AGAIN = 5  # seconds between two looks at a machine that was asked to shut down


def hold(server: Server) -> Server:
    """The server, locked until the transaction ends. RuleViolation when it was handed over to another account since
    the caller read it."""
    held = Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=server.pk)
    if held.account_id != server.account_id:
        raise RuleViolation(str(_("This server belongs to another account now.")))
    return held


@transaction.atomic
def request(
    server: Server, verb: Verb, *, actor: Actor, now: datetime, facts: Mapping[str, Any] | None = None
) -> ServerAction:
    """Have one of `rules.ONE_AT_A_TIME` done. A second click while the first is under way returns the first.

    PermissionDenied when `actor` may not; RuleViolation with the sentence when the state forbids it, or when the server
    was handed over to another account since the caller read it.
    """
    server = hold(server)
    same = server.actions.filter(verb=verb, state=ServerAction.State.WAITING).first()
    if same is not None and actions.BY_VERB[verb].permits(actor):
        return same
    actions.BY_VERB[verb].check(actor, server)
    if verb is Verb.CUT:  # who asked politely need not wait for the answer
        waiting = server.actions.filter(verb=Verb.STOP, state=ServerAction.State.WAITING)
        waiting.update(state=ServerAction.State.CANCELLED, finished_at=now)
    try:
        with transaction.atomic():
            action = begin(server, verb, actor=actor, because="", now=now, facts=facts)
    except IntegrityError as error:
        raise RuleViolation(str(actions.SENTENCES["busy"])) from error
    attach(action, f"servers.{verb}", f"servers.{verb}:{action.pk}", now=now)
    told(server, f"servers.server.{verb}_asked", now=now, actor=actor)
    return action


class MachineOperation(operations.Handler):
    """Something done to the machine itself, after which its power is `wanted`."""

    verb: Verb
    wanted: Power

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.select_related("subscription").get(pk=op.payload["server"])
        if server.state not in ON_THE_HOST:
            return {"skipped": server.state}
        if enforcement.held_by(server) and not self.begun(op):
            return {"skipped": "suspended"}
        reopen(op.payload["action"])
        return self.command(server, op, now)

    def begun(self, op: Operation) -> bool:
        """Whether it is too late to leave it undone."""
        return False

    @abstractmethod
    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        """Have the provider do it; what it answered."""

    def happened(self, op: Operation) -> dict[str, Any] | None:
        server = Server.objects.get(pk=op.payload["server"])
        node = providers.get(server.place).get(server.provider_ref)
        return {"power": str(node.power)} if node and node.power is self.wanted else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        server = (
            Server.objects.select_for_update(of=("self",)).select_related("subscription").get(pk=op.payload["server"])
        )
        if "skipped" in result or server.state not in ON_THE_HOST:
            finish(op.payload["action"], ServerAction.State.CANCELLED, now)
            published(server, "servers.action.cancelled")
            return
        Server.objects.filter(pk=server.pk).update(power=self.wanted, **self.changed(op, result, now))
        target = after(self.verb)
        if target and server.state not in {target, State.SUSPENDED}:
            move(server, target, TRANSITIONS)
        finish(op.payload["action"], ServerAction.State.DONE, now)
        told(server, f"servers.server.{self.verb}_done", now=now)
        because = enforcement.held_by(server)
        if because and server.state == State.SUSPENDED and self.wanted is Power.ON:  # both crossed at the place
            enforcement.suspend(server, because=because, key=f"after:{op.payload['action']}", now=now)
        enforcement.catch_up(server, now=now)

    def changed(self, op: Operation, result: dict[str, Any], now: datetime) -> dict[str, Any]:
        """What else is true of the server now: fields and values."""
        return {}

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, f"servers.server.{self.verb}_failed", now=now)


@operations.register
class StartServer(MachineOperation):
    kind = "servers.start"
    label = _("Start a server")
    verb = Verb.START
    wanted = Power.ON

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        return {"power": str(providers.get(server.place).start(server.provider_ref).power)}


@operations.register
class StopServer(MachineOperation):
    """The machine is asked to shut down, once, and has some minutes for it; then this says that it did not."""

    kind = "servers.stop"
    label = _("Stop a server")
    verb = Verb.STOP
    wanted = Power.OFF

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        if self._overtaken(op):
            return {"skipped": "cut"}
        cloud, facts = providers.get(server.place), noted(op)
        if "asked_at" not in facts:
            metering.last_reading(server, now=now)
            cloud.shut_down(server.provider_ref)
            facts = note(op, asked_at=now.isoformat())
        node = cloud.get(server.provider_ref)
        if node is not None and node.power is Power.OFF:
            return {"power": str(node.power)}
        if ignored(datetime.fromisoformat(facts["asked_at"]), now):
            return {"ignored": True}
        raise NotYet(LOOK_AGAIN, "asked to shut down, and still on")

    @staticmethod
    def _overtaken(op: Operation) -> bool:
        return ServerAction.objects.filter(pk=op.payload["action"], state=ServerAction.State.CANCELLED).exists()

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        if self._overtaken(op):
            return
        if "ignored" not in result:
            super().completed(op, result, now=now)
            return
        note(op, why="ignored")
        finish(op.payload["action"], ServerAction.State.FAILED, now)
        told(Server.objects.get(pk=op.payload["server"]), "servers.server.stop_ignored", now=now)


@operations.register
class CutServer(MachineOperation):
    kind = "servers.cut"
    label = _("Cut the power of a server")
    verb = Verb.CUT
    wanted = Power.OFF

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        metering.last_reading(server, now=now)
        return {"power": str(providers.get(server.place).stop(server.provider_ref).power)}


@operations.register
class RebootServer(MachineOperation):
    """A reboot that happened shows in the counters: they began anew."""

    kind = "servers.reboot"
    label = _("Reboot a server")
    verb = Verb.REBOOT
    wanted = Power.ON

    def command(self, server: Server, op: Operation, now: datetime) -> dict[str, Any]:
        cloud = providers.get(server.place)
        if cloud.capabilities.counters:
            epoch = cloud.counters(server.provider_ref, now=now).epoch
            ServerAction.objects.filter(pk=op.payload["action"], facts={}).update(facts={"epoch": epoch})
        metering.last_reading(server, now=now)
        return {"power": str(cloud.reboot(server.provider_ref).power)}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        action = ServerAction.objects.select_related("server").get(pk=op.payload["action"])
        cloud, before = providers.get(action.server.place), action.facts.get("epoch")
        if before is None or not cloud.capabilities.counters:
            return None
        epoch = cloud.counters(action.server.provider_ref, now=action.requested_at).epoch
        return super().happened(op) if epoch != before else None
