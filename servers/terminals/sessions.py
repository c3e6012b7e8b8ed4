"""Terminals that are open: who may, how many, and that they are closed and remembered (SRV-8).

What is remembered is who opened one, when, for how long and how it ended; never what was typed or shown. Processes die:
a session that nobody renews any more is closed by the sweep `servers.terminals`.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils.translation import gettext as _

from panel.accounts import restrictions
from panel.accounts.models import User
from panel.core import due
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from servers import actions as server_actions
from servers import reconcile
from servers.action_log import told
from servers.models import AddressHolding, Server, TerminalPermit, TerminalSession
from servers.reconcile import Seen
from servers.remote import Target
from servers.rules import Finding
from servers.terminals import terminal_actions as actions
from servers.terminals import terminal_rules
from servers.terminals.terminal_rules import FAILED, Ending, Limits
from servers.verbs.power import hold

RULE = "SRV-8"
RENEW = timedelta(seconds=30)
DEAD_AFTER = 4 * RENEW


def limits() -> Limits:
    """What settings.CLAUSE_TERMINAL says."""
    given = settings.CLAUSE_TERMINAL
    return Limits(
        idle=timedelta(minutes=given["idle_minutes"]), longest=timedelta(hours=given["longest_hours"]),
        per_person=given["per_person"], per_server=given["per_server"], history=given["history_lines"],
        staff_days=given["staff_days"],
    )  # fmt: skip


def why_not(server: Server, actor: Actor, now: datetime) -> str:
    """Why `actor`, who may in general, cannot open a terminal to `server` just now; "" when it can be."""
    if (reason := server_actions.no_machine(server)) is not None:
        return str(reason)
    if restrictions.blocking(server.account_id, "manage_servers", server):
        return str(server_actions.SENTENCES["suspended"])
    standing = actions.standing_of(server, staff=actor.is_staff)
    why = terminal_rules.why_no_terminal(standing, now)
    return str(actions.SENTENCES[why]) if why else ""


@transaction.atomic
def begin(server: Server, *, actor: Actor, now: datetime) -> tuple[TerminalSession, Target]:
    """A place among the terminals that may be open, and where to log in.

    PermissionDenied for who may not; RuleViolation where there can be none now, or too many are open.
    """
    user = User.objects.select_for_update().get(pk=actor.user_id or 0)
    server = hold(server)
    actions.OPEN.check(actor, server)
    if reason := why_not(server, actor, now):
        raise RuleViolation(reason, rule=RULE)
    allowed = limits()
    still = TerminalSession.objects.filter(ended_at=None, alive_at__gt=now - DEAD_AFTER)
    if still.filter(user_id=user.pk).count() >= allowed.per_person:
        raise RuleViolation(
            _("You have %(most)s terminals open already. Close one first.") % {"most": allowed.per_person}, rule=RULE
        )
    if still.filter(server=server).count() >= allowed.per_server:
        raise RuleViolation(
            _("%(most)s terminals to this server are open already.") % {"most": allowed.per_server}, rule=RULE
        )
    permit = TerminalPermit.objects.get(server=server)
    first = AddressHolding.objects.select_related("address").filter(server=server, until=None, is_first=True).first()
    if first is None:
        raise RuleViolation(_("The server has no address yet."), rule=RULE)
    session = TerminalSession.objects.create(
        server=server, account_id=server.account_id, user_id=user.pk, by_staff=actor.is_staff, opened_at=now,
        alive_at=now,
    )  # fmt: skip
    return session, Target(str(first.address.ip), server.host_key, permit.private_key)


@transaction.atomic
def connected(session: TerminalSession, *, actor: Actor, now: datetime) -> None:
    """Somebody is logged in: the journal says so before the first key passes."""
    if TerminalSession.objects.filter(pk=session.pk, connected_at=None).update(connected_at=now):
        _tell(session, "servers.terminal.opened", actor=actor, now=now)


def renew(session: TerminalSession, *, now: datetime) -> None:
    """It lives."""
    TerminalSession.objects.filter(pk=session.pk, ended_at=None).update(alive_at=now)


def must_end(session: TerminalSession, actor: Actor | None, *, now: datetime) -> Ending | None:
    """What ends it although nobody left: a session that ended (`actor` None), lost rights, a withdrawn permission, a
    suspension, another holder, or the sweep."""
    if actor is None or actor.user_id != session.user_id:
        return Ending.SIGNED_OUT
    server = Server.objects.select_related("subscription").filter(pk=session.server_id).first()
    if server is None or server.account_id != session.account_id or actor.is_staff != session.by_staff:
        return Ending.WITHDRAWN
    if not actor.is_staff and actor.account_id != session.account_id:
        return Ending.WITHDRAWN
    try:
        actions.OPEN.check(actor, server)
    except PermissionDenied:
        return Ending.WITHDRAWN
    if why_not(server, actor, now):
        return Ending.WITHDRAWN
    return None if TerminalSession.objects.filter(pk=session.pk, ended_at=None).exists() else Ending.LOST


@transaction.atomic
def end(session: TerminalSession, ending: Ending, *, actor: Actor, now: datetime) -> None:
    """It is over and remembered, once. A changed host key becomes a finding for staff."""
    row = TerminalSession.objects.select_for_update().get(pk=session.pk)
    if row.ended_at is not None:
        return
    row.ended_at, row.ending = now, str(ending)
    row.save(update_fields=["ended_at", "ending"])
    lasted = row.lasted
    if lasted is not None:
        _tell(row, "servers.terminal.closed", actor=actor, now=now, seconds=round(lasted.total_seconds()))
    elif ending in FAILED:
        _tell(row, "servers.terminal.failed", actor=actor, now=now)
    if ending is Ending.HOST_KEY:
        server = Server.objects.get(pk=row.server_id)
        words = f"{server.reference} showed another host key than its place gave to whoever opened a terminal"
        reconcile.keep(server.place, [Seen(Finding.HOST_KEY, server.provider_ref, words, server)], now, kinds=())


@due.sweep("servers.terminals", every_seconds=60)
def close_dead(now: datetime, *, dry_run: bool = False) -> due.SweepReport:
    """SRV-8: terminals whose process has died end where they were last seen alive."""
    dead = TerminalSession.objects.filter(ended_at=None, alive_at__lte=now - DEAD_AFTER).order_by("pk")
    if dry_run:
        return due.SweepReport(would=[f"close {row}" for row in dead])

    def close(pk: int) -> None:
        row = TerminalSession.objects.get(pk=pk)
        end(row, Ending.LOST, actor=SYSTEM, now=max(row.alive_at, row.connected_at or row.alive_at))

    return due.each(list(dead.values_list("pk", flat=True)), close)


def _tell(session: TerminalSession, event: str, *, actor: Actor, now: datetime, **more: int) -> None:
    server = Server.objects.get(pk=session.server_id)
    told(server, event, now=now, actor=actor, rule=RULE, session=session.pk, **more)
