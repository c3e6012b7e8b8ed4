"""The pure law of quotes (PRJ-1, LEG-6, OPR-4): states, sums, stages, and which numbers a quote may agree upon."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from invoicing import rules
from invoicing.rules import Line
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import ItemVat, Totals, VatTreatment
from panel.core.money import Cents, euros, round_cents, split

QUOTE_TRANSITIONS = {
    "draft": frozenset({"sent", "withdrawn"}),
    "sent": frozenset({"signed", "declined", "expired", "withdrawn", "replaced"}),
    "signed": frozenset[str](),
    "declined": frozenset[str](),
    "expired": frozenset[str](),
    "withdrawn": frozenset[str](),
    "replaced": frozenset[str](),
}
ONCE, MONTH, YEAR = "", "month", "year"
INTERVALS = (ONCE, MONTH, YEAR)
WHOLE = 100  # percent
SIGNED = "signed"  # a stage that is invoiced on signature

# Numbers of the terms that a signed quote may replace for the services it sells (LEG-6): those that are read from the
# terms version which the subscription and its invoices keep.
NEGOTIABLE = (("SRV-5", "price_per_gb"), ("INV-14", "net_days"))


@dataclass(frozen=True, slots=True)
class Offered:
    """One line of a quote; `unit_price` is EUR without VAT for one, once or for each interval."""

    code: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    interval: str = ONCE
    unit: str = ""
    vat: ItemVat = tax_rules.STANDARD_ITEM


def line(offered: Offered, treatment: VatTreatment, *, rule: str = "PRJ-1") -> Line:
    """The line with its net amount, rounded once."""
    own = tax_rules.of_item(treatment, offered.vat)
    return Line(
        code=offered.code, description=offered.description, quantity=offered.quantity,
        unit_price=offered.unit_price, net=round_cents(offered.quantity * offered.unit_price), unit=offered.unit,
        rule=rule, vat_code=own.code, vat_rate=own.rate, vat_reason=tax_rules.exemption(own),
    )  # fmt: skip


def sums(offered: Iterable[Offered], treatment: VatTreatment) -> dict[str, Totals]:
    """Totals by interval: what is paid once, each month, each year; only those that have lines."""
    rows = list(offered)
    return {
        interval: rules.total_of(line(row, treatment) for row in rows if row.interval == interval)
        for interval in INTERVALS
        if any(row.interval == interval for row in rows)
    }


def wrong_with(offered: Offered) -> str | None:
    """A code why a line cannot be offered, or None."""
    if offered.quantity <= 0:
        return "quantity"
    if offered.unit_price < 0:
        return "price"
    if offered.interval != ONCE:  # becomes subscriptions: whole numbers, whole cents
        if offered.quantity != offered.quantity.to_integral_value():
            return "whole"
        if euros(round_cents(offered.unit_price)) != offered.unit_price:
            return "cents"
    return None


def stages_whole(percents: Sequence[int]) -> bool:
    """Whether the stages ask for exactly all of it, each for something."""
    return all(percent > 0 for percent in percents) and sum(percents) == WHOLE


def stage_nets(net: Cents, percents: Sequence[int]) -> list[Cents]:
    """What each stage asks for, without VAT: the parts add up to the whole, to the cent."""
    return split(net, percents)


def deposits(whens: Sequence[str]) -> list[bool]:
    """Which stages are down payments: what is asked on signature while something of it is still to come."""
    return [when == SIGNED and any(other != SIGNED for other in whens) for when in whens]


def deposit_allowed(net: Cents, threshold: Cents | None) -> bool:
    """OPR-4: where the terms set a threshold, a deposit may be asked for only beyond it."""
    return threshold is None or net > threshold


def expired(valid_until: date, today: date) -> bool:
    """A quote can be signed until 24:00 Paris of its last day."""
    return today > valid_until


def sendable(lines: int, percents: Sequence[int], *, once: bool, days_left: int) -> str | None:
    """A code why a draft cannot be sent, or None."""
    if not lines:
        return "empty"
    if once and not stages_whole(percents):
        return "stages"
    if days_left < 0:
        return "validity"
    return None


def numbers_of(special: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """`{"SRV-5.price_per_gb": "0.90"}` as (rule, key, value); ValueError for one that is not negotiable."""
    found = []
    for name, value in sorted(special.items()):
        rule, _, key = name.partition(".")
        if (rule, key) not in NEGOTIABLE:
            raise ValueError(f"{name} cannot be agreed upon in a quote")
        found.append((rule, key, value))
    return found
