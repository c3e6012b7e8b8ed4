"""Writes down what a document says (INV-2): parties, lines, totals and the mentions the law asks for, frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.conf import settings

from invoicing.documents import (
    CREDIT_NOTE,
    INVOICE,
    PRO_FORMA,
    STATEMENT,
    Collection,
    DocumentLine,
    DocumentVat,
    InvoiceDocument,
    Note,
    Party,
    Preceding,
    texts,
)
from invoicing.issuing import document_rules, parties
from invoicing.rules import Line
from invoicing.subscribing.period_rules import Period
from invoicing.taxing import channel_rules, tax_rules
from invoicing.taxing.tax_rules import Totals, VatGroup, VatTreatment
from panel.accounts.models import Account
from panel.core.money import Cents
from panel.core.remembering import remembered
from panel.terms import Terms


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment that is known when the document is issued."""

    cents: Cents
    means: str
    reference: str
    on: date


@dataclass(frozen=True, slots=True)
class Content:
    """What goes into a document before it has a number and a day."""

    kind: str
    account: Account
    lines: Sequence[Line]
    totals: Totals
    treatment: VatTreatment
    terms: Terms
    reference: str = ""
    paid: tuple[Paid, ...] = ()
    credits: str = ""
    reason: str = ""
    language: str = ""
    collection: Collection | None = None
    down_payment: bool = False
    preceding: tuple[Preceding, ...] = ()
    channel: str = ""  # "": as the customer is today
    buyer: Party | None = None  # None: the same
    order_number: str | None = None  # None: the account's

    @property
    def business(self) -> bool:
        return self.account.kind == Account.Kind.BUSINESS

    @property
    def sold_as(self) -> str:
        """The channel it leaves by; a credit note goes the way of its invoice."""
        no_supply = {line.vat_reason for line in self.lines} == {tax_rules.NO_SUPPLY}
        if no_supply or self.treatment.reason == tax_rules.OUTSIDE_SCOPE:
            return channel_rules.OUTOFSCOPE
        return self.channel or parties.channel(self.account, self.treatment, self.totals.net)

    @property
    def spoken(self) -> str:
        return texts.language_of(self.language or self.account.language)


def document(content: Content, *, number: str, issued_on: date, due_on: date) -> InvoiceDocument:
    """The frozen document; `number` is empty for a pro-forma, which is marked as no invoice. ValueError when its
    figures do not follow from each other: such a document is never issued."""
    language, totals = content.spoken, content.totals
    process, sold_as = _process(content), content.sold_as
    notes = _notes(content, sold_as)
    written = InvoiceDocument(
        kind=content.kind,
        language=language,
        number=number,
        issued_on=issued_on.isoformat(),
        due_on=due_on.isoformat(),
        reference=content.reference,
        brand=str(settings.CLAUSE_BRAND["name"]),
        seller=parties.seller(language),
        customer=content.buyer or parties.customer(content.account, language),
        business=content.business,
        lines=tuple(_line(line, language) for line in content.lines),
        vat=tuple(_group(content, group) for group in totals.groups),
        net_cents=totals.net,
        vat_cents=totals.vat,
        total_cents=totals.total,
        paid_cents=sum(paid.cents for paid in content.paid),
        settlement=_settlement(content, due_on),
        mentions=_mentions(content, notes),
        terms_version=content.terms.name,
        credits=content.credits,
        reason=content.reason,
        process=process,
        channel=sold_as if process else "",
        down_payment=content.down_payment,
        order_number=content.account.buyer_reference if content.order_number is None else content.order_number,
        vat_on_debits=bool(settings.CLAUSE_SELLER["vat_on_debits"]),
        paid_on=content.paid[-1].on.isoformat() if process == PAID_SERVICES else "",
        paid_by=content.paid[-1].means if len(content.paid) == 1 else "",
        notes=notes if process else (),
        preceding=content.preceding,
        collection=content.collection if _asked(content) else None,
    )
    if faults := document_rules.faults(written):
        raise ValueError(f"{number or 'pro-forma'}: {'; '.join(faults)}")
    return written


SERVICES, PAID_SERVICES, AFTER_DOWN_PAYMENT = "S1", "S2", "S4"


def _process(content: Content) -> str:
    """BT-23: how the sale goes, as the French rules number it (BR-FR-08)."""
    if content.kind == PRO_FORMA or content.treatment.reason == tax_rules.OUTSIDE_SCOPE:
        return ""
    if content.kind == CREDIT_NOTE:
        return SERVICES
    if content.preceding:
        return AFTER_DOWN_PAYMENT
    total = content.totals.total
    return PAID_SERVICES if total and sum(paid.cents for paid in content.paid) == total else SERVICES


def _group(content: Content, group: VatGroup) -> DocumentVat:
    language, untaxed = content.spoken, group.code != tax_rules.STANDARD
    own = _exemptions(content, group.code)
    return DocumentVat(
        parties.vat_label(group.code, group.rate, language), group.net, group.vat, group.code, str(group.rate),
        " ".join(texts.say(language, code) for code in own) or (_why(content) if untaxed else ""),
        own[0] if len(own) == 1 else "",
    )  # fmt: skip


def _exemptions(content: Content, code: str) -> list[str]:
    """Why things of this VAT category are exempt by themselves, each reason once."""
    return sorted({line.vat_reason for line in content.lines if line.vat_code == code and line.vat_reason})


