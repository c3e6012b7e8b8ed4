"""The customer lets the panel in, or no longer: a key of the panel's own on the server, for terminals alone (SRV-8).

The key pair is made for one server and one permission. Withdrawing forgets the private key at once, ends every open
terminal, and has the public key taken off the machine.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import operations
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from servers import places, remote
from servers.action_log import told
from servers.models import Server, TerminalPermit
from servers.own_keys import SetOwnKey
from servers.terminals import terminal_actions as actions
from servers.terminals.sessions import limits
from servers.verbs.power import hold

RULE = "SRV-8"
COMMENT = "clause-terminal"


def of(server: Server) -> TerminalPermit | None:
    """The permission that its present holder gave, also one that has ended."""
    return TerminalPermit.objects.filter(server=server, account_id=server.account_id).first()


@transaction.atomic
def permit(server: Server, *, actor: Actor, now: datetime) -> TerminalPermit:
    """Have the panel's key put on the server; there or on its way already: nothing. After a failure: once more.

    PermissionDenied for who may not; RuleViolation where there can be no terminal, or the last key is still being
    taken off.
    """
    server = hold(server)
    actions.PERMIT.check(actor, server)
    row = TerminalPermit.objects.select_for_update().filter(server=server).first()
    if row is not None and row.state == TerminalPermit.State.ENDING:
        raise RuleViolation(_("The last key is still being taken off the server. Try again in a moment."), rule=RULE)
    if row is not None and row.wanted:
        if row.state != TerminalPermit.State.WAITING:  # also where it is in force: its owner says that it is gone
            SetTerminalKey.carry_out(row, TerminalPermit.State.WAITING, now=now)
        return row
    private, public = remote.new_key()
    row = row or TerminalPermit(server=server)
    row.account_id, row.wanted, row.given_by, row.given_at = server.account_id, True, actor.user_id or 0, now
    row.private_key, row.public_key, row.staff_until = private, f"{public} {COMMENT}", None
    SetTerminalKey.carry_out(row, TerminalPermit.State.WAITING, now=now)
    told(server, "servers.terminal.permitted", now=now, actor=actor, rule=RULE)
    return row


@transaction.atomic
def withdraw(server: Server, *, actor: Actor, now: datetime) -> None:
    """The panel can no longer log in from now on; not permitted: nothing. PermissionDenied for who may not."""
    server = hold(server)
    actions.WITHDRAW.check(actor, server)
    if _end(server, now=now):
        told(server, "servers.terminal.withdrawn", now=now, actor=actor, rule=RULE)


@transaction.atomic
def let_staff_in(server: Server, days: int, *, actor: Actor, now: datetime) -> TerminalPermit:
    """Staff may open a terminal too, for `days`; 0: no longer. PermissionDenied for who may not; RuleViolation where
    nothing is permitted, or for longer than the settings let."""
    server = hold(server)
    actions.PERMIT.check(actor, server)
    most = limits().staff_days
    if not 0 <= days <= most:
        raise RuleViolation(
            _("Staff can be let in for at most %(days)s days at a time.") % {"days": most}, rule=RULE, field="days"
        )
    row = TerminalPermit.objects.select_for_update().filter(server=server, wanted=True).first()
    if row is None:
        raise RuleViolation(str(actions.SENTENCES["no_permit"]), rule=RULE)
    was, row.staff_until = row.staff_until, now + timedelta(days=days) if days else None
    row.save(update_fields=["staff_until"])
    if days or (was is not None and was > now):
        event = "servers.terminal.staff_let_in" if days else "servers.terminal.staff_kept_out"
        told(server, event, now=now, actor=actor, rule=RULE, days=days)
    return row


def handed_over(server: Server, *, now: datetime) -> None:
    """The permission was the last holder's; the new one gives their own."""
    _end(server, now=now)


def keys_on(server: Server) -> tuple[str, ...]:
    """What a new disk or a rescue system of the server must let in for terminals."""
    rows = TerminalPermit.objects.filter(server=server, wanted=True)
    return tuple(rows.values_list("public_key", flat=True))


def say_again(server: Server, *, now: datetime) -> None:
    """A disk of another time knows the panel's key or not as it was then: it is put right, where the place can."""
    row = TerminalPermit.objects.select_for_update().filter(server=server).exclude(public_key="").first()
    if row is not None and places.capabilities(server.place).keys:
        SetTerminalKey.carry_out(
            row, TerminalPermit.State.WAITING if row.wanted else TerminalPermit.State.ENDING, now=now
        )


def _end(server: Server, *, now: datetime) -> bool:
    row = TerminalPermit.objects.select_for_update().filter(server=server, wanted=True).first()
    if row is None:
        return False
    row.wanted, row.private_key, row.staff_until, row.account_id = False, "", None, server.account_id
    SetTerminalKey.carry_out(row, TerminalPermit.State.ENDING, now=now)
    return True


@operations.register
class SetTerminalKey(SetOwnKey):
    """The machine lets the panel's key in exactly while it is permitted."""

    kind = "servers.terminal_key"
    label = gettext_lazy("Install or remove the panel’s key for terminals")
    rows = TerminalPermit
    changed = "servers.terminal.changed"
    failed = "servers.terminal.key_failed"
