"""The managed service of a server: it begins and ends with its option, has a key of its own, and roles that its owner
chose (SRV-9, SRV-11). What is to be set up is counted in editions; a run carries out the one there is by then."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from panel.core import events, operations
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from servers import remote
from servers.action_log import told
from servers.managing import managed_actions as actions
from servers.managing import managed_rules, runs
from servers.models import Mailbox, ManagedRun, ManagedService, PendingUpdate, RequiredUpdate, Server
from servers.networking import firewalls
from servers.own_keys import SetOwnKey
from servers.rules import ON_THE_HOST
from servers.verbs.power import hold

RULE = "SRV-9"
COMMENT = "clause-managed"
MOST_MAILBOXES = 200
ROUNDS = 120_000  # of PBKDF2, for each try at a mailbox's password


def of(server: Server) -> ManagedService | None:
    """The service of its present holder, also one that has ended."""
    return ManagedService.objects.filter(server=server, account_id=server.account_id).first()


def follow(server: Server, *, now: datetime) -> None:
    """The server's subscription has the option now, or no longer: the service follows, in that transaction."""
    wanted = managed_rules.is_wanted(server.subscription.settings.get("options") or {})
    row = ManagedService.objects.select_for_update().filter(server=server).first()
    if wanted and (row is None or not row.wanted):
        private, public = remote.new_key()
        row = row or ManagedService(server=server)
        row.account_id, row.wanted, row.since = server.account_id, True, now
        row.private_key, row.public_key, row.due_at = private, f"{public} {COMMENT}", None
        row.edition += 1
        SetManagedKey.carry_out(row, ManagedService.State.WAITING, now=now)
        told(server, "servers.managed.begun", now=now, rule=RULE)
    elif row is not None and row.wanted and not wanted:
        row.wanted, row.private_key, row.due_at = False, "", None
        SetManagedKey.carry_out(row, ManagedService.State.ENDING, now=now)
        told(server, "servers.managed.ended", now=now, rule=RULE)


def keys_on(server: Server) -> tuple[str, ...]:
    """What a new disk of the server must let in for us to look after it."""
    rows = ManagedService.objects.filter(server=server, wanted=True)
    return tuple(rows.values_list("public_key", flat=True))


@transaction.atomic
def choose(server: Server, roles: Collection[str], *, actor: Actor, now: datetime) -> ManagedRun | None:
    """Which servers are set up on it, beside what every managed server has; None where that is so already.

    PermissionDenied for who may not, RuleViolation for an unknown one or where the server is not managed.
    """
    server, row = _held(server, actor)
    wanted = [role for role in managed_rules.CHOSEN if role in roles]
    if set(roles) - set(wanted):
        raise RuleViolation(_("There is no such service."), rule=RULE, field="roles")
    if wanted == row.roles:
        return None
    fresh = [role for role in wanted if role not in row.roles]
    row.roles = wanted
    run = _changed(row, actor=actor, now=now)
    firewalls.open_for(server, managed_rules.firewall(fresh), now=now)
    told(server, "servers.managed.chosen", now=now, actor=actor, rule=RULE)
    return run


@transaction.atomic
def add_mailbox(server: Server, address: str, password: str, *, actor: Actor, now: datetime) -> Mailbox:
    """A mailbox more, or another password for one there is. RuleViolation for what can be none (fields "address",
    "password"), PermissionDenied for who may not."""
    server, row = _held(server, actor)
    if managed_rules.MAIL not in row.roles:
        raise RuleViolation(_("This server is no mail server yet."), rule="SRV-11")
    address = address.strip().lower()
    if not managed_rules.is_mail_address(address):
        raise RuleViolation(_("This is no address of a mailbox."), rule="SRV-11", field="address")
    if len(password) < managed_rules.SHORTEST_PASSWORD:
        raise RuleViolation(
            _("At least %(count)s characters.") % {"count": managed_rules.SHORTEST_PASSWORD}, rule="SRV-11",
            field="password",
        )  # fmt: skip
    box = Mailbox.objects.filter(server=server, address=address).first()
    if box is None and server.mailboxes.count() >= MOST_MAILBOXES:
        raise RuleViolation(_("So many mailboxes are enough for one server."), rule="SRV-11", field="address")
    box = box or Mailbox(server=server, account_id=server.account_id, address=address, added_at=now)
    box.password = hashed(password)
    box.save()
    _changed(row, actor=actor, now=now)
    told(server, "servers.mailbox.set", now=now, actor=actor, rule="SRV-11", mailbox=box.pk)
    return box


