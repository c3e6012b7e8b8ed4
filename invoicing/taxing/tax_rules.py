"""INV-10: which VAT a sale carries, decided from stored evidence only. Pure.

Hosting is an electronically supplied service: a business is taxed where it is established (reverse charge inside the
EU when its number is valid), a consumer where they live (One Stop Shop), outside the EU it is not subject to VAT.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from panel.core.money import Cents, vat_of

STANDARD = "S"  # UNTDID 5305, as EN 16931 uses it
REVERSE_CHARGE = "AE"
NOT_SUBJECT = "O"
EXEMPT = "E"
OUTSIDE_SCOPE = "outside_scope"

EU = frozenset(
    ("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
     "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK")
)  # fmt: skip
LIKE_FRANCE = frozenset({"FR", "MC"})  # Monaco is French territory for VAT
OVERSEAS = frozenset({"GP", "MQ", "RE"})  # French VAT at rates of their own (CGI art. 296)
NOT_APPLIED = frozenset({"GF", "YT"})  # French VAT is provisionally not applied (CGI art. 294, 1)
AT_HOME = LIKE_FRANCE | OVERSEAS
"""Where French VAT is due whoever buys, so where a business is reached by domestic e-invoices."""


@dataclass(frozen=True, slots=True)
class VatFacts:
    """What is known of the customer at the tax point. `number_valid` is the stored answer of the check."""

    country: str
    is_business: bool
    vat_number: str = ""
    number_valid: bool = False


@dataclass(frozen=True, slots=True)
class OssRate:
    """The standard rate in percent of a member state, or of a part of France with its own, from a day on."""

    country: str
    rate: Decimal
    since: date


@dataclass(frozen=True, slots=True)
class SellerVat:
    """The seller's own position: home rate in percent, and whether consumers abroad are taxed through the OSS, by the
    rates on file: those of parts of France among them."""

    home_rate: Decimal
    uses_oss: bool
    oss_rates: Sequence[OssRate] = ()


@dataclass(frozen=True, slots=True)
class VatTreatment:
    """The VAT category of a sale; `reason` is a code of REASONS that says why, `country` where the tax is due."""

    code: str
    rate: Decimal
    country: str
    reason: str


def proof_holds(valid_at: datetime | None, *, recheck_days: int, outage_days: int, now: datetime) -> bool:
    """Whether the register's last yes, given at `valid_at`, still counts at `now`: until it should have been asked
    again, and while the register is out of reach a little longer. No yes at all is a no: an outage never gives 0 %."""
    return valid_at is not None and now - valid_at <= timedelta(days=recheck_days + outage_days)


def to_be_asked(facts: VatFacts) -> bool:
    """Whether the register's answer decides the tax: a business elsewhere in the EU that gave a number."""
    country = facts.country.upper()
    return facts.is_business and bool(facts.vat_number) and country in EU and country not in LIKE_FRANCE


# --- what is sold -----------------------------------------------------------------------------------------------------

ELECTRONIC, REDUCED, EXEMPTED, OUTSIDE = "electronic", "reduced", "exempted", "outside"
EXEMPTIONS = ("VATEX-EU-132-1I", "VATEX-EU-132-1N", "VATEX-EU-79-C")
"""Why something is exempt: training, culture, disbursements (the code list of EN 16931, BT-121)."""
NO_SUPPLY = "VATEX-EU-O"


@dataclass(frozen=True, slots=True)
class ItemVat:
    """The VAT category of something in the catalogue: the standard rate as an electronically supplied service, a
    reduced `rate` of the seller's country in percent, exempt for the `reason` of EXEMPTIONS, or outside VAT."""

    category: str = ELECTRONIC
    rate: Decimal = Decimal(0)
    reason: str = ""


STANDARD_ITEM = ItemVat()


def of_item(general: VatTreatment, item: ItemVat) -> VatTreatment:
    """The VAT of one thing sold to a customer who is treated as `general` (INV-10). A reduced rate is the seller's
    country's alone: where the tax is due elsewhere, or overseas, the customer's standard rate holds. Where no VAT is at
    all, none is exempt."""
    if general.code == NOT_SUBJECT or item.category == ELECTRONIC:
        return general
    if item.category == OUTSIDE:
        return VatTreatment(NOT_SUBJECT, Decimal(0), general.country, NO_SUPPLY)
    if item.category == EXEMPTED:
        return VatTreatment(EXEMPT, Decimal(0), general.country, item.reason)
    taxed_here = general.code == STANDARD and general.country in LIKE_FRANCE
    at_home = taxed_here and general.reason != FRANCE_OVERSEAS
    return VatTreatment(STANDARD, item.rate, general.country, general.reason) if at_home else general


