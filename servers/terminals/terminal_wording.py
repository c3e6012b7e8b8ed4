"""How the end of a terminal is told."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from servers.terminals.terminal_rules import Ending

HOW: Mapping[str, str | Promise] = {
    Ending.LEFT: _("Closed"),
    Ending.EXITED: _("The shell ended"),
    Ending.IDLE: _("Nobody typed"),
    Ending.TOO_LONG: _("Open for as long as it may be"),
    Ending.WITHDRAWN: _("No longer permitted"),
    Ending.SIGNED_OUT: _("Signed out"),
    Ending.HOST_KEY: _("Refused: another host key"),
    Ending.REFUSED: _("Refused by the server"),
    Ending.UNREACHABLE: _("The server did not answer"),
    Ending.BROKEN: _("The connection broke"),
    Ending.LOST: _("The panel lost it"),
}
"""In the list of terminals."""

SAID: Mapping[str, str | Promise] = {
    Ending.LEFT: _("The connection to the panel broke. Programs that ran in this terminal were told to end."),
    Ending.EXITED: _("The shell has ended."),
    Ending.IDLE: _("Nobody typed for a long time, so the terminal was closed."),
    Ending.TOO_LONG: _("The terminal was open for as long as one may be. You can open the next one."),
    Ending.WITHDRAWN: _("The terminal was closed: it is not permitted any more. The page says why."),
    Ending.SIGNED_OUT: _("The terminal was closed: you are not signed in any more."),
    Ending.HOST_KEY: _(
        "The server shows another host key than the one its place vouched for. It may be another machine that answers, "
        "so nothing was sent to it. Our team has been told. If you changed the key yourself, write to us."
    ),
    Ending.REFUSED: _("The server refuses the panel’s key. Somebody may have removed it: install it again below."),
    Ending.UNREACHABLE: _("The server does not answer on port 22. A firewall may keep the panel out."),
    Ending.BROKEN: _("The connection to the server broke."),
    Ending.LOST: _("The panel was restarted, so the terminal was closed."),
    "not_now": _("The terminal cannot be opened now. The page says why."),
}
"""To whoever had it open; `not_now` is the socket's own word."""