@transaction.atomic
def remove_mailbox(server: Server, address: str, *, actor: Actor, now: datetime) -> None:
    """Nobody can log in to it or write to it any more; its mail stays on the disk. Not there: nothing."""
    server, row = _held(server, actor)
    gone, _each = Mailbox.objects.filter(server=server, address=address).delete()
    if gone:
        _changed(row, actor=actor, now=now)
        told(server, "servers.mailbox.removed", now=now, actor=actor, rule="SRV-11")


def hashed(password: str) -> str:
    """What dovecot checks a password against: its PBKDF2 (`$1$salt$rounds$...`)."""
    salt = secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), ROUNDS).hex()
    return f"$1${salt}${ROUNDS}${digest}"


@transaction.atomic
def run_again(server: Server, kind: ManagedRun.Kind, *, actor: Actor, now: datetime) -> ManagedRun:
    """Have it gone over now; under way already: that one. PermissionDenied for who may not."""
    server, row = _held(server, actor)
    return runs.begin(row, kind, actor=actor, now=now)


def handed_over(server: Server, *, now: datetime) -> None:
    """The service goes with the subscription, and so does what waits; what the last holder had to install themselves
    was told to them alone."""
    for rows in (ManagedService.objects, PendingUpdate.objects, Mailbox.objects):
        rows.filter(server=server).update(account=server.account_id)
    _withdraw(server, now=now)


def gone(server: Server, *, now: datetime) -> None:
    """The machine goes: the key to it is forgotten, and nothing waits for it any more."""
    ended = {"wanted": False, "private_key": "", "state": ManagedService.State.ENDED, "due_at": None}
    ManagedService.objects.filter(server=server).update(**ended)
    PendingUpdate.objects.filter(server=server, resolved_at=None).update(resolved_at=now)
    _withdraw(server, now=now)


def _withdraw(server: Server, *, now: datetime) -> None:
    open_ones = server.required_updates.filter(state__in=("announced", "due"))
    open_ones.update(state=RequiredUpdate.State.WITHDRAWN, ended_at=now)


@events.subscriber("servers.server.re", "servers.managed")
def again(event: Event, *, now: datetime) -> None:
    """Its disk is another: the key is put on it once more, and everything is set up anew."""
    if event.kind.rpartition(".")[2] not in ("rebuild_done", "restore_done", "remade"):
        return
    server = Server.objects.select_for_update().get(pk=event.data["server_id"])
    row = ManagedService.objects.select_for_update().filter(server=server, wanted=True).first()
    if row is not None:
        row.due_at, row.server = None, server
        SetManagedKey.carry_out(row, ManagedService.State.WAITING, now=now)


def _held(server: Server, actor: Actor) -> tuple[Server, ManagedService]:
    server = hold(server)
    actions.CHANGE.check(actor, server)
    row = ManagedService.objects.select_for_update().filter(server=server, wanted=True).first()
    if row is None:
        raise RuleViolation(_("This server is not managed by us."), rule=RULE)
    row.server = server
    return server, row


def _changed(row: ManagedService, *, actor: Actor, now: datetime) -> ManagedRun | None:
    row.edition += 1
    row.save(update_fields=["roles", "edition"])
    if row.state == ManagedService.State.IN_FORCE:
        return runs.begin(row, ManagedRun.Kind.SETUP, actor=actor, now=now)
    return None


@operations.register
class SetManagedKey(SetOwnKey):
    """The machine lets the managed service's key in exactly while the service is ordered; once it does, the first
    firewall is set and everything is set up."""

    kind = "servers.managed_key"
    label = gettext_lazy("Install or remove the managed service’s key")
    resumable = True
    rows = ManagedService
    changed = "servers.managed.changed"
    failed = "servers.managed.key_failed"

    def settled(self, row: ManagedService, *, now: datetime) -> None:
        row.due_at = now if row.wanted else None
        row.save(update_fields=["due_at"])
        if row.wanted and row.server.state in ON_THE_HOST:
            firewalls.begin_with(row.server, managed_rules.firewall(row.roles), now=now)
            runs.begin(row, ManagedRun.Kind.SETUP, actor=SYSTEM, now=now)
