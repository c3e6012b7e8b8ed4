"""What a server's state waits for although staff discarded it: nobody carries it out before it is taken up again."""

from panel.core import operations
from panel.core.models import Operation
from servers.enforcement import held_by
from servers.models import Server
from servers.rules import State, Verb


def left_undone(server: Server) -> Operation | None:
    """The discarded operation that the server should have been destroyed, suspended or resumed by."""
    verb = _awaited(server)
    last = server.actions.filter(verb=verb).select_related("operation").order_by("-pk").first() if verb else None
    found = last.operation if last is not None else None
    return found if found is not None and operations.resumable(found) else None


def _awaited(server: Server) -> Verb | None:
    match server.state:
        case State.DESTROYING:
            return Verb.DESTROY
        case State.RUNNING | State.STOPPED if held_by(server):
            return Verb.SUSPEND
        case State.SUSPENDED if not held_by(server):
            return Verb.RESUME
        case _:
            return None
