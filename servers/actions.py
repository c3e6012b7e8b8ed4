"""Who may do what with servers, and why not just now."""

from collections.abc import Callable
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.accounts import restrictions
from panel.core import live
from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor
from servers import dns, places, rules
from servers.models import ManagedService, Server, ServerAction, SshKey
from servers.rules import State, Verb, WhyNot

STAFF = ("support", "billing", "abuse", "infrastructure")

SENTENCES: dict[str, str | Promise] = {
    WhyNot.NOT_READY: _("The server is still being set up."),
    WhyNot.FAILED: _("The server could not be set up; our team has been told."),
    WhyNot.ENDED: _("The server has ended."),
    WhyNot.SUSPENDED: _("The server is suspended. The notice on this page says why and what you can do."),
    WhyNot.BUSY: _("Another action on this server is still under way."),
    WhyNot.ALREADY_ON: _("The server is running already."),
    WhyNot.ALREADY_OFF: _("The server is stopped already."),
    WhyNot.PROTECTED: _("The server is protected from deletion. Take the protection off first."),
    WhyNot.NOT_PROTECTED: _("The server is not protected."),
    WhyNot.ENDS_ALREADY: _("The end of its subscription is planned. Take that back first."),
    WhyNot.IN_RESCUE: _("The server runs its rescue system. Leave it first."),
    WhyNot.NOT_IN_RESCUE: _("The server does not run a rescue system."),
    WhyNot.NO_KEY: _("Nobody could log in: the account has no SSH key. Add one first."),
}
NO_MACHINE = _("There is no machine to try this on.")
NOT_HERE: dict[str, str | Promise] = {
    "start_stop": _("This place cannot switch a server on and off."),
    "soft_stop": _("This place cannot ask a server to shut down. Shut it down from inside, or cut its power."),
    "reboot": _("This place cannot reboot a server."),
    "rebuild": _("This place cannot give a server a new disk."),
    "rescue": _("This place has no rescue system."),
    "keys": _("This place puts keys on a server only while it is made. Change them from inside the server."),
    "snapshots": _("This place cannot copy a server's disk."),
    "restore": _("This place cannot put a copy back on the same server. Order a new server that begins as the copy."),
    "firewall": _("This place cannot filter a server's packets. Use a firewall inside the server."),
}


def _why_not(verb: Verb) -> Callable[[Actor, Any], Reason]:
    def refusal(actor: Actor, server: Any) -> Reason:
        if not isinstance(server, Server):
            return None
        reason = rules.why_not(verb, _standing(verb, server))
        if reason is None and restrictions.blocking(server.account_id, "manage_servers", server):
            reason = WhyNot.SUSPENDED
        if reason is WhyNot.NOT_HERE:
            return NOT_HERE[rules.NEEDS[verb]]
        return SENTENCES[reason] if reason else None

    return refusal


_KEPT_BY_US = _("This server is managed by us, and so is its firewall: ask for a change, and our team looks at it.")


def _is_kept(actor: Actor, server: Any) -> bool:
    """SRV-9: the firewall of a managed server is changed by a request, after review."""
    return (
        isinstance(server, Server) and not actor.is_staff
        and ManagedService.objects.filter(server=server, wanted=True).exists()
    )  # fmt: skip


def _cannot_end(server: Server) -> Reason:
    """Why staff cannot destroy it: also what failed or is suspended can be."""
    if server.state in (State.DESTROYING, State.DESTROYED):
        return SENTENCES[WhyNot.ENDED]
    return SENTENCES[WhyNot.PROTECTED] if server.protected else None


def _cannot_name(server: Server) -> Reason:
    if server.state not in rules.ON_THE_HOST:
        return SENTENCES[_NOT_NAMED.get(State(server.state), WhyNot.ENDED)]
    return None if dns.can(server.place) else _("Nobody publishes names for the addresses of this place.")


_NOT_NAMED = {
    State.ORDERED: WhyNot.NOT_READY, State.CREATING: WhyNot.NOT_READY, State.FAILED: WhyNot.FAILED
}  # fmt: skip


def no_machine(server: Server) -> Reason:
    """Why there is no machine that its owner may use; None where there is one."""
    why = rules.why_no_machine(server.state)
    return SENTENCES[why] if why else None