def exemption(treatment: VatTreatment) -> str:
    """The code that says why a thing itself carries no VAT, whoever buys it; empty for any other treatment."""
    return treatment.reason if treatment.reason in (*EXEMPTIONS, NO_SUPPLY) else ""


def inseparable(codes: Iterable[str]) -> bool:
    """Whether lines of these categories may stand on one document: what is outside VAT stands alone (BR-O-11)."""
    found = set(codes)
    return NOT_SUBJECT not in found or len(found) == 1


class UnknownRate(LookupError):
    """No rate is on file for a member state on that day: the sale must wait rather than carry a wrong tax."""


BELOW_THRESHOLD = "below_threshold"
FRANCE_OVERSEAS, VAT_NOT_APPLIED = "france_overseas", "not_applied"
REASONS = ("france", FRANCE_OVERSEAS, VAT_NOT_APPLIED, "reverse_charge", "oss", BELOW_THRESHOLD, "outside_eu")


def treatment(facts: VatFacts, seller: SellerVat, day: date) -> VatTreatment:
    """The one VAT treatment of a sale on `day` (INV-10). UnknownRate when the rate of an OSS country, or of a part of
    France with its own, is not on file."""
    country = facts.country.upper()
    if country in LIKE_FRANCE:
        return VatTreatment(STANDARD, seller.home_rate, "FR", "france")
    if country in OVERSEAS:
        return VatTreatment(STANDARD, oss_rate(country, seller.oss_rates, day), "FR", FRANCE_OVERSEAS)
    if country in NOT_APPLIED:
        return VatTreatment(NOT_SUBJECT, Decimal(0), country, VAT_NOT_APPLIED)
    if country not in EU:
        return VatTreatment(NOT_SUBJECT, Decimal(0), country, "outside_eu")
    if facts.is_business and facts.vat_number and facts.number_valid:
        return VatTreatment(REVERSE_CHARGE, Decimal(0), country, "reverse_charge")
    # A business without a valid number counts as a consumer (Reg. 282/2011 art. 18).
    if not seller.uses_oss:
        return VatTreatment(STANDARD, seller.home_rate, "FR", BELOW_THRESHOLD)
    return VatTreatment(STANDARD, oss_rate(country, seller.oss_rates, day), country, "oss")


def oss_rate(country: str, rates: Iterable[OssRate], day: date) -> Decimal:
    """The standard rate of `country` on `day`, in percent."""
    known = [rate for rate in rates if rate.country == country and rate.since <= day]
    if not known:
        raise UnknownRate(f"{country} on {day}")
    return max(known, key=lambda rate: rate.since).rate


@dataclass(frozen=True, slots=True)
class VatGroup:
    """All lines of one category and rate: the tax is computed once on their sum (BR-CO-17)."""

    code: str
    rate: Decimal
    net: Cents
    vat: Cents


@dataclass(frozen=True, slots=True)
class Totals:
    net: Cents
    vat: Cents
    total: Cents
    groups: tuple[VatGroup, ...]


def totals(lines: Iterable[tuple[str, Decimal, Cents]]) -> Totals:
    """Totals of (category, rate, net cents) lines: VAT per group, each rounded once. Exact by construction."""
    sums: dict[tuple[str, Decimal], Cents] = {}
    for code, rate, net in lines:
        sums[code, rate] = sums.get((code, rate), 0) + net
    groups = tuple(
        VatGroup(code, rate, net, vat_of(net, rate)) for (code, rate), net in sorted(sums.items(), key=lambda kv: kv[0])
    )
    net, vat = sum(group.net for group in groups), sum(group.vat for group in groups)
    return Totals(net, vat, net + vat, groups)


def outside_scope(country: str) -> VatTreatment:
    """Damages, such as interest for late payment: no supply, so no VAT and no e-invoice (INV-8)."""
    return VatTreatment(NOT_SUBJECT, Decimal(0), country, OUTSIDE_SCOPE)