def _why(content: Content) -> str:
    """The VAT treatment in words."""
    country = parties.country_name(content.treatment.country, content.spoken)
    return texts.say(content.spoken, content.treatment.reason, country=country)


def _line(line: Line, language: str) -> DocumentLine:
    details = [period_text(line.period, language)] if line.period else []
    unit = texts.unit(language, line.unit)
    if "used" in line.evidence:
        used, allowance = (texts.decimal(language, line.evidence[key]) for key in ("used", "allowance"))
        details.append(texts.say(language, "over", used=used, allowance=allowance, unit=unit))
    if "case" in line.evidence:
        details.append(str(line.evidence["case"]))
    return DocumentLine(
        description=line.description,
        detail=" \u00b7 ".join(details),
        rule=line.rule,
        quantity=str(line.quantity),
        unit=unit,
        unit_price=str(line.unit_price),
        vat=parties.vat_label(line.vat_code, line.vat_rate, language),
        net_cents=line.net,
        code=line.code,
        unit_code=line.unit,
        vat_code=line.vat_code,
        vat_rate=str(line.vat_rate),
        start=line.period.start.isoformat() if line.period else "",
        end=(line.period.end - timedelta(days=1)).isoformat() if line.period else "",
    )


@remembered
def period_text(period: Period, language: str) -> str:
    """`From 22 Nov 2026 to 21 Dec 2026`: people count the last day in."""
    start, last = period.start, period.end - timedelta(days=1)
    return texts.say(language, "period", start=texts.short_day(language, start), end=texts.short_day(language, last))


def _asked(content: Content) -> bool:
    """Whether something of it is still to be paid."""
    return content.kind in (INVOICE, STATEMENT) and sum(one.cents for one in content.paid) < content.totals.total


def _collected(how: Collection, language: str) -> str:
    """A debit names its mandate and creditor where they are known, as its notice does."""
    if how.mandate and how.creditor:
        return texts.say(language, "debited", mandate=how.mandate, creditor=how.creditor, last4=how.last4)
    return texts.say(language, "collected")


def _settlement(content: Content, due_on: date) -> tuple[str, ...]:
    language = content.spoken
    if content.kind == PRO_FORMA:
        return (texts.say(language, "not_due"),)
    if content.kind == CREDIT_NOTE:
        return (texts.say(language, "credited"),)
    said = [
        texts.say(
            language, "paid_on", day=texts.day(language, paid.on), means=texts.say(language, paid.means),
            reference=f"{texts.money(language, paid.cents)}, {paid.reference}" if paid.reference
            else texts.money(language, paid.cents),
        )
        for paid in content.paid
    ]  # fmt: skip
    if not content.totals.total:
        said.append(texts.say(language, "nothing_due"))
    if _asked(content):
        if content.collection:
            said.append(_collected(content.collection, language))
        elif content.terms.invoicing.net_days or content.kind == STATEMENT:
            said.append(texts.say(language, "pay_by", day=texts.day(language, due_on)))
        else:
            said.append(texts.say(language, "pay_now"))
    return tuple(said)


def _mentions(content: Content, notes: tuple[Note, ...]) -> tuple[str, ...]:
    """The legal notices as printed: the operation, the VAT treatment, for businesses the costs of paying late (INV-2,
    INV-8). Consumers owe neither, and are not told of them."""
    language = content.spoken
    if content.treatment.reason == tax_rules.OUTSIDE_SCOPE:
        return _late_mentions(content)
    said = [texts.labels(language)["operation"]]
    if content.treatment.reason != "france":
        said.append(_why(content))
    said += [texts.say(language, code) for code in sorted({line.vat_reason for line in content.lines} - {""})]
    if content.kind != PRO_FORMA and content.treatment.code == tax_rules.STANDARD and content.business:
        said.append(texts.say(language, "vat_debits" if settings.CLAUSE_SELLER["vat_on_debits"] else "vat_receipt"))
    if content.kind == INVOICE and content.business:
        said += [note.text for note in notes[:3]]
    return tuple(said)


def _late_mentions(content: Content) -> tuple[str, ...]:
    """What a late-payment statement rests on, and how long it can be contested (INV-8, INV-9)."""
    language, late = content.spoken, content.terms.late_payment
    said = [texts.say(language, "late_law", times=texts.decimal(language, late.legal_rate_times)), _why(content)]
    if content.kind == STATEMENT:
        said.append(texts.say(language, "late_contest", days=late.contest_working_days))
    return tuple(said)


def _notes(content: Content, sold_as: str) -> tuple[Note, ...]:
    """The notices that an e-invoice codes: late interest, recovery costs, discount, kind of sale (BR-FR-05, BR-FR-20).
    The first two are asked for on every one, so a consumer's says that they do not apply."""
    late = content.terms.late_payment
    return _told(content.spoken, content.business, late.legal_rate_times, late.recovery_costs, sold_as)


@remembered
def _told(language: str, business: bool, times: Decimal, costs: Cents, sold_as: str) -> tuple[Note, ...]:
    if business:
        interest = texts.say(language, "late_interest", times=texts.decimal(language, times))
        recovery = texts.say(language, "recovery", amount=texts.money(language, costs))
    else:
        interest, recovery = texts.say(language, "late_consumer"), texts.say(language, "recovery_consumer")
    discount = texts.say(language, "no_discount")
    return (Note("PMD", interest), Note("PMT", recovery), Note("AAB", discount), Note("BAR", sold_as))