def _standing(verb: Verb, server: Server) -> rules.Standing:
    """What decides over `verb`; what costs a question is asked only where it matters."""
    return rules.Standing(
        server.state, busy=verb in _EXCLUDED and is_busy(server, verb), able=places.able(server.place, verb),
        rescue=server.rescue_since is not None, protected=server.protected,
        keys=verb is not Verb.RESCUE or SshKey.objects.filter(account=server.account_id, removed_at=None).exists(),
        ends=verb is Verb.PROTECT and server.subscription.ends_on is not None,
    )  # fmt: skip


def is_busy(server: Server, verb: Verb) -> bool:
    """Whether one of the verbs is under way that exclude `verb`: who asked a machine to shut down may still cut it."""
    others = rules.ONE_AT_A_TIME - ({Verb.STOP} if verb is Verb.CUT else set())
    return server.actions.filter(state=ServerAction.State.WAITING, verb__in=others).exists()


_EXCLUDED = rules.ONE_AT_A_TIME | {Verb.SNAPSHOT}

SEE = Action("servers.see", _("See servers"), permission="see")
START = Action(
    "servers.start", _("Start"), permission="servers", roles=("infrastructure",), why_not=_why_not(Verb.START)
)
STOP = Action(
    "servers.stop", _("Stop"), permission="servers", roles=("infrastructure",), danger=Danger.CONFIRM,
    why_not=_why_not(Verb.STOP),
)  # fmt: skip
CUT = Action(
    "servers.cut", _("Cut the power"), permission="servers", roles=("infrastructure",), danger=Danger.CONFIRM,
    why_not=_why_not(Verb.CUT),
)  # fmt: skip
REBOOT = Action(
    "servers.reboot", _("Reboot"), permission="servers", roles=("infrastructure",), danger=Danger.CONFIRM,
    why_not=_why_not(Verb.REBOOT),
)  # fmt: skip
MANAGE = Action("servers.manage", _("Manage a server"), permission="servers")
STAFF_MANAGE = Action("servers.staff_manage", _("Manage a server"), roles=("infrastructure",))
LIMIT = Action("servers.limit", _("Limit a server"), roles=("infrastructure", "abuse"), danger=Danger.CONFIRM)
ANSWER_LIMIT = Action("servers.limit_answer", _("Answer to a limit"), permission="tickets")
RENAME = Action(
    "servers.rename", _("Rename"), permission="servers", roles=("infrastructure",), why_not=_why_not(Verb.RENAME)
)
PROTECT = Action(
    "servers.protect", _("Protect from deletion"), permission="servers", roles=("infrastructure",),
    why_not=_why_not(Verb.PROTECT),
)  # fmt: skip
# Who may order it, and so end it, may take its protection off (SUB-6).
UNPROTECT = Action(
    "servers.unprotect", _("Take the protection off"), permission="order", roles=("infrastructure",),
    danger=Danger.CONFIRM, why_not=_why_not(Verb.UNPROTECT),
)  # fmt: skip
REBUILD = Action(
    "servers.rebuild", _("Rebuild"), permission="servers", roles=("infrastructure",), danger=Danger.DESTROYS,
    why_not=_why_not(Verb.REBUILD),
)  # fmt: skip
RESCUE = Action(
    "servers.rescue", _("Start the rescue system"), permission="servers", roles=("infrastructure",),
    danger=Danger.CONFIRM, why_not=_why_not(Verb.RESCUE),
)  # fmt: skip
LEAVE_RESCUE = Action(
    "servers.leave_rescue", _("Leave the rescue system"), permission="servers", roles=("infrastructure",),
    danger=Danger.CONFIRM, why_not=_why_not(Verb.LEAVE_RESCUE),
)  # fmt: skip
DESTROY = Action(
    "servers.destroy", _("Destroy"), permission="order", danger=Danger.DESTROYS, why_not=_why_not(Verb.DESTROY)
)
STAFF_DESTROY = Action(
    "servers.staff_destroy", _("Destroy"), roles=("infrastructure",), danger=Danger.DESTROYS,
    why_not=lambda _actor, server: None if server is None else _cannot_end(server),
)  # fmt: skip
FIREWALL = Action(
    "servers.firewall", _("Change the firewall"), permission="servers", roles=("infrastructure",),
    why_not=lambda actor, server: _KEPT_BY_US if _is_kept(actor, server) else _why_not(Verb.FIREWALL)(actor, server),
)  # fmt: skip
ASK_FIREWALL = Action(
    "servers.firewall_ask", _("Ask for a change of the firewall"), permission="tickets", why_not=_why_not(Verb.FIREWALL)
)
DECIDE_FIREWALL = Action("servers.firewall_decide", _("Decide on a change of the firewall"), roles=("infrastructure",))
NAME_ADDRESS = Action(
    "servers.name_address", _("Name an address"), permission="servers", roles=("infrastructure",),
    why_not=lambda _actor, server: None if server is None else _cannot_name(server),
)  # fmt: skip
MOVE_ADDRESS = Action("servers.move_address", _("Move an address"), permission="servers", roles=("infrastructure",))
SEE_ADDRESSES = Action("servers.addresses", _("Addresses"), permission="see")
GIVE_BACK_ADDRESS = Action(
    "servers.give_back_address", _("Give an address back"), permission="order", danger=Danger.CONFIRM
)
STAFF_POOLS = Action("servers.staff_pools", _("Address pools"), roles=STAFF)
ADD_BLOCK = Action("servers.add_block", _("Add a block of addresses"), roles=("infrastructure",))
TEST_PORT = Action(
    "servers.test_port", _("Try a port"), permission="servers", roles=("infrastructure", "support"),
    why_not=lambda _actor, server: None if server is None or server.state in rules.ON_THE_HOST else NO_MACHINE,
)  # fmt: skip
SNAPSHOT = Action(
    "servers.snapshot", _("Take a snapshot"), permission="servers", roles=("infrastructure",),
    why_not=_why_not(Verb.SNAPSHOT),
)  # fmt: skip
RESTORE = Action(
    "servers.restore", _("Restore a copy"), permission="servers", roles=("infrastructure",), danger=Danger.DESTROYS,
    why_not=_why_not(Verb.RESTORE),
)  # fmt: skip
DELETE_COPY = Action(
    "servers.delete_copy", _("Delete a copy"), permission="servers", roles=("infrastructure",), danger=Danger.DESTROYS
)
PLAN_BACKUPS = Action("servers.plan_backups", _("Choose when backups are made"), permission="servers",
                      roles=("infrastructure",))  # fmt: skip
