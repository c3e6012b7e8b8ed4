"""The one price of an order: what is previewed, placed, invoiced and printed (SUB-1, SUB-2): the first period with its
options, what is paid once, and what a promotional code takes off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_lazy as _

from invoicing import rules
from invoicing.documents import sale_words
from invoicing.issuing import parties
from invoicing.models import ONCE, Item, Option, Package
from invoicing.offering import catalogue, groups, promotions
from invoicing.offering.catalogue import Choice
from invoicing.offering.promotion_rules import Promise
from invoicing.rules import Line, Quotation, Wanted
from invoicing.subscribing.period_rules import Period, period_number
from invoicing.taxing.tax_rules import Totals, VatGroup, VatTreatment
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from panel.terms import Terms

APART = _("These cannot be ordered together: one of them is outside VAT and needs an invoice of its own.")


@dataclass(frozen=True, slots=True)
class Priced:
    """A quotation with what it was made of."""

    quotation: Quotation
    terms: Terms
    choices: tuple[Choice, ...]
    promise: Promise | None = None
    units: tuple[Cents, ...] = ()
    """The price of one for a period: of the package, then of each option."""
    trial_days: int = 0

    @property
    def off(self) -> Cents:
        """What the promotion takes off, in cents without VAT."""
        return -sum(line.net for line in self.quotation.lines if line.code.startswith(promotions.LINE))


def price(
    account: Account, package: Package, interval: str, quantities: Mapping[str, int], *, now: datetime,
    language: str = "", promotion: str = "", trial: bool = False,
) -> Priced:  # fmt: skip
    """The first period of `package` with its options for `account`, at the prices and VAT of `now`: the package first,
    its options after it, then what is paid once, then what the code `promotion` takes off. A `trial` is of the package
    alone and costs nothing, the setting up included.

    RuleViolation when an option, an interval or a VAT rate does not exist, or the code cannot be used.
    """
    spoken = language or translation.get_language() or account.language
    terms = terms_in_force.at(account, now)
    chosen = catalogue.choices(package, quantities)
    wanted, once, group = [], [], groups.of(account, now=now)
    items: list[tuple[Package | Option, int]] = [(package, 1), *((choice.option, choice.quantity) for choice in chosen)]
    for item, quantity in items:
        tariff = catalogue.tariff(item, interval, now=now, group=group)
        period = None if interval == ONCE else period_number(paris_date(now), interval, 0)
        wanted.append(
            Wanted(item.code, item.named(spoken), tariff.cents, quantity, period=period, vat=item.vat,
                   rule="OPR-9" if interval == ONCE else "SUB-5")
        )  # fmt: skip
        if tariff.setup:
            once.append(setup_of(item, tariff.setup, quantity, spoken))

    def drawn(taxed: VatTreatment) -> Priced:
        each = rules.quote(interval, wanted, taxed)
        lines = [*each.lines, *(rules.priced(one, taxed) for one in once)]
        if trial:
            lines = [rules.priced(_trial_of(package, paris_date(now), spoken), taxed)]
        if not rules.alone(lines):
            raise RuleViolation(str(APART), rule="INV-10", field="options")
        promise = None
        if promotion:
            net = rules.total_of(lines).net
            promise = promotions.check(account, promotion, package, interval, net, now=now)[1]
            lines += promotions.lines_off(promise, lines, language=spoken)
        whole = Quotation(interval, tuple(lines), rules.total_of(lines), taxed, each.totals.net)
        units = tuple(one.unit_cents for one in wanted)
        return Priced(whole, terms, tuple(chosen), promise, units, package.trial_days if trial else 0)

    return parties.taxed(account, terms, drawn, lambda made: made.quotation.totals.net, now=now)[1]


def _trial_of(package: Package, today: date, language: str) -> Wanted:
    named = sale_words.say(language, "trial", name=package.named(language), days=package.trial_days)
    period = Period(today, today + timedelta(days=package.trial_days))
    return Wanted(package.code, named, 0, period=period, vat=package.vat, rule="SUB-5")


def setup_of(item: Item, cents: Cents, quantity: int, language: str) -> Wanted:
    """What is paid once for `quantity` of an item."""
    named = sale_words.say(language, "setup", name=item.named(language))
    return Wanted(f"{rules.SETUP}{item.code}", named, cents, quantity, vat=item.vat, rule="SUB-1")


def quote(
    account: Account, package: Package, interval: str, options: Mapping[str, int], *, now: datetime,
    promotion: str = "", trial: bool = False,
) -> Quotation:  # fmt: skip
    """The quotation alone, for previews and the API."""
    return price(account, package, interval, options, now=now, promotion=promotion, trial=trial).quotation


def treatment(account: Account, *, now: datetime) -> VatTreatment | None:
    """The VAT a sale to this account carries now, for lists of prices; None when no rate is on file."""
    try:
        return parties.vat_treatment(account, terms_in_force.at(account, now), now=now)
    except RuleViolation:
        return None


# --- keeping a quotation with its order -----------------------------------------------------------------------------


def frozen(quotation: Quotation) -> dict[str, Any]:
    """The plain values an order keeps."""
    taxed, totals = quotation.treatment, quotation.totals
    return {
        "interval": quotation.interval,
        "treatment": {
            "code": taxed.code, "rate": str(taxed.rate), "country": taxed.country, "reason": taxed.reason,
        },
        "lines": [
            {
                "code": line.code, "description": line.description, "quantity": str(line.quantity),
                "unit_price": str(line.unit_price), "net": line.net, "vat_code": line.vat_code,
                "vat_rate": str(line.vat_rate), "vat_reason": line.vat_reason, "rule": line.rule,
                "evidence": dict(line.evidence),
            }
            for line in quotation.lines
        ],
        "groups": [
            {"code": group.code, "rate": str(group.rate), "net": group.net, "vat": group.vat}
            for group in totals.groups
        ],
        "net": totals.net, "vat": totals.vat, "total": totals.total, "period_net": quotation.period_net,
    }  # fmt: skip


def thawed(kept: Mapping[str, Any], period: Period | None = None) -> Quotation:
    """The quotation as it was, its lines for `period` (the first one, known when the payment is confirmed)."""
    held = kept["treatment"]
    taxed = VatTreatment(held["code"], Decimal(held["rate"]), held["country"], held["reason"])
    lines = tuple(
        Line(
            code=row["code"], description=row["description"], quantity=Decimal(row["quantity"]),
            unit_price=Decimal(row["unit_price"]), net=row["net"], vat_code=row.get("vat_code", taxed.code),
            vat_rate=Decimal(row.get("vat_rate", taxed.rate)), vat_reason=row.get("vat_reason", ""),
            rule=row.get("rule", ""), evidence=row.get("evidence", {}),
            period=None if row["code"].startswith(rules.SETUP) else period,
        )
        for row in kept["lines"]
    )  # fmt: skip
    groups = tuple(
        VatGroup(group["code"], Decimal(group["rate"]), group["net"], group["vat"]) for group in kept["groups"]
    )
    totals = Totals(kept["net"], kept["vat"], kept["total"], groups)
    return Quotation(kept["interval"], lines, totals, taxed, kept.get("period_net"))
