"""What a signature is worth (PRJ-1, LEG-6, OPR-4): its proof, the invoices of its stages, its orders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing import rules as law
from invoicing.documents import texts
from invoicing.issuing import deducting, invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.limiting import limits
from invoicing.models import (
    Invoice,
    InvoiceState,
    Order,
    OrderLine,
    OrderState,
    Quote,
    QuoteLine,
    QuoteOrder,
    QuoteOverrun,
    QuoteStage,
    QuoteState,
)
from invoicing.offering import pricing
from invoicing.paying import collecting
from invoicing.quoting import quote_printing, quote_rules, quotes
from invoicing.rules import Line, Wanted
from invoicing.subscribing import kinds, ordering
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.accounts import signup
from panel.accounts.models import User
from panel.core import due, mail, references
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date
from panel.core.due import SweepReport
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros, round_cents
from panel.core.states import move

STAGE_LINES = {
    "en": "{title}: {percent} % of the quote {quote}, {about}",
    "fr": "{title} : {percent} % du devis {quote}, {about}",
}


def terms_of(quote: Quote) -> terms.Terms:
    """The terms of what a signed quote sells: its version, with its own numbers before the version's (LEG-6)."""
    return terms.version(f"{quote.terms_version}+{quote.reference}" if quote.special else quote.terms_version)


@transaction.atomic
def sign(
    quote: Quote,
    *,
    name: str,
    sha256: str,
    accepted: Sequence[str],
    client_manager: str = "",
    actor: Actor,
    ip: str | None,
    now: datetime,
) -> Quote:
    """The customer signs the PDF whose SHA-256 they were shown. Kept: the typed name, the instant, the address, the
    hash and the conditions ticked. What is due on signature is invoiced at once, the deposit first (OPR-4).

    RuleViolation when it can be signed no more, the document is another one, or something is missing.
    """
    held = quotes.hold(quote)
    if held.state == QuoteState.SENT and quote_rules.expired(held.valid_until, paris_date(now)):
        raise RuleViolation(_("This quote has expired. Ask us for a new one."), rule="PRJ-1")
    if held.state != QuoteState.SENT or held.pdf is None:
        raise RuleViolation(_("This quote cannot be signed."), rule="PRJ-1")
    if held.pdf.sha256 != sha256:
        raise RuleViolation(_("The document has changed since you opened it. Please read it again."), rule="PRJ-1")
    if not name.strip():
        raise RuleViolation(_("Please type your name to sign."), rule="PRJ-1", field="name")
    version = terms.version(held.terms_version)
    if set(version.order_documents) - set(accepted):
        raise RuleViolation(_("Please accept the conditions to sign."), rule="SUB-2", field="accept")
    person = User.objects.get(pk=actor.user_id or 0)
    held.signed_at, held.signed_by, held.signed_name, held.signed_ip = now, person, name.strip()[:120], ip
    held.signed_sha256, held.accepted = sha256, sorted(accepted)
    held.client_manager, held.ended_at = client_manager.strip()[:120], now
    held.save()
    move(held, QuoteState.SIGNED, quote_rules.QUOTE_TRANSITIONS)
    signup.accept(held.account, person, sorted(accepted), version, ip=ip, now=now, subject=held)
    quotes.told(held, "signed", now=now, actor=actor, sha256=sha256)
    for stage in held.stages.filter(when=QuoteStage.When.SIGNED):
        invoice_stage(stage, now=now, actor=actor)
    quote_printing.enqueue(held, now=now)
    return held