DECIDE_FINDING = Action(
    "servers.finding_decide", _("Decide on a finding"), roles=("infrastructure",), danger=Danger.DESTROYS
)
SEE_READINGS = Action("servers.readings", _("Doubtful readings"), roles=("billing", "infrastructure"))
DECIDE_READING = Action(
    "servers.reading_decide", _("Decide on a doubtful reading"), roles=("billing", "infrastructure"),
    danger=Danger.CONFIRM,
)  # fmt: skip
WARN_AT = Action("servers.warn_at", _("Traffic warning"), permission="servers")
SEE_KEYS = Action("servers.keys", _("SSH keys"), permission="see")
KEYS = Action("servers.keys_change", _("Change SSH keys"), permission="servers", why_not=_why_not(Verb.KEYS))
STAFF_SEE = Action("servers.staff_see", _("Fleet"), roles=STAFF)

POWER: dict[Verb, Action] = {Verb.START: START, Verb.STOP: STOP, Verb.REBOOT: REBOOT, Verb.CUT: CUT}
BY_VERB: dict[Verb, Action] = POWER | {
    Verb.REBUILD: REBUILD, Verb.RESCUE: RESCUE, Verb.LEAVE_RESCUE: LEAVE_RESCUE, Verb.RESTORE: RESTORE,
}  # fmt: skip
"""Those that exclude each other (`rules.ONE_AT_A_TIME`)."""


def may_watch(actor: Actor, name: str) -> bool:
    """SRV-12: whether `actor` may hear of the topic "server:<name>": staff, and who may see it in its account."""
    if not name.isdecimal():
        return False
    allowed = STAFF_SEE if actor.is_staff and actor.account_id is None else SEE
    return allowed.permits(actor) and Server.objects.visible_to(actor).filter(pk=int(name)).exists()


live.register_topic("server", may_watch)
