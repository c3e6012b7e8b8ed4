"""Who may do what with servers, and why not just now."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.accounts import restrictions
from panel.core import live
from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor
from servers import rules
from servers.models import Server, ServerAction
from servers.rules import Verb, WhyNot

STAFF = ("support", "billing", "abuse", "infrastructure")

SENTENCES: dict[str, str | Promise] = {
    WhyNot.NOT_READY: _("The server is still being set up."),
    WhyNot.FAILED: _("The server could not be set up; our team has been told."),
    WhyNot.ENDED: _("The server has ended."),
    WhyNot.SUSPENDED: _("The server is suspended. The notice on this page says why and what you can do."),
    WhyNot.BUSY: _("Another action on this server is still under way."),
    WhyNot.ALREADY_ON: _("The server is running already."),
    WhyNot.ALREADY_OFF: _("The server is stopped already."),
}


def _why_not(verb: Verb, actor: Actor, server: Server) -> Reason:
    reason = rules.why_not(verb, state=server.state, busy=is_busy(server))
    if reason is None and restrictions.blocking(server.account_id, "manage_servers", server):
        reason = WhyNot.SUSPENDED
    return SENTENCES[reason] if reason else None


def is_busy(server: Server) -> bool:
    """Whether a start, stop or reboot is under way."""
    return server.actions.filter(state=ServerAction.State.WAITING, verb__in=rules.POWER_VERBS).exists()


def _start(actor: Actor, server: Any) -> Reason:
    return _why_not(Verb.START, actor, server)


def _stop(actor: Actor, server: Any) -> Reason:
    return _why_not(Verb.STOP, actor, server)


def _reboot(actor: Actor, server: Any) -> Reason:
    return _why_not(Verb.REBOOT, actor, server)


def _keys(actor: Actor, server: Any) -> Reason:
    return _why_not(Verb.KEYS, actor, server) if isinstance(server, Server) else None


SEE = Action("servers.see", _("See servers"), permission="see")
START = Action("servers.start", _("Start"), permission="servers", roles=("infrastructure",), why_not=_start)
STOP = Action(
    "servers.stop", _("Stop"), permission="servers", roles=("infrastructure",), danger=Danger.CONFIRM, why_not=_stop
)
REBOOT = Action(
    "servers.reboot", _("Reboot"), permission="servers", roles=("infrastructure",), danger=Danger.CONFIRM,
    why_not=_reboot,
)  # fmt: skip
WARN_AT = Action("servers.warn_at", _("Traffic warning"), permission="servers")
SEE_KEYS = Action("servers.keys", _("SSH keys"), permission="see")
KEYS = Action("servers.keys_change", _("Change SSH keys"), permission="servers", why_not=_keys)
STAFF_SEE = Action("servers.staff_see", _("Fleet"), roles=STAFF)

BY_VERB: dict[Verb, Action] = {Verb.START: START, Verb.STOP: STOP, Verb.REBOOT: REBOOT}


def may_watch(actor: Actor, name: str) -> bool:
    """SRV-12: whether `actor` may hear of the topic "server:<name>": staff, and who may see it in its account."""
    if not name.isdecimal():
        return False
    allowed = STAFF_SEE if actor.is_staff and actor.account_id is None else SEE
    return allowed.permits(actor) and Server.objects.visible_to(actor).filter(pk=int(name)).exists()


live.register_topic("server", may_watch)
