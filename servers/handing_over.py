"""A server goes over to another account with its subscription (SRV-2, SRV-3, SRV-4).

The machine, its running meter and its addresses are the new holder's from the instant on. What tells of the time before
stays: who held the address until then, past months, the log. Keys that are installed stay on the machine, as keys of
the new holder's own, so that they can take them off and the old one cannot.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from invoicing.models import Subscription
from panel.accounts.models import Restriction
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.models import subject_of
from servers import enforcement, outages
from servers.action_log import published, told
from servers.addressing import holdings
from servers.managing import managed
from servers.models import (
    AddressHolding,
    DoubtfulReading,
    KeyOnServer,
    Meter,
    Server,
    ServerAction,
    SshKey,
    TrafficMonth,
    Vitals,
)
from servers.networking import firewalls, reverse_names
from servers.rules import State, month_at
from servers.safekeeping import backups
from servers.terminals import permits


def refusal(subscription: Subscription) -> str:
    """Why its server cannot go over now, in the reader's language; "" when it can."""
    server = Server.objects.select_related("subscription").filter(subscription=subscription).first()
    if server is None or server.state not in {State.RUNNING, State.STOPPED}:
        return _("A server can be transferred while it runs or is switched off.")
    if server.actions.filter(state=ServerAction.State.WAITING).exists():
        return _("Another action on this server is still under way.")
    if server.rescue_since is not None:
        return _("The server runs its rescue system. Leave it first.")
    if holdings.elsewhere(server):
        return _("An additional address is not on the server that it was ordered with. Move it back first.")
    if server.doubtful_readings.filter(state=DoubtfulReading.State.WAITING).exists():
        return _("A traffic reading of this server is still being checked by our team.")
    if Meter.objects.filter(server=server, closed_at=None, failing_since__isnull=False).exists():
        return _("The traffic of this server cannot be read at the moment. Please try again later.")
    if enforcement.restrictions_on(server) or _waiting_for_release(server):
        return _("This service is restricted at the moment and cannot go to another account.")
    return ""


def _waiting_for_release(server: Server) -> bool:
    """A restriction of its own, or of one of its addresses, that the brake keeps back (ABU-12)."""
    named = [subject_of(server)]
    named += [subject_of(holding.address) for holding in server.holdings.now().select_related("address")]
    waiting = Restriction.objects.filter(account=server.account_id, state=Restriction.State.WAITING)
    return any(waiting.filter(**one).exists() for one in named)


@transaction.atomic
def hand_over(subscription: Subscription, *, now: datetime) -> None:
    """The living server of a subscription that has another account by now is that account's."""
    server = Server.objects.select_for_update().alive().filter(subscription=subscription).first()
    if server is None:
        return
    before = server.account_id
    server.account_id = subscription.account_id
    server.warn_percent, server.protected = None, False
    server.save(update_fields=["account", "warn_percent", "protected"])
    server.labels.all().delete()
    # ids of keys of who ordered it, and a script that only they wrote
    settings = {**subscription.settings, "keys": [], "first_boot": "", "copy": ""}
    Subscription.objects.filter(pk=subscription.pk).update(settings=settings)
    subscription.settings = settings
    Meter.objects.filter(server=server).update(account=server.account_id)
    Vitals.objects.filter(server=server).delete()  # how it did for who had it
    running = month_at(subscription.anchor_on, now).starts_on
    TrafficMonth.objects.filter(server=server, starts_on=running).update(
        account=server.account_id, given_rx_bytes=F("rx_bytes"), given_tx_bytes=F("tx_bytes"), warned_percent=0
    )
    outages.handed_over(server, now=now)
    firewalls.handed_over(server)
    permits.handed_over(server, now=now)
    backups.handed_over(server, now=now)
    managed.handed_over(server, now=now)
    _addresses(server, now=now)
    reverse_names.handed_over(server)
    _keys(server, now=now)
    told(server, "servers.server.handed_over", now=now, rule="SRV-3", subscription=subscription.reference)
    events.record(
        "servers.server.given_away", now=now, actor=SYSTEM, subject=server, account_id=before, rule="SRV-3",
        data={"server_id": server.pk, "subscription": subscription.reference},
    )  # fmt: skip
    published(server, "servers.server.handed_over")


def _addresses(server: Server, *, now: datetime) -> None:
    """SRV-3: the holding of who gives it ends at `now`, the new one begins there; the address itself stays."""
    for holding in list(server.holdings.now().select_related("address").order_by("-is_first", "pk")):
        holding.until = max(now, holding.since)
        holding.save(update_fields=["until"])
        AddressHolding.objects.create(
            address=holding.address, server=server, ordered_with=server, account_id=server.account_id,
            is_first=holding.is_first, attached=holding.attached, leaves=holding.leaves, since=holding.until,
        )  # fmt: skip
        events.record(
            "servers.address.held", now=now, actor=SYSTEM, subject=holding.address, account_id=server.account_id,
            rule="SRV-3", data={"address_id": holding.address_id, "server_id": server.pk},
        )  # fmt: skip


def _keys(server: Server, *, now: datetime) -> None:
    """Each installed key becomes one of the new holder's, marked as come with the server; one they have is theirs."""
    rows = KeyOnServer.objects.select_for_update(of=("self",)).select_related("key").filter(server=server)
    for row in rows.order_by("pk"):
        theirs = SshKey.objects.filter(account=server.account_id, fingerprint=row.key.fingerprint, removed_at=None)
        known = theirs.first() if row.wanted else None
        if known is None:
            known = SshKey.objects.create(
                account_id=server.account_id, name=f"{server.name}-{row.key.fingerprint[-6:]}", added_at=now,
                public_key=row.key.public_key, fingerprint=row.key.fingerprint, came_with=server,
                removed_at=None if row.wanted else now,
            )  # fmt: skip
        row.key, row.account_id = known, server.account_id
        row.save(update_fields=["key", "account"])
