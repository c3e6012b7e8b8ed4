"""How a paid subscription of the kind `vps` becomes a server (the port `invoicing.kinds.ServiceKind`)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.consuming.usage_rules import METERS, TRAFFIC
from invoicing.models import Package, Subscription
from invoicing.subscribing import kinds
from panel.accounts.models import Account
from panel.core import bulk
from panel.core.errors import NotYet, RuleViolation
from servers import enforcement, evidence, handing_over, places, providers, provisioning, rules, wording
from servers.addressing import pool
from servers.managing import managed, managed_actions, managed_rules
from servers.models import AddressHolding, Copy, DoubtfulReading, Meter, Server, SshKey, TrafficMonth
from servers.rules import State
from servers.safekeeping import backups, copy_rules, copy_wording, restoring
from servers.safekeeping.copy_rules import CopyState
from servers.traffic import doubtful
from servers.verbs import naming, protection, resizing

MOST_EXTRA = 8  # of each
MANAGED = managed_rules.OPTION
BACKED_UP = ("vps-backup-", "vps-recovery")  # options that a place must be able to carry out (SUB-14)
_NO_COPY = gettext_lazy("This copy is not among yours.")
_NO_PLACE = gettext_lazy("No place on offer can copy a server’s disk away and put it up again.")
THERE = frozenset({State.RUNNING, State.STOPPED, State.SUSPENDED})
UNTIL_READ = 600  # seconds


class VpsKind:
    """See `ServiceKind` for what each method promises."""

    package_numbers = ("vcpu", "memory_mb", "disk_gb", "included_bytes", "network_mbps")

    def questions(self, package: Package, account: Account) -> list[kinds.Question]:
        """Name, place, system and keys; every key is chosen to begin with."""
        offered = places.on_offer()
        systems = {code: name for place in offered for code, name in places.images(place).items()}
        keys = SshKey.objects.filter(account=account, removed_at=None, came_with=None).order_by("name")
        beginnings = [(copy.reference, copy_wording.named(copy)) for copy in restoring.beginnings(account)]
        return [
            kinds.Question("name", _("Name of the server"), help=_("Letters, digits and hyphens, such as web-1.")),
            kinds.Question("place", _("Place"), "choice", tuple(offered.items()), next(iter(offered), "")),
            kinds.Question("image", _("System"), "choice", tuple(systems.items()), next(iter(systems), "")),
            kinds.Question(
                "keys", _("SSH keys"), "several",
                tuple((str(key.pk), f"{key.name} ({key.fingerprint})") for key in keys),
                help=_("They are installed before the first start. You can add keys later too."), required=False,
            ),
            *([kinds.Question(
                "copy", _("Begin as a copy"), "choice", (("", _("no: with the system above")), *beginnings),
                help=_("The server gets the files of the copy, at the place where it lies."), required=False,
            )] if beginnings else []),
            *([kinds.Question(
                "first_boot", _("Script for the first start"), "textarea", required=False,
                longest=2 * rules.LONGEST_FIRST_BOOT,  # its line ends come as two letters each
                help=_("Run once by sh, as root, when the server starts for the first time; at most 16 KiB. "
                       "Put no secrets in it: whoever may manage the server can read it on its page."),
            )] if any(places.capabilities(place).first_boot for place in offered) else []),
        ]  # fmt: skip

    def validate(self, package: Package, options: Mapping[str, Any]) -> dict[str, Any]:
        name = naming.checked(str(options.get("name") or ""))
        copy = _copy(options, package)
        place = copy.place if copy else str(options.get("place") or next(iter(places.on_offer()), ""))
        if place not in places.on_offer():
            raise _wrong("place", _("This place is not on offer."))
        images = places.images(place)
        image = str(options.get("image") or next(iter(images)))
        if image not in images and copy is None:
            raise _wrong("image", _("This system is not on offer at this place."))
        image = copy.image if copy else image
        extra = _extra(options)
        can = providers.get(place).capabilities
        if (any(extra.values()) and not can.extra_addresses) or (extra[pool.IPV6] and not can.ipv6):
            raise _wrong("options", _("Additional addresses are not on offer at this place."))
        if (reason := _not_here(place, options.get("options") or {})) != "":
            raise _wrong("options", reason)
        script = rules.first_boot(str(options.get("first_boot") or ""))
        if script is None:
            raise _wrong("first_boot", _("A script for the first start has at most 16 KiB of text."))
        if script and not providers.get(place).capabilities.first_boot:
            raise _wrong("first_boot", _("This place cannot run a script at the first start."))
        return {
            "name": name, "place": place, "image": image, "keys": _ids(options.get("keys") or ()), "first_boot": script,
            "extra_addresses": extra[pool.IPV4], "extra_addresses6": extra[pool.IPV6],
            "options": dict(options.get("options") or {}),
            "copy": copy.reference if copy else "",
        }  # fmt: skip

    def check_own(self, account: Account, settings: Mapping[str, Any]) -> None:
        """A copy of a disk is for whoever it belongs to alone."""
        wanted = settings.get("copy")
        if wanted and not Copy.objects.filter(reference=wanted, account=account).exists():
            raise _wrong("copy", _NO_COPY)

    def why_not_offered(self, option: str) -> str:
        if option == MANAGED:
            reasons = [str(managed_actions.why_not_at(place)) for place in places.on_offer()]
            return "" if "" in reasons else (reasons or [""])[0]
        refused = [_not_backed_up(place, {option: 1}) for place in places.on_offer()]
        return "" if not option.startswith(BACKED_UP) or "" in refused else str(_NO_PLACE)

    def available(self, package: Package, options: Mapping[str, Any]) -> bool:
        place = str(options.get("place") or next(iter(places.on_offer()), ""))
        if (copy := _copy(options, package)) is not None:
            place = copy.place
        if place not in places.on_offer():
            return False
        needs = {family: count + (family == pool.IPV4) for family, count in _extra(options).items()}
        return all(pool.left(place, family) >= count for family, count in needs.items() if count)

    def provision(self, subscription: Subscription, *, now: datetime) -> None:
        provisioning.order(subscription, now=now)

    def suspend(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        for server in _living(subscription):
            enforcement.suspend(server, because=because, key=f"subscription:{now.isoformat()}", now=now)

    def resume(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        for server in _living(subscription):
            enforcement.resume(server, because=because, key=f"subscription:{now.isoformat()}", now=now)

    def terminate(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        for server in _living(subscription):
            provisioning.terminate(server, because=because, now=now)

    def refusal_to_pause(self, subscription: Subscription) -> str:
        server = Server.objects.filter(subscription=subscription).first()
        if server is None or server.state not in {State.RUNNING, State.STOPPED}:
            return _("A server can be paused while it runs or is switched off.")
        return ""

    def refusal_to_end(self, subscription: Subscription) -> str:
        return protection.refusal_to_end(subscription)

    def refusal_to_change(self, subscription: Subscription, package: Package, options: Mapping[str, int]) -> str:
        server = Server.objects.select_related("subscription").filter(subscription=subscription).first()
        if server is None:
            return _("The server is still being set up.")
        if (reason := _not_here(server.place, options)) != "":
            return reason
        return resizing.refusal(server, package, _extra({"options": options}))

    def change(self, subscription: Subscription, *, now: datetime) -> None:
        for server in _living(subscription):
            resizing.follow(server, subscription, _extra(subscription.settings), now=now)
            server.subscription = subscription
            backups.follow(server, now=now)
            managed.follow(server, now=now)

    def refusal_to_transfer(self, subscription: Subscription) -> str:
        return handing_over.refusal(subscription)

    def hand_over(self, subscription: Subscription, *, now: datetime) -> None:
        handing_over.hand_over(subscription, now=now)

    def usage(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        """SRV-4: both directions of one traffic month, to the byte."""
        server = Server.objects.select_related("meter").filter(subscription=subscription).first()
        if server is not None:
            doubts = list(server.doubtful_readings.filter(state=DoubtfulReading.State.WAITING))
            _check_final(server, getattr(server, "meter", None), doubts, period)
        return self.usage_so_far(subscription, period)

    def usage_so_far(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        server = Server.objects.filter(subscription=subscription).first()
        month = TrafficMonth.objects.filter(server=server, starts_on=period.start).first() if server else None
        return _counted(server, month)

    def usage_of(self, asked: Sequence[tuple[Subscription, kinds.UsagePeriod]]) -> list[list[kinds.UsageLine] | None]:
        """As many queries for many as for one."""
        mine = Server.objects.filter(subscription__in=bulk.among({row.pk for row, _period in asked}))
        rows = bulk.read(mine, "id", "reference", "subscription_id", "state", "included_bytes")
        servers = {server.subscription_id: server for server in rows}
        these = bulk.among(server.pk for server in rows)
        read = Meter.objects.filter(server__in=these)
        meters = {meter.server_id: meter for meter in bulk.read(read, "server_id", "at", "closed_at")}
        doubts: dict[int, list[DoubtfulReading]] = {}
        for doubt in DoubtfulReading.objects.filter(server__in=these, state=DoubtfulReading.State.WAITING):
            doubts.setdefault(doubt.server_id, []).append(doubt)
        starts = {period.start for _row, period in asked}
        counted = TrafficMonth.objects.filter(server__in=these, starts_on__in=starts)
        months = {(month.server_id, month.starts_on): month for month in bulk.read(counted)}
        found: list[list[kinds.UsageLine] | None] = []
        for row, period in asked:
            server = servers.get(row.pk)
            try:
                if server is not None:
                    _check_final(server, meters.get(server.pk), doubts.get(server.pk, ()), period)
            except NotYet:
                found.append(None)
            else:
                found.append(_counted(server, months.get((server.pk, period.start)) if server else None))
        return found

    def readings(
        self, subscription: Subscription, meter: str, period: kinds.UsagePeriod, account_id: int
    ) -> list[kinds.ReadDay]:  # fmt: skip
        """SRV-4: bytes of each Paris day from the hours, beside the readings of the counter that they were added by."""
        server = Server.objects.filter(subscription=subscription).first()
        if server is None or meter != TRAFFIC:
            return []
        return evidence.days(server, account_id, period.start, period.end)

    def progress(self, subscription: Subscription) -> kinds.Progress:
        """The steps of the machine's creation, as its own page shows them; the payment is the order's to tell."""
        server = Server.objects.filter(subscription=subscription).first()
        if server is None:
            return kinds.Progress()
        creation = server.actions.filter(verb=rules.Verb.CREATE).order_by("pk").first()
        _paid, *steps = wording.creation_steps(creation)
        url = reverse("servers:server_detail", args=[server.reference])
        return kinds.Progress(url, tuple(steps), server.state in THERE)

    def delivered(self, asked: Sequence[Subscription]) -> set[int]:
        servers = Server.objects.filter(subscription__in=[row.pk for row in asked], state__in=THERE)
        return set(servers.values_list("subscription_id", flat=True))

    def describe(self, subscription: Subscription, language: str) -> str:
        """`VPS S - web-1 (198.51.100.7)`."""
        return self.describe_each([(subscription, language)])[0]

    def describe_each(self, asked: Sequence[tuple[Subscription, str]]) -> list[str]:
        mine = Server.objects.filter(subscription__in=bulk.among(row.pk for row, _language in asked))
        servers = {server.subscription_id: server for server in bulk.read(mine, "id", "subscription_id", "name")}
        held = AddressHolding.objects.filter(
            server__in=bulk.among(server.pk for server in servers.values()), is_first=True
        ).order_by("since")
        newest = dict(held.values_list("server_id", "address__ip"))
        return [_described(row, servers.get(row.pk), newest, language) for row, language in asked]


def _described(row: Subscription, server: Server | None, newest: Mapping[int, str], language: str) -> str:
    named = row.package.named(language)
    if server is None:
        return f"{named} - {row.settings.get('name', '')}"
    return f"{named} - {server.name}" + (f" ({newest[server.pk]})" if server.pk in newest else "")


def _counted(server: Server | None, month: TrafficMonth | None) -> list[kinds.UsageLine]:
    """SRV-4: what a server's traffic month comes to."""
    if server is None:
        return []
    total, included = (month.total, month.included_bytes) if month else (0, server.included_bytes)
    evidence = {
        "server": server.reference, "month": month.pk if month else None, "bytes": total, "included": included,
        "rx_bytes": month.rx_bytes if month else 0, "tx_bytes": month.tx_bytes if month else 0,
    }  # fmt: skip
    unit = METERS[TRAFFIC].unit
    return [kinds.UsageLine(TRAFFIC, Decimal(total) / rules.GB, unit, Decimal(included) / rules.GB, evidence=evidence)]


