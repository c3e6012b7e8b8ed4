"""Why a line of an invoice says what it says: its rule, the terms, what it rests on, and the arithmetic, done again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from invoicing.documents import texts
from invoicing.issuing import line_rules
from invoicing.models import Invoice, InvoiceLine
from panel.accounts import selectors as people
from panel.core.actors import Actor
from panel.core.models import Event

RULES: dict[str, Promise] = {
    "SUB-1": gettext_lazy("What setting it up costs is paid once, at the price shown with the order."),
    "SUB-2": gettext_lazy("The promotional code of the order takes this off."),
    "SUB-5": gettext_lazy("A period is invoiced in advance, on the anniversary of the subscription."),
    "SUB-6": gettext_lazy("What is still owed is due when a subscription ends."),
    "SUB-7": gettext_lazy("Taking the work along at the end costs a part of the price of one period."),
    "SUB-12": gettext_lazy("A change within a period is counted by the day, on both sides the same."),
    "SRV-5": gettext_lazy("What is beyond the included volume is counted to the byte, and rounded once."),
    "OPR-1": gettext_lazy("What is beyond the included volume of a month is counted by events, each of them once."),
    "OPR-3": gettext_lazy("A payment that was due was refused, or given back by the bank."),
    "OPR-9": gettext_lazy("A prepaid pack is paid for when it is bought; what is drawn from it costs nothing more."),
    "ABU-3": gettext_lazy("A copyright notice was left unanswered, and the address was deactivated."),
    "ABU-5": gettext_lazy("A copyright notice was left unanswered, and the subscription was terminated."),
    "ABU-7": gettext_lazy("An address of the service was put on a blocklist."),
    "SUB-8": gettext_lazy("What is still owed is due when a subscription ends."),
    "SUB-15": gettext_lazy("The server was down for longer than the availability we promise allows."),
    "INV-8": gettext_lazy("What a business pays late costs interest, and once a fixed sum for its recovery."),
    "PRJ-1": gettext_lazy("A stage of the quote you signed."),
    "INV-2": gettext_lazy("Agreed with you, and invoiced by a person."),
}
SUBJECT = ("subject_type", "subject_id")
SHARE = ("period_price", "instead_of", "days", "days_of_period")
SHOWN = {"used", "allowance", "prepaid", "plan", "subscription", "terms", "case", "credits_line", "down_payment",
         "period_start", "period_end", *SHARE, *SUBJECT}  # fmt: skip
LABELS = {
    "service": gettext_lazy("Service"), "quote": gettext_lazy("Quote"), "percent": gettext_lazy("Percent"),
    "of_cents": gettext_lazy("Of"), "promotion": gettext_lazy("Promotional code"),
    "reckoned_on_cents": gettext_lazy("Of"), "period_number": gettext_lazy("Invoice of the subscription"),
    "server": gettext_lazy("Server"), "month": gettext_lazy("Month"),
    "minutes_measured": gettext_lazy("Minutes of the month"), "minutes_down": gettext_lazy("Minutes down"),
    "minutes_allowed": gettext_lazy("Minutes allowed"), "hours_begun": gettext_lazy("Hours begun beyond"),
    "packs": gettext_lazy("Prepaid packs"), "counted": gettext_lazy("Used"), "free": gettext_lazy("Included"),
    "meter": gettext_lazy("Meter"),
    "bytes": gettext_lazy("Bytes counted"), "included": gettext_lazy("Bytes included"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a line rests on; `url` where it can be looked at."""

    label: str
    value: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A line with its explanation. `sums` are the steps of the arithmetic in words; `holds`: done again from what was
    kept, they give the amount that was asked."""

    line: InvoiceLine
    law: str | Promise
    terms: str
    facts: list[Fact]
    sums: list[str]
    events: list[dict[str, Any]]
    holds: bool


def lines(invoice: Invoice, *, reader: Actor | None = None) -> list[Explained]:
    """Every line of a document, explained, in four queries at most. `reader`: the customer's person who asks; None for
    staff."""
    rows = list(invoice.lines.select_related("subscription", "credits__invoice"))
    events = _events(rows, invoice)
    return [
        Explained(
            line=row, law=RULES.get(row.rule, ""), terms=str(row.evidence.get("terms", invoice.terms_version)),
            facts=list(_facts(row, invoice, customer=reader is not None)), sums=_sums(row, rows, invoice),
            events=people.timeline(_of(row, events), reader=reader), holds=line_rules.holds(_stated(row)),
        )
        for row in rows
    ]  # fmt: skip


def _stated(row: InvoiceLine) -> line_rules.Stated:
    return line_rules.Stated(row.quantity, row.unit_price, row.net_cents, row.evidence)


# --- what it rests on ------------------------------------------------------------------------------------------------


def _facts(row: InvoiceLine, invoice: Invoice, *, customer: bool) -> Iterable[Fact]:
    language = texts.language_of(get_language() or "en")
    space, evidence = ("invoicing" if customer else "invoicing_staff"), row.evidence
    if row.subscription is not None:
        reference = row.subscription.reference
        url = reverse("invoicing:subscription_detail", args=[reference]) if customer else ""
        yield Fact(_("Subscription"), reference, url)
    if invoice.order is not None:
        reference = invoice.order.reference
        yield Fact(_("Order"), reference, reverse(f"{space}:order_detail", args=[reference]))
    if row.period_start and row.period_end:
        yield Fact(_("Days"), str((row.period_end - row.period_start).days))
    if "used" in evidence:
        unit = texts.unit(language, row.unit)
        for label, key in ((_("Used"), "used"), (_("From prepaid packs"), "prepaid"), (_("Included"), "allowance")):
            if key not in evidence:
                continue
            yield Fact(label, f"{texts.decimal(language, str(evidence[key]))} {unit}")
    if "case" in evidence:
        yield Fact(_("Because of"), str(evidence["case"]))
    if row.credits is not None:
        number = row.credits.invoice.number
        where = reverse(f"{space}:invoice_detail", args=[number])
        yield Fact(_("Line of"), f"{number}, {row.credits.position + 1}", where)
    if "down_payment" in evidence:
        number = str(evidence["down_payment"])
        yield Fact(_("Down payment"), number, reverse(f"{space}:invoice_detail", args=[number]))
    for key in sorted(set(evidence) - SHOWN):
        yield Fact(str(LABELS.get(key, key)), _plain(key, evidence[key], language))


def _plain(key: str, value: object, language: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return texts.money(language, value) if key.endswith("_cents") else texts.decimal(language, Decimal(value))
    return str(value)


def _events(rows: Sequence[InvoiceLine], invoice: Invoice) -> list[Event]:
    """What happened to what the lines name as their cause, by the rule they name."""
    wanted = Q(pk__in=[])
    for row in rows:
        if all(key in row.evidence for key in SUBJECT):
            wanted |= Q(rule=row.rule, **{key: row.evidence[key] for key in SUBJECT})
    return list(Event.objects.filter(wanted, account_id=invoice.account_id).order_by("-pk")[:40]) if wanted else []


def _of(row: InvoiceLine, events: Sequence[Event]) -> list[Event]:
    named = tuple(row.evidence.get(key) for key in SUBJECT)
    return [event for event in events if (event.subject_type, event.subject_id) == named and event.rule == row.rule]


# --- the arithmetic --------------------------------------------------------------------------------------------------


def _sums(row: InvoiceLine, rows: Sequence[InvoiceLine], invoice: Invoice) -> list[str]:
    language = texts.language_of(get_language() or "en")
    unit = texts.unit(language, row.unit)

    def number(value: Decimal | str, *, at_least: int = 0) -> str:
        return texts.decimal(language, value, at_least=at_least)

    said = []
    if "used" in row.evidence:
        sum_ = _("%(used)s used − %(included)s included = %(over)s %(unit)s beyond")
        if "prepaid" in row.evidence:
            sum_ = _("%(used)s used − %(prepaid)s from packs − %(included)s included = %(over)s %(unit)s beyond")
        said.append(
            sum_ % {"used": number(str(row.evidence["used"])), "included": number(str(row.evidence["allowance"])),
                    "prepaid": number(str(row.evidence.get("prepaid", 0))), "over": number(row.quantity), "unit": unit}
        )  # fmt: skip
    if set(SHARE) <= row.evidence.keys():
        kept = {key: int(row.evidence[key]) for key in SHARE}
        said.append(
            _("%(price)s instead of %(before)s, for %(days)s of the %(all)s days of the period")
            % {"price": texts.money(language, kept["period_price"]), "all": kept["days_of_period"],
               "before": texts.money(language, kept["instead_of"]), "days": kept["days"]}
        )  # fmt: skip
    exact = row.quantity * row.unit_price
    counted = " ".join(filter(None, (number(row.quantity), unit)))
    said.append(f"{counted} × {number(row.unit_price, at_least=2)} EUR = {number(exact, at_least=2)} EUR")
    net = texts.money(language, row.net_cents)
    if exact * 100 != row.net_cents:
        said.append(_("rounded once, half up: %(amount)s") % {"amount": net})
    if row.vat_code == "S":
        same = sum(one.net_cents for one in rows if (one.vat_code, one.vat_rate) == (row.vat_code, row.vat_rate))
        tax = sum(
            group["vat_cents"] for group in invoice.document["vat"]
            if group.get("code") == row.vat_code and Decimal(group["rate"]) == row.vat_rate
        )  # fmt: skip
        said.append(
            _("VAT %(rate)s %% of %(base)s, all lines of this rate together: %(vat)s")
            % {"rate": number(row.vat_rate), "base": texts.money(language, same), "vat": texts.money(language, tax)}
        )
    return said