# --- stages ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def invoice_stage(stage: QuoteStage, *, now: datetime, actor: Actor) -> Invoice:
    """Invoice a stage of a signed quote, once; staff says so when it is reached. RuleViolation before the signature."""
    quote = quotes.hold(stage.quote)
    held = QuoteStage.objects.select_for_update(of=("self",)).select_related("invoice").get(pk=stage.pk)
    if held.invoice is not None:
        return held.invoice
    if quote.state != QuoteState.SIGNED:
        raise RuleViolation(_("Only the stages of a signed quote are invoiced."), rule="PRJ-1")
    if waits_for_deposit(held):
        raise RuleViolation(_("The deposit must be paid or credited before the last stage is invoiced."), rule="INV-2")
    rows, version = list(quote.stages.select_related("invoice")), terms_of(quote)
    nets = quote_rules.stage_nets(quotes.once_net(quote), [row.percent for row in rows])
    net = nets[rows.index(held)]
    taxed = parties.vat_treatment(quote.account, version, now=now, net=net)
    deposit = held in _deposits(rows)
    paid = [(row, row.invoice, sum(deducting.left(row.invoice).values())) for row in _taken_off(held, rows)
            if row.invoice]  # fmt: skip
    asked = [*((row, cents) for row, _paper, cents in paid), (held, net)]
    lines = [_stage_line(quote, row, cents, taxed) for row, cents in asked]
    if deposit:
        lines = [replace(line, code=deducting.DOWN_PAYMENT) for line in lines]
    invoice = invoices.issue(
        quote.account, [Billed(line) for line in lines], once=f"quote:{quote.reference}:{held.pk}",
        terms_version=version.name, treatment=taxed, now=now, actor=actor, reference=quote.reference,
        collected=collecting.has_means(quote.account), down_payment=deposit,
        off=[paper for _row, paper, _cents in paid],
    )  # fmt: skip
    held.invoice = invoice
    held.save(update_fields=["invoice"])
    quotes.told(quote, "stage_invoiced", now=now, actor=actor, invoice=invoice.number, amount_cents=net)
    return invoice


def _deposits(rows: Sequence[QuoteStage]) -> list[QuoteStage]:
    """The stages that are down payments (OPR-4): taken off the invoice of the last one."""
    return [row for row, yes in zip(rows, quote_rules.deposits([row.when for row in rows]), strict=True) if yes]


def _stage_line(quote: Quote, stage: QuoteStage, net: Cents, taxed: VatTreatment) -> Line:
    described = STAGE_LINES[quote.language].format(
        title=stage.title, percent=stage.percent, quote=quote.reference, about=quote.title
    )
    return Line(
        code="quote:stage", description=described[:500], quantity=law.ONE, unit_price=euros(net), net=net, rule="PRJ-1",
        vat_code=taxed.code, vat_rate=taxed.rate,
        evidence={"quote": quote.reference, "percent": stage.percent, "of_cents": quotes.once_net(quote)},
    )  # fmt: skip


def _taken_off(stage: QuoteStage, rows: Sequence[QuoteStage]) -> list[QuoteStage]:
    """The deposits that the invoice of `stage` takes off: all that is left of them, when it is the last one. One that
    was given up never came, so nothing is taken off for it."""
    if any(row.invoice is None for row in rows if row != stage):
        return []
    made = [(row, row.invoice) for row in _deposits(rows) if row != stage and row.invoice]
    return [row for row, paper in made if paper.state != InvoiceState.WRITTEN_OFF and deducting.left(paper)]


def waits_for_deposit(stage: QuoteStage) -> bool:
    """Whether it is the last stage of a quote whose deposit was neither paid, credited nor given up yet."""
    off = _taken_off(stage, list(stage.quote.stages.select_related("invoice")))
    return any(row.invoice.state != InvoiceState.PAID for row in off if row.invoice)


@transaction.atomic
def announce_overrun(quote: Quote, cents: Cents, *, reason: str, now: datetime, actor: Actor) -> QuoteOverrun:
    """PRJ-6: tell the client what the project will cost beyond the quote (without VAT), and why, at once.

    RuleViolation before the signature, without an amount or a reason.
    """
    held = quotes.hold(quote)
    if held.state != QuoteState.SIGNED:
        raise RuleViolation(_("Only a signed quote can be overrun."), rule="PRJ-6")
    if cents <= 0:
        raise RuleViolation(_("The amount must be more than nothing."), rule="PRJ-6", field="amount")
    if not reason.strip():
        raise RuleViolation(_("Please say what the overrun comes from."), rule="PRJ-6", field="reason")
    made = QuoteOverrun.objects.create(
        quote=held, account_id=held.account_id, cents=cents, reason=reason.strip()[:300], announced_at=now
    )
    quotes.told(held, "overrun", now=now, actor=actor, rule="PRJ-6", amount_cents=cents)
    mail.send(
        "quote_overrun", to=held.account.billing_email, lang=held.language, key=f"quote-overrun:{made.pk}", now=now,
        account_id=held.account_id, subject=held,
        context={"name": held.account.name, "quote": held.reference, "title": held.title, "reason": made.reason,
                 "amount": texts.money(held.language, cents), "path": f"/billing/quotes/{held.reference}/"},
    )  # fmt: skip
    return made


# --- services --------------------------------------------------------------------------------------------------------


def left(line: QuoteLine) -> int:
    """How many services of a recurring line are still to be ordered."""
    placed = line.orders.exclude(order__state=OrderState.CANCELLED).count()
    return int(line.quantity) - placed


