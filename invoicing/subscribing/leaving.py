"""What the end of a subscription costs (SUB-6..SUB-8): a commitment's balance, the project's code, its migration."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from invoicing import rules
from invoicing.documents import sale_words, texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice, Subscription
from invoicing.paying import collecting
from invoicing.rules import Quotation, Wanted
from invoicing.subscribing import ending_rules, kinds
from invoicing.subscribing.period_rules import Period, following
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.terms import Terms


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
    lines = [*_balance(row, version, rule, ends_on, now=now), *_code(row, wanted, version)]
    if not lines:
        return None
    net = sum(one.unit_cents * one.quantity for one in lines)
    taxed = parties.vat_treatment(row.account, terms_in_force.at(row.account, now), now=now, net=net)
    return rules.quote(row.interval, lines, taxed)


def _balance(row: Subscription, version: Terms, rule: str, ends_on: date | None, *, now: datetime) -> list[Wanted]:
    """What is owed after the running period when it ends at once: by the client, what would have run until the term."""
    consumer = row.account.kind == Account.Kind.CONSUMER
    if ends_on is not None or (rule != "SUB-6" and consumer and not version.termination.balance_from_consumers):
        return []
    until = term(row, now=now) if rule == "SUB-6" else row.committed_until
    current = Period(row.period_start, row.period_end)
    while current.end <= paris_date(now):  # its renewal is late: the billing run invoices this period for itself
        current = following(row.next_anchor, row.interval, current)
    due = ending_rules.balance(row.next_anchor, row.interval, current, until)
    if not due:
        return []
    language, over = texts.language_of(row.account.language), Period(due[0].start, due[-1].end)
    held = row.options.filter(until=None).select_related("option").order_by("option__position", "pk")
    parts = [(row.package, row.price_cents, 1), *((one.option, one.price_cents, one.quantity) for one in held)]
    return [
        Wanted(
            item.code, sale_words.say(language, "balance", name=item.named(language)), price, quantity * len(due),
            rule="SUB-6" if rule == "SUB-6" else "SUB-8", period=over, vat=item.vat,
        )
        for item, price, quantity in parts
    ]  # fmt: skip


def _code(row: Subscription, wanted: Wishes, version: Terms) -> list[Wanted]:
    asked, language = version.termination, row.account.language
    free = row.account.kind == Account.Kind.CONSUMER and not asked.code_fee_for_consumers
    if free or not row.package.hosts_code:
        return []
    found = []
    if wanted.keeps_code:
        percent = texts.decimal(language, asked.keep_code_percent)
        fee = ending_rules.code_fee(row.price_cents, asked.keep_code_percent)
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
