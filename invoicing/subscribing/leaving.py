"""What the end of a subscription costs (SUB-6..SUB-8): a commitment's balance, the project's code, its migration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from invoicing import rules
from invoicing.documents import sale_words, texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice, Option, Package, Subscription
from invoicing.offering import promotion_rules, promotions
from invoicing.offering.promotion_rules import Promise
from invoicing.paying import collecting
from invoicing.rules import Line, Quotation, Wanted
from invoicing.subscribing import composing, ending_rules, kinds
from invoicing.subscribing.change_rules import Composition
from invoicing.subscribing.period_rules import Period, following
from invoicing.taxing.tax_rules import VatTreatment
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.money import Cents
from panel.terms import Terms
from panel.terms.numbers import TerminationTerms


@dataclass(frozen=True, slots=True)
class Wishes:
    """SUB-7: the client leaves with the project's code, and has us move it."""

    keeps_code: bool = False
    migration: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def wishes(kept: Mapping[str, Any]) -> Wishes:
    """What a planned end kept."""
    return Wishes(bool(kept.get("keeps_code")), bool(kept.get("migration")))


def term(row: Subscription, *, now: datetime) -> date:
    """The first day without it, if its end at the term is asked for now; the terms its period began under say how long
    before (OPR-8). A free trial needs no notice."""
    notice = notice_days(row)
    current = Period(row.period_start, row.period_end)
    return ending_rules.term(
        row.next_anchor, row.interval, current, paris_date(now), notice_days=notice, committed_until=row.committed_until
    )


def notice_days(row: Subscription) -> int:
    """How many days before its renewal an end must be asked for; later, it is renewed once more (OPR-8)."""
    return 0 if row.on_trial else terms.version(row.terms_version).termination.notice_days


def quote(
    row: Subscription, wanted: Wishes, *, rule: str, now: datetime, ends_on: date | None = None
) -> Quotation | None:
    """What the end costs, by the terms the running period began under; None when it costs nothing. `rule` is the one it
    ends by: SUB-6 by the client; any other is the provider's termination, whose balance SUB-8 claims."""
    version = terms.version(row.terms_version)
    runs, once = _runs(row, version, rule, ends_on, now=now), _code(row, wanted, version)
    if not runs and not once:
        return None

    def drawn(taxed: VatTreatment) -> Quotation:
        lines = [line for run in runs for line in _priced(row, run, rule, taxed)]
        lines += [rules.priced(one, taxed) for one in once]
        return Quotation(row.interval, tuple(lines), rules.total_of(lines), taxed)

    now_in_force = terms_in_force.at(row.account, now)
    return parties.taxed(row.account, now_in_force, drawn, lambda made: made.totals.net, now=now)[1]


# --- the balance: what the remaining periods would have cost ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """Periods one after another that cost the same, and what a promotional code promises each of them."""

    periods: tuple[Period, ...]
    whole: Composition
    promise: Promise | None


def _runs(row: Subscription, version: Terms, rule: str, ends_on: date | None, *, now: datetime) -> list[Run]:
    """What is owed after the running period when it ends at once: by the client, what would have run until the term."""
    consumer = row.account.kind == Account.Kind.CONSUMER
    if ends_on is not None or (rule != "SUB-6" and consumer and not version.termination.balance_from_consumers):
        return []
    until = term(row, now=now) if rule == "SUB-6" else row.committed_until
    current, late = Period(row.period_start, row.period_end), 0
    while current.end <= paris_date(now):  # its renewal is late: the billing run invoices this period for itself
        current, late = following(row.next_anchor, row.interval, current), late + 1
    found: list[Run] = []
    for place, period in enumerate(ending_rules.balance(row.next_anchor, row.interval, current, until)):
        whole = composing.from_renewal(row, period.start)
        promised = promotions.at_renewal(row, row.period_end, skipped=late + place, package=whole.package)
        promise = promised[0] if promised else None
        if found and (found[-1].whole, found[-1].promise) == (whole, promise):
            found[-1] = replace(found[-1], periods=(*found[-1].periods, period))
        else:
            found.append(Run((period,), whole, promise))
    return found


def _priced(row: Subscription, run: Run, rule: str, taxed: VatTreatment) -> list[Line]:
    """One period as the billing run would draw it up, times their number."""
    language, count = texts.language_of(row.account.language), len(run.periods)
    over = Period(run.periods[0].start, run.periods[-1].end)
    package = row.package if row.package.code == run.whole.package else Package.objects.get(code=run.whole.package)
    options = {one.code: one for one in Option.objects.filter(code__in=run.whole.quantities())}
    held = sorted(run.whole.options, key=lambda one: options[one.code].position)
    parts: list[tuple[Package | Option, Cents, int]] = [(package, run.whole.price, 1)]
    parts += [(options[one.code], one.unit_cents, one.quantity) for one in held]
    each = [
        rules.priced(
            Wanted(item.code, sale_words.say(language, "balance", name=item.named(language)), price, quantity,
                   rule="SUB-6" if rule == "SUB-6" else "SUB-8", period=over, vat=item.vat),
            taxed,
        )
        for item, price, quantity in parts
    ]  # fmt: skip
    if run.promise is not None:
        each += promotions.lines_off(run.promise, each, language=language)
    return [replace(line, quantity=line.quantity * count, net=line.net * count) for line in each]


# --- SUB-7 -----------------------------------------------------------------------------------------------------------


def code_fee(row: Subscription, asked: TerminationTerms) -> Cents:
    """SUB-7: the percentage of what the hosting costs in the running period, less what a promotional code takes off
    it."""
    held, price = composing.held_by(row), row.price_cents
    if promised := promotions.at_renewal(row, row.period_start):
        nets = [price, *(one.unit_cents * one.quantity for one in held.options)]
        price -= promotion_rules.taken_off(promised[0], nets)[0]
    return ending_rules.code_fee(price, asked.keep_code_percent)


def _code(row: Subscription, wanted: Wishes, version: Terms) -> list[Wanted]:
    asked, language = version.termination, row.account.language
    free = row.account.kind == Account.Kind.CONSUMER and not asked.code_fee_for_consumers
    if free or not row.package.hosts_code:
        return []
    found = []
    if wanted.keeps_code:
        percent = texts.decimal(language, asked.keep_code_percent)
        fee = code_fee(row, asked)
        found.append(Wanted("fee:SUB-7", sale_words.say(language, "keeps_code", percent=percent), fee, rule="SUB-7",
                            vat=row.package.vat))  # fmt: skip
    if wanted.migration:
        found.append(Wanted("migration", sale_words.say(language, "migration"), asked.migration, rule="SUB-7",
                            vat=row.package.vat))  # fmt: skip
    return found


def invoice(
    row: Subscription, wanted: Wishes, *, rule: str, now: datetime, actor: Actor, ends_on: date | None = None
) -> Invoice | None:
    """Invoice what the end of the (locked) subscription costs, once."""
    asked = quote(row, wanted, rule=rule, now=now, ends_on=ends_on)
    if asked is None:
        return None
    named = kinds.get(row.service_kind).describe(row, texts.language_of(row.account.language))
    lines = [
        rules.because(line, subscription=row.reference, service=named, terms=row.terms_version,
                      period_price=row.price_cents)
        for line in asked.lines
    ]  # fmt: skip
    return invoices.issue(
        row.account, [Billed(line, row) for line in lines], once=f"end:{row.reference}",
        terms_version=row.terms_version, treatment=asked.treatment, now=now, actor=actor, reference=row.reference,
        collected=collecting.has_means(row.account),
    )  # fmt: skip