@transaction.atomic
def order(
    line: QuoteLine, answers: Mapping[str, Any], *, key: str, now: datetime, actor: Actor, ip: str | None
) -> Order:
    """Order one service of a signed quote at its price (SUB-1), once per `key`; `answers` is what its kind asks. It is
    paid, invoiced and delivered like any other order, under the quote's own numbers (LEG-6)."""
    quote = quotes.hold(line.quote)
    account, package = quote.account, line.package
    if (before := Order.objects.filter(account=account, key=key).first()) is not None:
        return before
    if quote.state != QuoteState.SIGNED or package is None:
        raise RuleViolation(_("Only the services of a signed quote can be ordered."), rule="PRJ-1")
    if left(line) < 1:
        raise RuleViolation(_("Everything this quote offers has been ordered."), rule="PRJ-1")
    kind, beside = kinds.get(package.service_kind), list(line.options.select_related("option"))
    each = [(row.option, int(row.quantity / line.quantity), row.cents) for row in beside if row.option]
    wanted = {**answers, "options": {option.code: count for option, count, _cents in each}}
    settings = kind.validate(package, wanted)
    kinds.check_own(package.service_kind, account, settings)
    refused = ordering.refusal(account, actor, deliverable=kind.available(package, wanted))
    if refused:
        raise RuleViolation(refused[1], rule=ordering.REFUSALS[refused[0]][0])
    version = terms_of(quote)
    unit_cents = round_cents(line.unit_price)
    net = unit_cents + sum(cents * count for _option, count, cents in each)
    taxed = parties.vat_treatment(account, version, now=now, net=net)
    priced = [Wanted(package.code, line.description, unit_cents, vat=package.vat)]
    priced += [
        Wanted(option.code, option.named(quote.language), cents, count, vat=option.vat) for option, count, cents in each
    ]
    quotation = law.quote(line.interval, priced, taxed)
    limits.check_cap(account, quotation.totals.net, now=now)  # staff made the quote: the limits of new accounts do not
    placed = Order.objects.create(
        reference=references.new("ORD"), account=account, placed_by_id=actor.user_id, key=key, package=package,
        interval=line.interval, settings=settings, quotation=pricing.frozen(quotation),
        vat_evidence=parties.vat_evidence(account, taxed), net_cents=quotation.totals.net,
        vat_cents=quotation.totals.vat, total_cents=quotation.totals.total, terms_version=version.name,
        language=texts.language_of(account.language), placed_at=now, expires_at=now + ordering.UNPAID_LIFETIME,
        commitment_months=line.commitment_months,
    )  # fmt: skip
    OrderLine.objects.create(
        order=placed, account=account, position=0, package=package, description=line.description, quantity=1,
        unit_cents=unit_cents, net_cents=unit_cents,
    )  # fmt: skip
    for position, (option, count, cents) in enumerate(each, start=1):
        OrderLine.objects.create(
            order=placed, account=account, position=position, option=option, description=option.named(quote.language),
            quantity=count, unit_cents=cents, net_cents=cents * count,
        )  # fmt: skip
    QuoteOrder.objects.create(line=line, account=account, order=placed)
    quotes.told(quote, "ordered", now=now, actor=actor, order=placed.reference)
    return ordering.settle_nothing(placed, actor=actor, now=now)


# --- by itself -------------------------------------------------------------------------------------------------------


@due.sweep("invoicing.quotes", every_seconds=300)
def run(now: datetime, *, dry_run: bool = False) -> SweepReport:
    """Quotes nobody signed end on their last day; stages of signed ones are invoiced on theirs (Paris days)."""
    today = paris_date(now)
    late = Quote.objects.filter(state=QuoteState.SENT, valid_until__lt=today)
    stages = QuoteStage.objects.filter(
        quote__state=QuoteState.SIGNED, when=QuoteStage.When.DAY, on__lte=today, invoice=None
    ).select_related("quote")
    if dry_run:
        return SweepReport(would=[*(f"end {row}" for row in late), *(f"invoice {row.quote} {row}" for row in stages)])
    report = due.each(list(late.values_list("pk", flat=True)), lambda pk: quotes.expire(pk, now=now, actor=CLOCK))
    return due.each(
        [stage.pk for stage in stages if not waits_for_deposit(stage)],
        lambda pk: invoice_stage(QuoteStage.objects.select_related("quote").get(pk=pk), now=now, actor=CLOCK),
        report=report,
    )
