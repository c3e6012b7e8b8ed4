"""What is for sale and at what price (SUB-1). The rows below are the first provider's: `install_catalogue`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoicing.models import ONCE, PACK, Family, Interval, Option, Package, Price
from invoicing.offering import group_rules
from invoicing.offering.group_rules import Grouped
from panel import terms
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros, round_cents

TERABYTE = 10**12
FIRST_PRICES = datetime(2026, 1, 1, tzinfo=UTC)

VPS = {
    "code": "vps",
    "name": "Virtual servers",
    "name_fr": "Serveurs virtuels",
    "summary": "Your own Linux server with root access, a fixed IPv4 address and its traffic, in minutes.",
    "summary_fr": "Votre serveur Linux avec accès root, une adresse IPv4 fixe et son trafic, en quelques minutes.",
}
PACKAGES: Sequence[dict[str, Any]] = (
    {
        "code": "vps-s", "name": "VPS S", "month": "5.90", "year": "59.00",
        "summary": "A small site, a staging server, a first project.",
        "summary_fr": "Un petit site, une préproduction, un premier projet.",
        "spec": {"vcpu": 1, "memory_mb": 2048, "disk_gb": 25, "included_bytes": TERABYTE, "network_mbps": 500},
    },
    {
        "code": "vps-m", "name": "VPS M", "month": "11.90", "year": "119.00",
        "summary": "A shop or an application with its database.",
        "summary_fr": "Une boutique ou une application avec sa base de données.",
        "spec": {"vcpu": 2, "memory_mb": 4096, "disk_gb": 60, "included_bytes": 2 * TERABYTE, "network_mbps": 500},
    },
    {
        "code": "vps-l", "name": "VPS L", "month": "23.90", "year": "239.00",
        "summary": "Several sites, builds, busy databases.",
        "summary_fr": "Plusieurs sites, des compilations, des bases chargées.",
        "spec": {"vcpu": 4, "memory_mb": 8192, "disk_gb": 160, "included_bytes": 4 * TERABYTE, "network_mbps": 1000},
    },
)  # fmt: skip
OPTIONS: Sequence[dict[str, Any]] = (
    {
        "code": "vps-address", "name": "Additional IPv4 address", "name_fr": "Adresse IPv4 supplémentaire",
        "summary": "Moves between your servers, released with the one it was ordered with.",
        "summary_fr": "Se déplace entre vos serveurs, libérée avec celui qui l’a commandée.",
        "month": "2.00", "year": "20.00", "maximum": 4,
    },
)  # fmt: skip


# What no place may be able to carry out yet: put up for sale by staff, once one can (SUB-14).
LEVELS = "backup"
LATER: Sequence[dict[str, Any]] = (
    {
        "code": "vps-backup-1", "name": "Backup, level 1", "name_fr": "Sauvegarde, niveau 1",
        "summary": "Once a week, kept for four weeks.",
        "summary_fr": "Une fois par semaine, conservée quatre semaines.",
        "month": "1.90", "year": "19.00", "maximum": 1, "one_of": LEVELS,
    },
    {
        "code": "vps-backup-2", "name": "Backup, level 2", "name_fr": "Sauvegarde, niveau 2",
        "summary": "Every night, kept for seven days.", "summary_fr": "Chaque nuit, conservée sept jours.",
        "month": "3.90", "year": "39.00", "maximum": 1, "one_of": LEVELS,
    },
    {
        "code": "vps-backup-3", "name": "Backup, level 3", "name_fr": "Sauvegarde, niveau 3",
        "summary": "Every night, kept for thirty days.", "summary_fr": "Chaque nuit, conservée trente jours.",
        "month": "6.90", "year": "69.00", "maximum": 1, "one_of": LEVELS,
    },
    {
        "code": "vps-backup-own", "name": "Backup, personalised", "name_fr": "Sauvegarde personnalisée",
        "summary": "As often as every six hours, kept for up to sixty days: you choose.",
        "summary_fr": "Jusqu’à une fois toutes les six heures, conservée jusqu’à soixante jours : vous choisissez.",
        "month": "9.90", "year": "99.00", "maximum": 1, "one_of": LEVELS,
    },
    {
        "code": "vps-address-v6", "name": "Additional IPv6 address", "name_fr": "Adresse IPv6 supplémentaire",
        "summary": "Moves between your servers, released with the one it was ordered with.",
        "summary_fr": "Se déplace entre vos serveurs, libérée avec celui qui l’a commandée.",
        "month": "0.00", "year": "0.00", "maximum": 4, "one_of": "",
    },
    {
        "code": "vps-managed", "name": "Managed service", "name_fr": "Infogérance",
        "summary": "We set it up, keep its firewall and install its updates, within thirty days of their release.",
        "summary_fr": "Nous l’installons, tenons son pare-feu et posons ses mises à jour, sous trente jours.",
        "month": "29.00", "year": "290.00", "maximum": 1, "one_of": "",
    },
    {
        "code": "vps-recovery", "name": "Disaster recovery", "name_fr": "Reprise après sinistre",
        "summary": "Put up again at another place when a whole place is lost.",
        "summary_fr": "Remis en service ailleurs si tout un site est perdu.", "maximum": 1, "one_of": "",
    },
)  # fmt: skip
RECOVERY = "vps-recovery"


@transaction.atomic
def install_catalogue() -> Family:
    """Put the packages, the options and their first prices there; a repeat changes nothing that is there."""
    Family.objects.bulk_create([Family(**VPS)], ignore_conflicts=True)
    family = Family.objects.get(code=VPS["code"])
    Package.objects.bulk_create(
        [
            Package(
                code=row["code"], family=family, name=row["name"], name_fr=row["name"], summary=row["summary"],
                summary_fr=row["summary_fr"], service_kind="vps", spec=row["spec"], position=position, hosts_code=True,
            )
            for position, row in enumerate(PACKAGES)
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    Option.objects.bulk_create(
        [
            Option(
                code=row["code"], family=family, name=row["name"], name_fr=row["name_fr"], summary=row["summary"],
                summary_fr=row["summary_fr"], service_kind="vps", maximum=row["maximum"], position=position,
                on_sale="one_of" not in row, one_of=row.get("one_of", ""),
            )
            for position, row in enumerate((*OPTIONS, *LATER))
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    _install_first_prices()
    return family


def _install_first_prices() -> None:
    packages = Package.objects.in_bulk([row["code"] for row in PACKAGES], field_name="code")
    options = Option.objects.in_bulk([row["code"] for row in (*OPTIONS, *LATER)], field_name="code")
    prices = [
        *(price for row in PACKAGES for price in _first_prices(row, package=packages[row["code"]])),
        *(
            price
            for row in (*OPTIONS, *map(_recovery, LATER))
            for price in _first_prices(row, option=options[row["code"]])
        ),
    ]
    Price.objects.bulk_create(prices, ignore_conflicts=True)


def _first_prices(row: Mapping[str, Any], **item: Package | Option) -> list[Price]:
    return [
        Price(**item, interval=interval, valid_from=FIRST_PRICES, amount_cents=round_cents(Decimal(row[interval])))
        for interval in Interval.values
    ]


def _recovery(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """SUB-14: disaster recovery at the price of the terms, a year at twelve months."""
    if row["code"] != RECOVERY:
        return row
    monthly = euros(terms.current(FIRST_PRICES).recovery.monthly)
    return {**row, Interval.MONTH: monthly, Interval.YEAR: 12 * monthly}


def packages() -> QuerySet[Package]:
    """Packages on sale, in the order they are compared: what has no price yet is not. Prepaid packs stand apart
    (`packs`)."""
    priced = Price.objects.filter(package=OuterRef("pk"), ends=False)
    rows = Package.objects.filter(Exists(priced), on_sale=True).exclude(service_kind=PACK)
    return rows.select_related("family").order_by("family__position", "position")


def packs() -> QuerySet[Package]:
    """Prepaid packs on sale (OPR-9)."""
    rows = Package.objects.filter(on_sale=True, service_kind=PACK)
    return rows.select_related("family").order_by("family__position", "position")


def pack(code: str) -> Package:
    """The prepaid pack on sale under `code`; RuleViolation when there is none."""
    found = packs().filter(code=code).first()
    if found is None:
        raise RuleViolation(_("This pack is not on sale."), rule="OPR-9", field="package")
    return found


def package(code: str) -> Package:
    """The package on sale under `code`; RuleViolation when there is none."""
    found = packages().filter(code=code).first()
    if found is None:
        raise RuleViolation(_("This package is not on sale."), rule="SUB-1", field="package")
    return found


def sold(code: str, interval: str) -> Package:
    """What is on sale under `code` by `interval`: a prepaid pack is sold ONCE, a package month by month or annually."""
    return pack(code) if interval == ONCE else package(code)


def options_of(wanted: Package) -> QuerySet[Option]:
    """Options on sale with a package."""
    return Option.objects.filter(family=wanted.family, on_sale=True)


@dataclass(frozen=True, slots=True)
class Choice:
    """An option and how many of it."""

    option: Option
    quantity: int


def choices(wanted: Package, quantities: Mapping[str, int]) -> list[Choice]:
    """The chosen options in the catalogue's order; RuleViolation for an unknown one or a wrong number."""
    on_sale = {option.code: option for option in options_of(wanted)}
    for code, quantity in quantities.items():
        option = on_sale.get(code)
        if option is None:
            raise RuleViolation(_("This option is not on sale with the package."), rule="SUB-2", field=code)
        if not 0 <= quantity <= option.maximum:
            raise RuleViolation(
                _("Please choose between 0 and %(maximum)s.") % {"maximum": option.maximum}, rule="SUB-2", field=code
            )
    one_of_each(option for code, option in on_sale.items() if quantities.get(code))
    return [Choice(option, quantities[code]) for code, option in on_sale.items() if quantities.get(code)]