def _living(subscription: Subscription) -> list[Server]:
    return list(Server.objects.alive().filter(subscription=subscription).select_related("subscription"))


def _check_final(
    server: Server, meter: Meter | None, doubts: Sequence[DoubtfulReading], period: kinds.UsagePeriod
) -> None:
    """NotYet until the counter was read after the period's end, or for the last time, and no reading is in doubt."""
    if server.state in {State.ORDERED, State.CREATING, State.FAILED}:
        return
    if doubtful.waits(doubts, rules.Month(period.start, period.end)):
        raise NotYet(UNTIL_READ, f"a reading of {server.reference} is in doubt")
    if meter is None or meter.closed_at is not None:
        return
    if meter.at is None or meter.at < rules.Month(period.start, period.end).ends_at:
        raise NotYet(UNTIL_READ, f"the meter of {server.reference} was not read since {period.end}")


def _extra(options: Mapping[str, Any]) -> dict[int, int]:
    """How many additional addresses are wished for, by their family."""
    chosen = options.get("options") or {}
    wanted = {family: chosen.get(code, 0) for family, code in pool.OPTIONS.items()}
    if any(not isinstance(count, int) or not 0 <= count <= MOST_EXTRA for count in wanted.values()):
        raise _wrong("options", _("At most %(count)s additional addresses can be ordered.") % {"count": MOST_EXTRA})
    return wanted


