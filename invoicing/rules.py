"""The pure law of invoicing: states, the price of a quotation, numbers, and what settles an invoice.

Beside it: `tax_rules` (INV-10), `period_rules` (SUB-5, SUB-12), `usage_rules` (SRV-5).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from invoicing.subscribing.period_rules import Period
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import ItemVat, Totals, VatGroup, VatTreatment, totals
from panel.core import canonical
from panel.core.money import Cents, euros, round_cents

ORDER_TRANSITIONS = {
    "awaiting_payment": frozenset({"held", "paid", "cancelled"}),
    "held": frozenset({"awaiting_payment", "paid", "cancelled"}),
    "paid": frozenset[str](),
    "cancelled": frozenset[str](),
}
SUBSCRIPTION_TRANSITIONS = {
    "active": frozenset({"suspended", "terminated"}),
    "suspended": frozenset({"active", "terminated"}),
    "terminated": frozenset[str](),
}
INVOICE_TRANSITIONS = {
    "open": frozenset({"overdue", "paid", "credited", "written_off"}),
    "overdue": frozenset({"open", "paid", "credited", "written_off"}),
    "paid": frozenset({"open", "overdue", "credited"}),  # a bank takes money back
    "written_off": frozenset({"open", "overdue", "paid", "credited"}),  # money comes after all, or went back in part
    "credited": frozenset[str](),
}

SUSPENSION_TRANSITIONS = {
    "proposed": frozenset({"held", "applied", "refused", "withdrawn"}),
    "held": frozenset({"proposed", "withdrawn"}),
    "applied": frozenset({"lifted"}),
    "refused": frozenset[str](),
    "withdrawn": frozenset({"proposed"}),
    "lifted": frozenset({"proposed"}),
}
TERMINATION_TRANSITIONS = {
    "proposed": frozenset({"ended", "refused", "withdrawn"}),
    "ended": frozenset[str](),
    "refused": frozenset[str](),
    "withdrawn": frozenset[str](),
}

GENESIS = "0" * 64
ONE = Decimal(1)
SETUP = "setup:"
"""The code of a line that is paid once begins so."""


# --- prices ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a preview, an order, an invoice or its PDF. `unit_price` is EUR without VAT; `net` rounded once."""

    code: str
    description: str
    quantity: Decimal
    unit_price: Decimal
    net: Cents
    unit: str = ""
    rule: str = ""
    vat_code: str = "S"
    vat_rate: Decimal = Decimal(0)
    vat_reason: str = ""
    """Why the thing itself carries no VAT: a code of `tax_rules`, empty where it does."""
    period: Period | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to be priced: `unit_cents` for one, times `quantity`; `vat` is the category it is in."""

    code: str
    description: str
    unit_cents: Cents
    quantity: int = 1
    unit: str = ""
    rule: str = ""
    period: Period | None = None
    vat: ItemVat = tax_rules.STANDARD_ITEM


@dataclass(frozen=True, slots=True)
class Quotation:
    """What a customer is shown, orders and is invoiced: the same object from the same function (SUB-1, SUB-2).
    `period_net` is what a period costs without what is paid once and without what a promotion takes off; None: the
    total."""

    interval: str
    lines: tuple[Line, ...]
    totals: Totals
    treatment: VatTreatment
    period_net: Cents | None = None

    @property
    def later_net(self) -> Cents | None:
        """What a later period costs without a promotion, where that is not the present total."""
        return None if self.period_net == self.totals.net else self.period_net


def quote(interval: str, wanted: Iterable[Wanted], treatment: VatTreatment) -> Quotation:
    """The price of `wanted`, each line rounded once and VAT per group."""
    lines = tuple(priced(item, treatment) for item in wanted)
    return Quotation(interval, lines, total_of(lines), treatment)


def priced(item: Wanted, treatment: VatTreatment) -> Line:
    """A whole-number quantity at a price in cents: nothing to round. `treatment` is the customer's."""
    own = tax_rules.of_item(treatment, item.vat)
    return Line(
        code=item.code,
        description=item.description,
        quantity=Decimal(item.quantity),
        unit_price=euros(item.unit_cents),
        net=item.unit_cents * item.quantity,
        unit=item.unit,
        rule=item.rule,
        vat_code=own.code,
        vat_rate=own.rate,
        vat_reason=tax_rules.exemption(own),
        period=item.period,
    )


def counted(item: Wanted, quantity: Decimal, unit_price: Decimal, treatment: VatTreatment) -> Line:
    """A quantity with decimals, such as hours, at a price in EUR; rounded once."""
    line = priced(item, treatment)
    return replace(line, quantity=quantity, unit_price=unit_price, net=round_cents(quantity * unit_price))