def one_of_each(options: Iterable[Option]) -> None:
    """RuleViolation when two options are chosen of which there can be one, such as two levels of backup (SUB-14)."""
    known: dict[str, Option] = {}
    for option in options:
        if option.one_of and (other := known.setdefault(option.one_of, option)) != option:
            sentence = _("Please choose %(one)s or %(other)s, not both.") % {
                "one": other.named(get_language() or "en"), "other": option.named(get_language() or "en"),
            }  # fmt: skip
            raise RuleViolation(sentence, rule="SUB-14", field=option.code)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one costs for an interval, and once with its first invoice (`setup`); cents excluding VAT."""

    cents: Cents
    setup: Cents = 0
    setup_on_change: bool = False


def price(item: Package | Option, interval: str, *, now: datetime) -> Cents:
    """The price of one for one interval, excluding VAT, as it is at `now`; RuleViolation when it has none."""
    return tariff(item, interval, now=now).cents


def tariff(item: Package | Option, interval: str, *, now: datetime, group: Grouped | None = None) -> Tariff:
    """The price of one with what it costs once, as it is at `now` for a member of `group`; RuleViolation when it has
    none."""
    row, cents = in_force(item, interval, now=now, group=group)
    return Tariff(cents, row.setup_cents, row.setup_on_change)


def in_force(item: Package | Option, interval: str, *, now: datetime, group: Grouped | None) -> tuple[Price, Cents]:
    """The row of the list, or of `group`, that says what one costs at `now`, and the cents it comes to; RuleViolation
    when there is none."""
    rows = item.prices.filter(interval=interval, valid_from__lte=now).order_by("-valid_from")
    own = rows.filter(group=group.pk).first() if group else None
    if own is not None and not own.ends:
        return own, own.amount_cents
    row = rows.filter(group=None).first()
    if row is None:
        raise RuleViolation(_("This has no price for the chosen interval."), rule="SUB-1", field="interval")
    return row, group_rules.price(row.amount_cents, None, group.percent) or 0 if group else row.amount_cents
