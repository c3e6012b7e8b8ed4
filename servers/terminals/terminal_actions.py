"""Who may let the panel in, and who may open a terminal. When it can be opened: `sessions.why_not`."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor
from servers import actions, places
from servers.models import Server
from servers.rules import State
from servers.terminals import terminal_rules
from servers.terminals.terminal_rules import Standing, WhyNot

SENTENCES: dict[str, str | Promise] = {
    WhyNot.SIMULATED: _("This server is simulated: there is no machine to log in to."),
    WhyNot.NOT_HERE: _("This place does not let the panel install a key, so the panel cannot log in there."),
    WhyNot.NO_HOST_KEY: _("Its place has not told us the server’s host key, so we could not be sure whom we reach."),
    WhyNot.NOT_RUNNING: _("The server does not run. Start it first."),
    WhyNot.NO_PERMIT: _("Nobody has permitted terminals to this server yet."),
    WhyNot.INSTALLING: _("The panel’s key is not on the server yet."),
    WhyNot.STAFF: _("The customer has not let staff in, or the time is over."),
}


def standing_of(server: Server, *, staff: bool) -> Standing:
    """What decides over terminals to `server`; the permission is read afresh."""
    from servers.terminals.terminal_models import TerminalPermit

    can = places.capabilities(server.place)
    row = TerminalPermit.objects.filter(server=server, account_id=server.account_id).first()
    wanted = row is not None and row.wanted
    return Standing(
        simulated=places.is_simulated(server.place), able=can.keys and can.host_key, host_key=bool(server.host_key),
        running=server.state == State.RUNNING, permitted=wanted,
        installed=wanted and row is not None and row.state == TerminalPermit.State.IN_FORCE, staff=staff,
        staff_until=row.staff_until if row is not None and wanted else None,
    )  # fmt: skip


def _cannot_permit(_actor: Actor, server: Any) -> Reason:
    if not isinstance(server, Server):
        return None
    if (reason := actions.no_machine(server)) is not None:
        return reason
    why = terminal_rules.why_no_permit(standing_of(server, staff=False))
    return SENTENCES[why] if why else None


SEE = Action("servers.terminal", _("Terminal"), permission="servers")
STAFF_SEE = Action("servers.staff_terminal", _("Terminal"), roles=("infrastructure",))
OPEN = Action("servers.terminal_open", _("Open a terminal"), permission="servers", roles=("infrastructure",))
PERMIT = Action("servers.terminal_permit", _("Permit terminals"), permission="servers", why_not=_cannot_permit)
WITHDRAW = Action(
    "servers.terminal_withdraw", _("Withdraw the permission"), permission="servers", danger=Danger.CONFIRM
)
