"""A server's name, which its machine bears too where the place can reach it, and the labels it is sorted by (SRV-8)."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from servers import action_log, actions, places, providers, rules
from servers.action_log import attach, begin, finish, published, reopen, told
from servers.label_models import ServerLabel
from servers.models import Server, ServerAction
from servers.rules import ON_THE_HOST, Verb
from servers.verbs.power import hold


def checked(name: str) -> str:
    """The host name that `name` gives; RuleViolation where it is none."""
    wanted = rules.host_name(name)
    if wanted is None:
        raise RuleViolation(
            _("A server's name has letters, digits and hyphens, at most 63, and no hyphen at an end."),
            rule="SRV-8", field="name",
        )  # fmt: skip
    return wanted


@transaction.atomic
def rename(server: Server, name: str, *, actor: Actor, now: datetime) -> ServerAction | None:
    """Call it `name` from now on, everywhere; its machine follows by an operation. None where it is called so already.
    RuleViolation for what is no host name, PermissionDenied for who may not."""
    server = hold(server)
    actions.RENAME.check(actor, server)
    wanted = checked(name)
    if wanted == server.name:
        return None
    action = begin(
        server, Verb.RENAME, actor=actor, because="", now=now, facts={"before": server.name, "after": wanted}
    )
    Server.objects.filter(pk=server.pk).update(name=wanted)
    if server.state in ON_THE_HOST and places.capabilities(server.place).rename:
        attach(action, RenameServer.kind, f"servers.rename:{action.pk}", now=now)
    else:
        finish(action.pk, ServerAction.State.DONE, now)
    told(server, "servers.server.renamed", now=now, actor=actor)
    return action


@operations.register
class RenameServer(operations.Handler):
    """The machine is called what its server is called by now, whatever was asked in between."""

    kind = "servers.rename"
    label = gettext_lazy("Rename a server")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        server = Server.objects.get(pk=op.payload["server"])
        if server.state not in ON_THE_HOST:
            return {"skipped": server.state}
        reopen(op.payload["action"])
        providers.get(server.place).rename(server.provider_ref, server.name)
        return {}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        skipped = "skipped" in result
        finish(op.payload["action"], ServerAction.State.CANCELLED if skipped else ServerAction.State.DONE, now)
        published(Server.objects.get(pk=op.payload["server"]), "servers.action.step")

    def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
        action_log.gave_up(op, "servers.server.rename_failed", now=now)


@transaction.atomic
def label(server: Server, text: str, *, actor: Actor, now: datetime) -> None:
    """Give it exactly the labels that `text` names, divided by commas or spaces. RuleViolation where one does not fit,
    PermissionDenied for who may not."""
    server = hold(server)
    actions.RENAME.check(actor, server)
    wanted = rules.labels(text)
    if wanted is None:
        raise RuleViolation(
            _("A server has at most %(most)s labels, each of at most 24 letters, digits, hyphens or dots.")
            % {"most": rules.MOST_LABELS},
            rule="SRV-8", field="labels",
        )  # fmt: skip
    known = set(server.labels.values_list("name", flat=True))
    if known == set(wanted):
        return
    server.labels.exclude(name__in=wanted).delete()
    ServerLabel.objects.bulk_create([
        ServerLabel(server=server, account_id=server.account_id, name=name) for name in wanted if name not in known
    ])  # fmt: skip
    told(server, "servers.server.labelled", now=now, actor=actor)
