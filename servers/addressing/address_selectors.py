"""Reads for the pages of addresses: an account's, and the pools of every place (SRV-3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address

from django.db.models import Count, QuerySet

from invoicing.models import SubscriptionChange
from invoicing.subscribing import change_rules
from panel.accounts.models import Restriction
from panel.core import keyset
from panel.core.actors import Actor
from panel.core.errors import ProviderError
from servers import places, providers
from servers.addressing import pool
from servers.addressing.address_rules import USABLE, WhyNot
from servers.addressing.address_wording import SENTENCES
from servers.models import Address, AddressHolding, Server, ServerAction

MOST_SERVERS = 200  # to choose from
MOST_PAST = 50


@dataclass(frozen=True, slots=True)
class Row:
    """An address as its holder's list shows it. `targets`: servers it may go to; `leaves_on`: when it goes back;
    `reason`: why it stays; `name`: its published reverse name."""

    holding: AddressHolding
    moving: bool
    failed: bool
    restricted: bool
    targets: Sequence[Server]
    leaves_on: date | None
    reason: str
    name: str

    @property
    def ip(self) -> str:
        return str(self.holding.address.ip)

    @property
    def dialog(self) -> str:
        """The name of the dialog that asks before it is given back."""
        return f"give-back-{self.holding.pk}"


@dataclass(frozen=True, slots=True)
class Mine:
    """A page of an account's addresses, newest first."""

    rows: Sequence[Row]
    page: keyset.Page


def mine(actor: Actor, cursor: str = "") -> Mine:
    """The addresses that the actor's account holds now; a fixed number of queries."""
    open_ones = AddressHolding.objects.visible_to(actor).now()
    read = open_ones.select_related("address__move", "address__reverse", "server", "ordered_with__subscription")
    page = keyset.page(read, cursor)
    alive = Server.objects.visible_to(actor).filter(state__in=sorted(USABLE))
    usable = list(alive.order_by("name", "pk")[:MOST_SERVERS])
    restricted = _restricted([one.address_id for one in page.rows])
    leaving = _leaving([one for one in page.rows if one.leaves])
    return Mine([_row(one, usable, restricted, leaving) for one in page.rows], page)


def _row(
    holding: AddressHolding, usable: Sequence[Server], restricted: set[tuple[int, int]], leaving: Mapping[int, date]
) -> Row:
    address, server, move = holding.address, holding.server, holding.address.move
    can = places.capabilities(server.place)
    moving = move is not None and move.state == ServerAction.State.WAITING
    cut_off = (address.pk, holding.account_id) in restricted
    reasons = (
        (WhyNot.FIRST, holding.is_first), (WhyNot.MOVING, moving), (WhyNot.RESTRICTED, cut_off),
        (WhyNot.NOT_HERE, not can.extra_addresses or can.chooses_address),
    )  # fmt: skip
    reason = next((str(SENTENCES[why]) for why, holds in reasons if holds), "")
    there = holding.server_id if holding.attached else 0
    targets = [one for one in usable if one.place == server.place and one.pk != there]
    reverse = getattr(address, "reverse", None)
    return Row(
        holding, moving, move is not None and move.state == ServerAction.State.FAILED, cut_off,
        [] if reason else targets, leaving.get(holding.pk), reason, reverse.published if reverse else "",
    )  # fmt: skip


def _restricted(addresses: Sequence[int]) -> set[tuple[int, int]]:
    rows = Restriction.objects.in_force().filter(
        scope="address", subject_type=Address._meta.label_lower, subject_id__in=addresses
    )
    return {(subject, account) for subject, account in rows.values_list("subject_id", "account_id") if subject}


