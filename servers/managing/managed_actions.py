"""Who may do what with the managed service, and where it can be given."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from panel.core.actions import Action, Danger, Reason
from panel.core.actors import Actor
from servers import actions, places
from servers.models import Server

SIMULATED = _("This server is simulated: there is no machine to look after.")
NOT_HERE = _("This place does not let the panel log in to a server with a key and a host key it can be sure of.")


def why_not_at(place: str) -> str | Promise:
    """Why servers of a place cannot be managed by us; "" where they can."""
    can = places.capabilities(place)
    if places.is_simulated(place):
        return SIMULATED
    return "" if can.keys and can.host_key else NOT_HERE


def _cannot(_actor: Actor, server: Any) -> Reason:
    if not isinstance(server, Server):
        return None
    return actions.no_machine(server) or why_not_at(server.place) or None


SEE = Action("servers.managed", _("Managed service"), permission="see")
STAFF_SEE = Action("servers.staff_managed", _("Managed service"), roles=actions.STAFF)
CHANGE = Action(
    "servers.managed_change", _("Change the managed service"), permission="servers", roles=("infrastructure",),
    why_not=_cannot,
)  # fmt: skip
ANSWER_UPDATE = Action("servers.update_answer", _("Say that a required update is installed"), permission="servers")
REQUIRE_UPDATE = Action("servers.update_require", _("Require an update"), roles=("infrastructure",))
INSTALL_UPDATE = Action(
    "servers.update_install", _("Install a required update and bill it"), roles=("infrastructure",),
    danger=Danger.COSTS,
)  # fmt: skip
