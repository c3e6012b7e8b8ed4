"""A quote is drawn up, sent, revised, withdrawn, and ends by itself (PRJ-1, PRJ-6). Only a draft can be changed."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.documents import texts
from invoicing.issuing import parties
from invoicing.journal import tell
from invoicing.models import Option, Package, Quote, QuoteLine, QuoteSeries, QuoteStage, QuoteState
from invoicing.quoting import quote_printing, quote_rules
from invoicing.quoting.quote_rules import Offered
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import Totals, VatTreatment
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import mail
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents, round_cents
from panel.core.states import move

LONGEST_COMMITMENT = 60  # months
WRONG = {
    "quantity": gettext_lazy("The quantity must be more than nothing."),
    "price": gettext_lazy("The price cannot be negative."),
    "whole": gettext_lazy("A service that recurs is sold in whole numbers."),
    "cents": gettext_lazy("The price of a service that recurs has two decimals."),
    "empty": gettext_lazy("A quote has at least one line."),
    "stages": gettext_lazy("The stages must add up to 100 %."),
    "validity": gettext_lazy("The last day of validity has passed."),
}


def hold(quote: Quote) -> Quote:
    """The quote, locked; quotes are locked before accounts."""
    return Quote.objects.select_for_update(of=("self",)).select_related("account").get(pk=quote.pk)


def _draft(quote: Quote) -> Quote:
    held = hold(quote)
    if held.state != QuoteState.DRAFT:
        raise RuleViolation(_("This quote was sent: revise it to change it."), rule="PRJ-1")
    return held


def told(quote: Quote, what: str, *, now: datetime, actor: Actor, rule: str = "PRJ-1", **data: Any) -> None:
    """One entry of the journal about a quote."""
    tell(f"quote.{what}", quote, now=now, actor=actor, rule=rule, data={"quote": quote.reference, **data})


# --- drafts ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def draw_up(account: Account, title: str, *, valid_until: date, our_manager: str, now: datetime, actor: Actor) -> Quote:
    """A new draft, under the next number of the year; it keeps the terms that apply to the account now (LEG-1)."""
    if not title.strip():
        raise RuleViolation(_("Please say what the quote is for."), rule="PRJ-1", field="title")
    year = paris_date(now).year
    QuoteSeries.objects.bulk_create([QuoteSeries(year=year)], ignore_conflicts=True)
    QuoteSeries.objects.filter(year=year).update(last_number=F("last_number") + 1)
    number = f"D{year}-{QuoteSeries.objects.get(year=year).last_number:06d}"
    quote = Quote.objects.create(
        reference=number, number=number, account=account, title=title.strip()[:160], our_manager=our_manager[:120],
        valid_until=valid_until, language=texts.language_of(account.language),
        terms_version=terms_in_force.at(account, now).name, created_at=now,
    )  # fmt: skip
    QuoteStage.objects.create(
        quote=quote, account=account, title=_stage_name(quote), percent=quote_rules.WHOLE, when=QuoteStage.When.REACHED
    )
    told(quote, "drawn_up", now=now, actor=actor)
    return quote


def _stage_name(quote: Quote) -> str:
    return "Livraison" if quote.language == "fr" else "Delivery"


@transaction.atomic
def add_line(
    quote: Quote, description: str, *, quantity: Decimal, unit_price: Decimal, unit: str = "",
    package: Package | None = None, interval: str = "", commitment_months: int = 0,
) -> QuoteLine:  # fmt: skip
    """One more line of a draft: sold once, or `package` each `interval` at this price (SUB-1: personalised), for
    `commitment_months` at least (SUB-6)."""
    held = _draft(quote)
    described = description.strip() or (package.named(held.language) if package else "")
    if not described:
        raise RuleViolation(_("Please describe the line."), rule="PRJ-1", field="description")
    if (package is None) != (interval == ""):
        raise RuleViolation(
            _("A package recurs each month or year; what is sold once is described freely."), rule="SUB-1",
            field="interval",
        )  # fmt: skip
    if commitment_months and (package is None or commitment_months > LONGEST_COMMITMENT):
        sentence = _("Only a service that recurs can be committed to, for up to %(months)s months.")
        raise RuleViolation(sentence % {"months": LONGEST_COMMITMENT}, rule="SUB-6", field="commitment_months")
    wrong = quote_rules.wrong_with(Offered("", described, quantity, unit_price, interval))
    if wrong:
        field = "quantity" if wrong in ("quantity", "whole") else "unit_price"
        raise RuleViolation(str(WRONG[wrong]), rule="PRJ-1", field=field)
    return QuoteLine.objects.create(
        quote=held, account_id=held.account_id, package=package, interval=interval, description=described[:300],
        quantity=quantity, unit=unit[:12], unit_price=unit_price, commitment_months=commitment_months,
    )  # fmt: skip


@transaction.atomic
def add_option(line: QuoteLine, option: Option, *, quantity: int, unit_price: Decimal) -> QuoteLine:
    """`quantity` of an option beside each service of a recurring line of a draft, at this price for one and interval.

    RuleViolation for another family's option, more than the catalogue lets one have, or one that is there already.
    """
    held = _draft(line.quote)
    beside = held.lines.select_related("package").exclude(package=None).get(pk=line.pk)
    package = beside.package
    if package is None or option.family_id != package.family_id:
        raise RuleViolation(_("This option is not on sale with the package."), rule="SUB-2", field="option")
    if not 1 <= quantity <= option.maximum:
        sentence = _("Please choose between %(minimum)s and %(maximum)s.")
        raise RuleViolation(sentence % {"minimum": 1, "maximum": option.maximum}, rule="SUB-2", field="quantity")
    if beside.options.filter(option=option).exists():
        raise RuleViolation(_("This option is part of the line already."), rule="SUB-2", field="option")
    total, named = beside.quantity * quantity, option.named(held.language)
    if wrong := quote_rules.wrong_with(Offered(option.code, named, total, unit_price, beside.interval)):
        raise RuleViolation(str(WRONG[wrong]), rule="PRJ-1", field="unit_price")
    return QuoteLine.objects.create(
        quote=held, account_id=held.account_id, option=option, of=beside, interval=beside.interval,
        description=f"{named} ({beside.description})"[:300], quantity=total, unit_price=unit_price,
    )  # fmt: skip


@transaction.atomic
def remove_line(quote: Quote, line_id: int) -> None:
    """Take a line out of a draft."""
    QuoteLine.objects.filter(quote=_draft(quote), pk=line_id).delete()


@transaction.atomic
def change(quote: Quote, *, special: Mapping[str, str] | None = None, **fields: Any) -> Quote:
    """Change what a draft says: title, introduction, conditions, valid_until, our_manager, and the `special` numbers of
    the terms it replaces (LEG-6)."""
    held = _draft(quote)
    for name in ("title", "introduction", "conditions", "valid_until", "our_manager"):
        if name in fields:
            setattr(held, name, fields[name])
    if special is not None:
        held.special = {name: value for name, value in special.items() if value != ""}
        _check_special(held)
    held.save()
    return held


def _check_special(quote: Quote) -> None:
    for rule, key, value in quote_rules.numbers_of(quote.special):
        try:
            _as_written(terms.version(quote.terms_version).table[rule][key], value)
        except (InvalidOperation, ValueError):
            field = f"{rule}.{key}"
            raise RuleViolation(_("This is not a number the terms can hold."), rule="LEG-6", field=field) from None


def _as_written(present: Any, value: str) -> Any:
    """`value` in the type in which the terms write this number."""
    if isinstance(present, int):
        number = int(value)
    else:
        number = Decimal(value)  # type: ignore[assignment]
    if number < 0:
        raise ValueError(value)
    return number if isinstance(present, int) else value


def special_numbers(reference: str) -> dict[str, dict[str, Any]]:
    """The numbers that the signed quote `reference` replaces, by rule (LEG-6); KeyError where none is signed."""
    quote = Quote.objects.filter(reference=reference, state=QuoteState.SIGNED).first()
    if quote is None:
        raise KeyError(f"no signed quote {reference}")
    table = terms.version(quote.terms_version).table
    found: dict[str, dict[str, Any]] = {}
    for rule, key, value in quote_rules.numbers_of(quote.special):
        found.setdefault(rule, {})[key] = _as_written(table[rule][key], value)
    return found


terms.special_numbers(special_numbers)


@transaction.atomic
def set_stages(quote: Quote, stages: list[tuple[str, int, str, date | None]]) -> None:
    """The stages of what is sold once, as (title, percent, when, day); the first may be a deposit (OPR-4)."""
    held = _draft(quote)
    if not quote_rules.stages_whole([percent for _title, percent, _when, _day in stages]):
        raise RuleViolation(str(WRONG["stages"]), rule="PRJ-1", field="percent")
    held.stages.all().delete()
    for title, percent, when, day in stages:
        on = day if when == QuoteStage.When.DAY else None
        if when == QuoteStage.When.DAY and on is None:
            raise RuleViolation(_("Please give the day of this stage."), rule="PRJ-1", field="on")
        QuoteStage.objects.create(
            quote=held, account_id=held.account_id, title=title.strip()[:120] or _stage_name(held), percent=percent,
            when=when, on=on,
        )  # fmt: skip


# --- what it comes to ------------------------------------------------------------------------------------------------


def offered(quote: Quote) -> list[Offered]:
    """The lines as the rules read them."""
    return [
        Offered(row.item.code if row.item else "quote", row.description, row.quantity, row.unit_price,
                row.interval, row.unit, row.item.vat if row.item else tax_rules.STANDARD_ITEM)
        for row in quote.lines.select_related("package", "option")
    ]  # fmt: skip


def treatment(quote: Quote, *, now: datetime) -> VatTreatment:
    """The VAT a sale to this customer carries now; the invoices decide again at their own tax point (INV-10)."""
    return parties.vat_treatment(quote.account, terms.version(quote.terms_version), now=now)


def totals(quote: Quote, *, now: datetime) -> dict[str, Totals]:
    """What it comes to once, each month and each year."""
    return quote_rules.sums(offered(quote), treatment(quote, now=now))


def once_net(quote: Quote) -> Cents:
    """What is sold once, without VAT."""
    return sum(round_cents(row.quantity * row.unit_price) for row in offered(quote) if not row.interval)


def deposit_threshold(quote: Quote) -> Cents | None:
    """OPR-4: beyond which amount the terms let a deposit be asked for; None: they set no limit."""
    table = terms.version(quote.terms_version).table
    return round_cents(Decimal(table["OPR-4"]["deposit_over"])) if "OPR-4" in table else None


# --- sent, replaced, ended -------------------------------------------------------------------------------------------


@transaction.atomic
def send(quote: Quote, *, now: datetime, actor: Actor) -> Quote:
    """Freeze it and owe its PDF, which is mailed once it is made (INV-3). The version before it is replaced.

    RuleViolation when it is empty, its stages do not add up, its last day has passed, or a deposit is too early.
    """
    held = _draft(quote)
    rows, stages = offered(held), list(held.stages.all())
    once = any(not row.interval for row in rows)
    days_left = (held.valid_until - paris_date(now)).days
    wrong = quote_rules.sendable(len(rows), [stage.percent for stage in stages], once=once, days_left=days_left)
    if wrong:
        raise RuleViolation(str(WRONG[wrong]), rule="PRJ-1")
    parts = len(stages) > 1 and stages[0].when == QuoteStage.When.SIGNED
    if once and parts and not quote_rules.deposit_allowed(once_net(held), deposit_threshold(held)):
        raise RuleViolation(_("The terms let no deposit be asked for an amount this small."), rule="OPR-4")
    if not once:
        held.stages.all().delete()
    for before in Quote.objects.select_for_update().filter(number=held.number, state=QuoteState.SENT):
        _end(before, QuoteState.REPLACED, now=now, actor=actor)
    move(held, QuoteState.SENT, quote_rules.QUOTE_TRANSITIONS)
    held.sent_at = now
    held.document = quote_printing.document(held, totals(held, now=now), treatment(held, now=now), now=now)
    held.save(update_fields=["sent_at", "document"])
    told(held, "sent", now=now, actor=actor)
    quote_printing.enqueue(held, now=now)
    return held


def _end(quote: Quote, state: str, *, now: datetime, actor: Actor, reason: str = "") -> None:
    move(quote, state, quote_rules.QUOTE_TRANSITIONS)
    quote.ended_at, quote.reason = now, reason[:300]
    quote.save(update_fields=["ended_at", "reason"])
    told(quote, state, now=now, actor=actor)


@transaction.atomic
def revise(quote: Quote, *, valid_until: date, now: datetime, actor: Actor) -> Quote:
    """A new draft version with the same lines; the sent one stays valid until the new one is sent.

    RuleViolation for a signed quote: what goes beyond it is a quote of its own (PRJ-6).
    """
    held = hold(quote)
    newest = Quote.objects.filter(number=held.number).order_by("-version")[0]
    if newest.state in (QuoteState.DRAFT, QuoteState.SIGNED):
        raise RuleViolation(_("Only the newest version that was sent and not signed can be revised."), rule="PRJ-1")
    made = Quote.objects.create(
        reference=f"{held.number}-{newest.version + 1}", number=held.number, version=newest.version + 1,
        account=held.account, title=held.title, introduction=held.introduction, conditions=held.conditions,
        special=held.special, our_manager=held.our_manager, valid_until=valid_until, language=held.language,
        terms_version=terms_in_force.at(held.account, now).name, created_at=now,
    )  # fmt: skip
    copied: list[QuoteLine | QuoteStage] = [*held.lines.all(), *held.stages.all()]
    became: dict[int | None, int] = {}  # options follow the line they stand beside
    for row in copied:
        if isinstance(row, QuoteLine):
            row.of_id = became.get(row.of_id)
        before, row.pk, row.quote = row.pk, None, made
        row.save(force_insert=True)
        if isinstance(row, QuoteLine):
            became[before] = row.pk
    if not made.stages.exists():
        QuoteStage.objects.create(
            quote=made, account=made.account, title=_stage_name(made), percent=quote_rules.WHOLE,
            when=QuoteStage.When.REACHED,
        )  # fmt: skip
    told(made, "revised", now=now, actor=actor)
    return made


@transaction.atomic
def withdraw(quote: Quote, *, now: datetime, actor: Actor) -> Quote:
    """Take a draft or a sent quote back; it can be signed no more."""
    held = hold(quote)
    if QuoteState.WITHDRAWN not in quote_rules.QUOTE_TRANSITIONS[held.state]:
        raise RuleViolation(_("This quote cannot be withdrawn any more."), rule="PRJ-1")
    _end(held, QuoteState.WITHDRAWN, now=now, actor=actor)
    return held


@transaction.atomic
def decline(quote: Quote, *, reason: str, now: datetime, actor: Actor) -> Quote:
    """The customer says no, and why; staff can answer with a revised version."""
    held = hold(quote)
    if held.state != QuoteState.SENT:
        raise RuleViolation(_("This quote does not wait for an answer any more."), rule="PRJ-1")
    if not reason.strip():
        raise RuleViolation(_("Please say why, so that we can propose something better."), field="reason")
    _end(held, QuoteState.DECLINED, now=now, actor=actor, reason=reason.strip())
    return held


@transaction.atomic
def expire(quote_id: int, *, now: datetime, actor: Actor) -> None:
    """A sent quote whose last day has passed ends; the customer is told that a new one can be had."""
    held = hold(Quote.objects.get(pk=quote_id))
    if held.state != QuoteState.SENT or not quote_rules.expired(held.valid_until, paris_date(now)):
        return
    _end(held, QuoteState.EXPIRED, now=now, actor=actor)
    mail.send(
        "quote_expired", to=held.account.billing_email, lang=held.language, key=f"quote-expired:{held.reference}",
        now=now, account_id=held.account_id, subject=held,
        context={"name": held.account.name, "quote": held.reference, "title": held.title,
                 "path": f"/billing/quotes/{held.reference}/"},
    )  # fmt: skip