def metered(
    code: str, description: str, quantity: Decimal, unit: str, unit_price: Decimal, treatment: VatTreatment, *,
    rule: str, period: Period, evidence: Mapping[str, Any],
) -> Line:  # fmt: skip
    """A measured quantity at a unit price, rounded once (SRV-5); `treatment` is that of what was measured."""
    return Line(
        code=code, description=description, quantity=quantity, unit_price=unit_price,
        net=round_cents(quantity * unit_price), unit=unit, rule=rule, vat_code=treatment.code,
        vat_rate=treatment.rate, vat_reason=tax_rules.exemption(treatment), period=period, evidence=evidence,
    )  # fmt: skip


def because(line: Line, **evidence: Any) -> Line:
    """The line with what it rests on: from it the amount can be traced and recomputed."""
    return replace(line, evidence={**line.evidence, **evidence})


def alone(lines: Iterable[Line]) -> bool:
    """Whether the lines may stand on one document."""
    return tax_rules.inseparable(line.vat_code for line in lines)


def total_of(lines: Iterable[Line]) -> Totals:
    """Totals of lines, VAT per rate group (INV-10)."""
    return totals((line.vat_code, line.vat_rate, line.net) for line in lines)


# --- credit notes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Creditable:
    """A line of an issued invoice: its net amount, and what credit notes gave back of it before."""

    net: Cents
    credited: Cents
    vat_code: str
    vat_rate: Decimal


class TooMuch(ValueError):
    """A credit note may not give back more than its invoice took, line by line (INV-2)."""


def credit(lines: Sequence[Creditable], wanted: Sequence[Cents]) -> Totals:
    """Totals of a credit note that gives `wanted[i]` cents of `lines[i]` back; TooMuch beyond what is left of a line or
    of its VAT rate. Of a line that took something off (a discount, a down payment) the wanted cents are negative.

    VAT is reckoned on the running sum of each group, so that however an invoice is cut into credit notes they mirror
    it exactly, to the cent.
    """
    for line, cents in zip(lines, wanted, strict=True):
        if not _within(cents, line.net - line.credited):
            raise TooMuch(f"{cents} of {line.net - line.credited} left")
    whole = {(group.code, group.rate): group.net for group in totals(
        (line.vat_code, line.vat_rate, line.net) for line in lines).groups}  # fmt: skip
    before = totals((line.vat_code, line.vat_rate, line.credited) for line in lines)
    after = totals(
        (line.vat_code, line.vat_rate, line.credited + cents) for line, cents in zip(lines, wanted, strict=True)
    )
    for group in after.groups:
        if not _within(group.net, whole[group.code, group.rate]):
            raise TooMuch(f"{group.net} of {whole[group.code, group.rate]} at {group.rate} %")
    groups = tuple(
        VatGroup(new.code, new.rate, new.net - old.net, new.vat - old.vat)
        for old, new in zip(before.groups, after.groups, strict=True)
        if new.net != old.net
    )
    net, vat = after.net - before.net, after.vat - before.vat
    return Totals(net, vat, net + vat, groups)


def _within(cents: Cents, limit: Cents) -> bool:
    return 0 <= cents <= limit if limit >= 0 else limit <= cents <= 0


# --- numbers and the chain -------------------------------------------------------------------------------------------


def number(prefix: str, year: int, position: int) -> str:
    """`F2026-000001`: within the 35 signs and the alphabet the French e-invoicing rules allow (BR-FR-01, BR-FR-02)."""
    return f"{prefix}{year}-{position:06d}"


def issue_instant(now: datetime, last: datetime | None) -> datetime:
    """The instant written on a document: a series never goes back in time (INV-2)."""
    return now if last is None else max(now, last)


def document_hash(previous: str, content: Mapping[str, Any]) -> str:
    """Chains a document to the one before it in its series; `previous` is GENESIS for the first."""
    return hashlib.sha256(f"{previous}\n{canonical.text_of(content)}".encode()).hexdigest()


def order_number(given: str) -> str:
    """A buyer's own order number (BT-13) as it is kept."""
    return " ".join(given.split())[:60]


# --- what settles an invoice -----------------------------------------------------------------------------------------


def invoice_state(total: Cents, paid: Cents, credited: Cents, *, overdue: bool, given_up: Cents = 0) -> str:
    """The state that follows from the amounts; `credited` only when nothing but credit notes settled it, `written_off`
    while any of what is `paid` was given up and never came (INV-11)."""
    if credited >= total and total > 0:
        return "credited"
    if paid + credited >= total:
        return "written_off" if given_up else "paid"
    return "overdue" if overdue else "open"


def is_overdue(due_on: date, today: date) -> bool:
    """An invoice is late from the day after its due date."""
    return today > due_on


def refusal_to_order(
    *,
    mail_confirmed: bool,
    account_open: bool,
    restricted: bool,
    overdue_invoices: int,
    taken_back: bool,
    deliverable: bool,
) -> str | None:
    """ACC-2, SUB-4: the code of the reason why an order is refused, or None."""
    if not mail_confirmed:
        return "mail_unconfirmed"
    if restricted:
        return "restricted"
    if not account_open:
        return "account_closed"
    if overdue_invoices:
        return "unpaid_invoice"
    if taken_back:
        return "taken_back"
    if not deliverable:
        return "unavailable"
    return None