def _leaving(chosen: Sequence[AddressHolding]) -> dict[int, date]:
    """When each of the chosen goes back; one whose change was taken back since stays."""
    planned = SubscriptionChange.objects.filter(
        subscription__in=[one.ordered_with.subscription_id for one in chosen], state="planned"
    )
    fewer = {}
    for change in planned:
        before, after = (change_rules.composition(kept).quantities() for kept in (change.before, change.after))
        fewer[change.subscription_id] = (change.effective_on, before, after)
    found = {}
    for one in chosen:
        on, before, after = fewer.get(one.ordered_with.subscription_id, (None, {}, {}))
        code = pool.OPTIONS[one.address.family]
        if on is not None and after.get(code, 0) < before.get(code, 0):
            found[one.pk] = on
    return found


def past(actor: Actor) -> list[AddressHolding]:
    """The latest that the account held and holds no longer."""
    rows = AddressHolding.objects.visible_to(actor).exclude(until=None).select_related("address", "server")
    return list(rows.order_by("-pk")[:MOST_PAST])


def orderable(actor: Actor) -> QuerySet[Server]:
    """Servers that another address can be ordered with."""
    rows = Server.objects.visible_to(actor).filter(state__in=sorted(USABLE)).select_related("subscription")
    return rows.order_by("name", "pk")[:MOST_SERVERS]


# ---------------------------------------------------------------- the staff's


@dataclass(frozen=True, slots=True)
class Pool:
    """The addresses of one family at a place. `left`: what it could still give out; `shelf`: of these, those that are
    written down already; `whole`: all of its blocks."""

    place: str
    label: str
    family: int
    blocks: Sequence[str]
    whole: int
    left: int
    shelf: int
    held: int
    resting: int
    blocked: int
    growable: bool
    error: str = ""

    @property
    def scarce(self) -> bool:
        """Less than a tenth is left."""
        return self.left * 10 < self.whole


def pools() -> list[Pool]:
    """Every place that gives out addresses of ours, by family; a fixed number of queries a place."""
    counts: dict[tuple[str, int, str], int] = {}
    grouped = Address.objects.order_by().values_list("place", "family", "state").annotate(many=Count("pk"))
    for place, family, state, many in grouped:
        counts[place, family, state] = many
    cut = {
        (place, family): many
        for place, family, many in Address.objects.filter(blocked=True).order_by()
        .values_list("place", "family").annotate(many=Count("pk"))
    }  # fmt: skip
    found = []
    for place in providers.places():
        try:
            can = providers.get(place).capabilities
        except ProviderError as error:
            found.append(_silent(place, error))
            continue
        if can.chooses_address:
            continue
        for family in (pool.IPV4, *((pool.IPV6,) if can.ipv6 else ())):
            blocks = pool.networks(place, family)
            whole = sum(pool.size(block) for block in blocks)
            states = [counts.get((place, family, state), 0) for state in ("free", "held", "quarantine")]
            found.append(Pool(
                place, places.label(place), family, [str(block) for block in blocks], whole,
                whole - states[1] - states[2], states[0], states[1], states[2], cut.get((place, family), 0),
                can.any_block,
            ))  # fmt: skip
    return found


def _silent(place: str, error: ProviderError) -> Pool:
    return Pool(
        place, places.label(place), pool.IPV4, (), 0, 0, 0, 0, 0, 0, growable=False, error=str(error)[:200],
    )  # fmt: skip


def holders(words: str) -> list[AddressHolding] | None:
    """Everybody who ever held an address, the present holder first; None where `words` are no address."""
    try:
        ip = str(ip_address(words.strip()))
    except ValueError:
        return None
    rows = AddressHolding.objects.filter(address__ip=ip).select_related("address", "server", "account")
    return list(rows.order_by("-since", "-pk")[:MOST_PAST])


def resting(limit: int = 20) -> list[tuple[Address, datetime]]:
    """Addresses in quarantine, those first that are free again soonest."""
    rows = Address.objects.filter(state=Address.State.QUARANTINE, free_at__isnull=False).order_by("free_at")[:limit]
    return [(row, row.free_at) for row in rows if row.free_at]