def _not_backed_up(place: str, quantities: Mapping[str, int]) -> str:
    """Why what was chosen of backups and disaster recovery is not on offer at a place; "" when it is."""
    wanted = {code for code, count in quantities.items() if count and code.startswith(BACKED_UP)}
    able = places.capabilities(place)
    if not wanted or (able.snapshots and wanted <= set(copy_rules.LEVELS)):
        return ""
    return _("Backups and disaster recovery are not on offer at this place.")


def _not_here(place: str, quantities: Mapping[str, int]) -> str:
    """Why one of the options chosen is not on offer at a place; "" when all are (SUB-14, SRV-9)."""
    unmanaged = str(managed_actions.why_not_at(place)) if managed_rules.is_wanted(quantities) else ""
    return _not_backed_up(place, quantities) or unmanaged


def _copy(options: Mapping[str, Any], package: Package) -> Copy | None:
    """The copy of a disk that a server begins as; None where it begins with a system."""
    wanted = str(options.get("copy") or "")
    if not wanted:
        return None
    copy = Copy.objects.filter(reference=wanted, state=CopyState.READY).first()
    if copy is None:
        raise _wrong("copy", _NO_COPY)
    if copy.disk_gb > package.spec["disk_gb"]:
        raise _wrong("copy", _("The copy is of a disk of %(copy)s GB; this package has %(package)s GB.") % {
            "copy": copy.disk_gb, "package": package.spec["disk_gb"],
        })  # fmt: skip
    return copy


def _ids(raw: Any) -> list[int]:
    try:
        return sorted({int(one) for one in raw})
    except (TypeError, ValueError) as error:
        raise _wrong("keys", _("Choose keys from your list.")) from error


def _wrong(field: str, sentence: str | Promise) -> RuleViolation:
    return RuleViolation(str(sentence), rule="SUB-2", field=field)
