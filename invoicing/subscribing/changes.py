"""Changes of a running subscription by its client: options, package, interval, each at its exact price (SUB-12)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.documents import sale_words, texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.limiting import limits
from invoicing.models import (
    ChangeState,
    Interval,
    Invoice,
    Option,
    Package,
    Subscription,
    SubscriptionChange,
    SubscriptionOption,
    SubscriptionState,
)
from invoicing.offering import catalogue, groups, price_notices, pricing
from invoicing.paying import collecting
from invoicing.rules import Line, Quotation, Wanted
from invoicing.subscribing import change_rules, composing, kinds, ordering, subscriptions
from invoicing.subscribing.change_rules import Composition, Due, Held, Target
from invoicing.subscribing.period_rules import Period
from invoicing.taxing.tax_rules import VatTreatment
from panel.accounts import terms_in_force
from panel.core.actors import CLOCK, Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents

RULE = "SUB-12"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the subscription shall be: every option that is not named is not wanted."""

    package: str
    interval: str
    options: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a wish does and costs. The same object is shown, and carried out."""

    held: Composition
    today: Composition
    later: Composition
    renewal_on: date
    to_pay: Quotation | None
    """What is invoiced at once; None when nothing is."""
    period: Quotation
    """What each period costs from the renewal on."""
    refusal: str

    @property
    def changes_today(self) -> bool:
        return self.today != self.held

    @property
    def changes_later(self) -> bool:
        return self.later != self.today

    @property
    def changes(self) -> bool:
        return self.changes_today or self.changes_later


def wished(row: Subscription) -> Wish:
    """What it is going to be as things stand: the form begins with it."""
    waiting = composing.planned(row)
    whole = change_rules.composition(waiting.after) if waiting else composing.held_by(row)
    return Wish(whole.package, whole.interval, whole.quantities())


def packages_for(row: Subscription) -> list[Package]:
    """The packages it can become: those on sale in its family, and the one it is."""
    found = [one for one in catalogue.packages() if one.family_id == row.package.family_id]
    return found if row.package in found else [row.package, *found]


def preview(row: Subscription, wish: Wish, *, now: datetime, language: str = "") -> Preview:
    """What `wish` would do today and at the renewal, and its price with VAT, in `language` (the account's by default).

    RuleViolation (with `field`) for something that is not on sale or has no price; nothing is kept.
    """
    spoken = texts.language_of(language or row.account.language)
    held, today = composing.held_by(row), paris_date(now)
    package = row.package if wish.package == row.package.code else _package(row, wish.package)
    if wish.interval not in Interval.values:
        raise RuleViolation(_("Please choose monthly or annually."), rule=RULE, field="interval")
    target = _target(row, held, package, wish, now=now)
    at_once = change_rules.at_once(held, target)
    later = change_rules.at_renewal(at_once, target)
    each = price_notices.applied(later, price_notices.at(row, row.period_end) if wish.interval == row.interval else {})
    period = Period(row.period_start, row.period_end)
    dues = change_rules.due(held, at_once, period, today) if today in period else ()
    items = _items(row, package, {**held.quantities(), **wish.options})
    rest = Period(today, row.period_end) if today < row.period_end else None

    def drawn(taxed: VatTreatment) -> list[Line]:
        lines = [_due_line(row, due, items, spoken, rest, taxed) for due in dues if due.net]
        return lines + _setup_lines(row, dues, items, spoken, taxed, now=now)

    in_force = terms_in_force.at(row.account, now)
    taxed, lines = parties.taxed(row.account, in_force, drawn, lambda made: rules.total_of(made).net, now=now)
    period_of_it = rules.quote(later.interval, _wanted(each, items, spoken), taxed)
    if not rules.alone(period_of_it.lines):
        raise RuleViolation(str(pricing.APART), rule="INV-10", field="options")
    return Preview(
        held=held, today=at_once, later=later, renewal_on=row.period_end,
        to_pay=Quotation(row.interval, tuple(lines), rules.total_of(lines), taxed) if lines else None,
        period=period_of_it,
        refusal=_refusal(row, held, at_once, later, now=now),
    )  # fmt: skip


def _package(row: Subscription, code: str) -> Package:
    found = next((one for one in packages_for(row) if one.code == code), None)
    if found is None:
        raise RuleViolation(_("This package is not on sale for this service."), rule="SUB-1", field="package")
    return found


def _target(row: Subscription, held: Composition, package: Package, wish: Wish, *, now: datetime) -> Target:
    """The wish with its prices of today. What is held keeps its own; an option that is not on sale any more can be kept
    and given up, never added."""
    there, quantities = held.quantities(), {code: count for code, count in wish.options.items() if count}
    more = {code: count for code, count in quantities.items() if count > there.get(code, 0)}
    catalogue.choices(package, more)
    if any(count < 0 for count in quantities.values()):
        raise RuleViolation(_("Please give whole numbers."), rule=RULE, field="options")
    known = {option.code: option for option in Option.objects.filter(code__in=quantities)}
    catalogue.one_of_each(known.values())
    switched, group = wish.interval != row.interval, groups.of(row.account, now=now)

    def cents(item: Package | Option, interval: str) -> Cents:
        return catalogue.tariff(item, interval, now=now, group=group).cents

    return Target(
        package=package.code, interval=wish.interval, quantities=quantities,
        price=row.price_cents if package.pk == row.package_id else cents(package, row.interval),
        units={code: cents(known[code], row.interval) for code in more},
        later_price=cents(package, wish.interval) if switched else 0,
        later_units={code: cents(known[code], wish.interval) for code in quantities} if switched else {},
    )  # fmt: skip


def _refusal(row: Subscription, held: Composition, today: Composition, later: Composition, *, now: datetime) -> str:
    """Why it cannot be changed so, in the reader's language; empty when it can."""
    if row.state != SubscriptionState.ACTIVE:
        return _("Only a running subscription can be changed.")
    if row.ends_on is not None:
        return _("This subscription is going to end. Take the end back first, then change it.")
    if row.on_trial:
        return _("A free trial can be changed once it is paid for.")
    smaller = later.interval != held.interval or later.period_cents < held.period_cents
    if row.committed_until is not None and row.committed_until > row.period_end and smaller:
        return _("You are committed until %(day)s: until then this service can grow, but not shrink.") % {
            "day": date_format(row.committed_until, "DATE_FORMAT")
        }
    if paris_date(now) not in Period(row.period_start, row.period_end):
        return _("The renewal is just being invoiced. Please try again in a few minutes.")
    kind = kinds.get(row.service_kind)
    for wanted in (today, later):
        if (wanted.package, wanted.quantities()) != (held.package, held.quantities()):
            package = Package.objects.get(code=wanted.package)
            if sentence := kind.refusal_to_change(row, package, wanted.quantities()):
                return sentence
    return ""


def _items(row: Subscription, package: Package, quantities: Mapping[str, int]) -> dict[str, Package | Option]:
    found: list[Package | Option] = [row.package, package, *Option.objects.filter(code__in=quantities)]
    return {one.code: one for one in found}


def _wanted(whole: Composition, items: Mapping[str, Package | Option], language: str) -> list[Wanted]:
    held = [(whole.package, whole.price, 1), *((one.code, one.unit_cents, one.quantity) for one in whole.options)]
    return [
        Wanted(code, items[code].named(language), cents, quantity, rule="SUB-5", vat=items[code].vat)
        for code, cents, quantity in held
    ]


def _setup_lines(
    row: Subscription, dues: Iterable[Due], items: Mapping[str, Package | Option], language: str,
    taxed: VatTreatment, *, now: datetime,
) -> list[Line]:  # fmt: skip
    """What is paid once: for an option that is added, and for another package where its price says so."""
    found, group = [], groups.of(row.account, now=now)
    for due in dues:
        tariff = catalogue.tariff(items[due.code], row.interval, now=now, group=group)
        if tariff.setup and (not due.instead_of or tariff.setup_on_change):
            wanted = pricing.setup_of(items[due.code], tariff.setup, due.quantity, language)
            found.append(rules.because(rules.priced(wanted, taxed), subscription=row.reference))
    return found


def _due_line(
    row: Subscription,
    due: Due,
    items: Mapping[str, Package | Option],
    language: str,
    rest: Period | None,
    taxed: VatTreatment,
) -> Line:
    """`VPS S -> VPS M` or the option's name, for the rest of the period; what it is reckoned from stands beside it."""
    item = items[due.code]
    named = f"{items[due.instead_of].named(language)} \u2192 " if due.instead_of else ""
    wanted = Wanted(
        due.code, named + item.named(language), due.unit_cents, due.quantity, rule=RULE, period=rest, vat=item.vat
    )
    line = rules.priced(wanted, taxed)
    return rules.because(
        line, subscription=row.reference, period_price=due.price_cents, instead_of=due.instead_of_cents,
        days=rest.days if rest else 0, days_of_period=(row.period_end - row.period_start).days,
        period_start=row.period_start.isoformat(), period_end=row.period_end.isoformat(),
    )  # fmt: skip


# --- carrying it out -------------------------------------------------------------------------------------------------


@transaction.atomic
def change(row: Subscription, wish: Wish, *, key: str, actor: Actor, now: datetime) -> SubscriptionChange:
    """Carry a wish out, once per (subscription, key): what adds to the service today, with its invoice; the rest when
    the next period begins, in the place of what was planned for then.

    Returns what was done today, else what is planned. RuleViolation when nothing would change, when the service cannot
    become that, or when an order of the account would be refused (SUB-4).
    """
    held = subscriptions.hold(row)
    if (before := held.changes.filter(key=key).first()) is not None:
        return before
    found = preview(held, wish, now=now)
    if found.refusal:
        raise RuleViolation(found.refusal, rule=RULE)
    waiting = composing.planned(held)
    if not found.changes:  # wishing for what one has takes back what was planned
        _take_back(_the(waiting), held, now=now, actor=actor)
        return _the(waiting)
    if waiting and not found.changes_today and change_rules.composition(waiting.after) == found.later:
        return waiting  # asked for again, in another tab
    if refused := ordering.refusal(held.account, actor):
        raise RuleViolation(refused[1], rule=ordering.REFUSALS[refused[0]][0])
    limits.check_cap(held.account, found.to_pay.totals.net if found.to_pay else 0, now=now)
    if waiting is not None:
        _take_back(waiting, held, now=now, actor=actor)
    done = _do(held, found, key=key, actor=actor, now=now) if found.changes_today else None
    later = _plan(held, found, key=f"{key}:later" if done else key, actor=actor, now=now)
    return done or _the(later)


def _the(waiting: SubscriptionChange | None) -> SubscriptionChange:
    if waiting is None:
        raise RuleViolation(_("This is what you have already."), rule=RULE)
    return waiting


def _do(row: Subscription, found: Preview, *, key: str, actor: Actor, now: datetime) -> SubscriptionChange:
    invoice = None
    if found.to_pay is not None:
        invoice = invoices.issue(
            row.account, [Billed(line, row) for line in found.to_pay.lines], once=f"change:{row.reference}:{key}",
            terms_version=row.terms_version, treatment=found.to_pay.treatment, now=now, actor=actor,
            reference=row.reference, collected=collecting.has_means(row.account),
        )  # fmt: skip
    become(row, found.today, day=paris_date(now), now=now)
    made = _write(row, found.held, found.today, ChangeState.DONE, on=paris_date(now), key=key, actor=actor, now=now,
                  invoice=invoice)  # fmt: skip
    tell("subscription.changed", row, now=now, actor=actor, rule=RULE, data=_named(made))
    return made


def _plan(row: Subscription, found: Preview, *, key: str, actor: Actor, now: datetime) -> SubscriptionChange | None:
    if not found.changes_later:
        return None
    made = _write(row, found.today, found.later, ChangeState.PLANNED, on=row.period_end, key=key, actor=actor, now=now)
    tell("subscription.change_planned", row, now=now, actor=actor, rule=RULE, data=_named(made))
    return made


def _write(
    row: Subscription, before: Composition, after: Composition, state: ChangeState, *, on: date, key: str, actor: Actor,
    now: datetime, invoice: Invoice | None = None,
) -> SubscriptionChange:  # fmt: skip
    return SubscriptionChange.objects.create(
        subscription=row, account=row.account, key=key, state=state, package=Package.objects.get(code=after.package),
        interval=after.interval, before=before.as_dict(), after=after.as_dict(), effective_on=on, invoice=invoice,
        net_cents=invoice.net_cents if invoice else 0, asked_by_id=actor.user_id, asked_at=now,
        ended_at=now if state == ChangeState.DONE else None,
    )  # fmt: skip


def become(
    row: Subscription, whole: Composition, *, day: date, now: datetime, priced_at: datetime | None = None
) -> None:
    """Write down what the (locked) subscription consists of from `day` on, and have the service follow."""
    serves = (row.package.code, composing.held_by(row).quantities())
    priced_at = priced_at or now
    if row.package.code != whole.package:
        row.package = Package.objects.get(code=whole.package)
    if (row.price_cents, row.interval) != (whole.price, whole.interval):
        row.priced_at = priced_at
    row.price_cents, row.interval = whole.price, whole.interval
    row.settings = {**row.settings, "options": whole.quantities()}
    row.save(update_fields=["package", "price_cents", "interval", "priced_at", "settings"])
    wanted = list(whole.options)
    for one in row.options.filter(until=None).select_related("option"):
        same = Held(one.option.code, one.quantity, one.price_cents)
        if same in wanted:
            wanted.remove(same)
        else:
            one.until = max(day, one.since)
            one.save(update_fields=["until"])
    known = {option.code: option for option in Option.objects.filter(code__in=[one.code for one in wanted])}
    for new in wanted:
        SubscriptionOption.objects.create(
            subscription=row, account=row.account, option=known[new.code], quantity=new.quantity,
            price_cents=new.unit_cents, since=day, priced_at=priced_at,
        )  # fmt: skip
    if serves != (whole.package, whole.quantities()):
        kinds.get(row.service_kind).change(row, now=now)


def at_renewal(row: Subscription, day: date, *, now: datetime) -> None:
    """What was planned for the (locked) subscription's next period takes effect on `day`, before that is invoiced, and
    the prices announced long enough before (LEG-3)."""
    prices = price_notices.at(row, day)
    if prices:
        agreed = max(new.announced_at for new in prices.values())
        become(row, price_notices.applied(composing.held_by(row), prices), day=day, now=now, priced_at=agreed)
        tell("subscription.repriced", row, now=now, actor=CLOCK, rule=price_notices.RULE,
             data={"subscription": row.reference, "period_cents": composing.held_by(row).period_cents})  # fmt: skip
    waiting = composing.planned(row)
    if waiting is None:
        return
    after = price_notices.applied(change_rules.composition(waiting.after), prices)
    become(
        row, after, day=day, now=now, priced_at=max([waiting.asked_at, *(new.announced_at for new in prices.values())])
    )
    waiting.state, waiting.ended_at = ChangeState.DONE, now
    waiting.save(update_fields=["state", "ended_at"])
    tell("subscription.changed", row, now=now, actor=CLOCK, rule=RULE, data=_named(waiting))


# --- taking it back --------------------------------------------------------------------------------------------------


def why_not_undo(made: SubscriptionChange, row: Subscription, *, now: datetime) -> str:
    """Why a change cannot be taken back; empty when it can: what is planned until it happens, what was done today (and
    nothing after it) on the same Paris day, for what it cost."""
    if made.state == ChangeState.PLANNED:
        return ""
    newest = row.changes.exclude(state=ChangeState.UNDONE).order_by("-asked_at", "-pk").first()
    if made.state != ChangeState.DONE or made != newest or row.state != SubscriptionState.ACTIVE:
        return _("This change cannot be taken back any more.")
    if paris_date(made.asked_at) != paris_date(now) or made.effective_on != paris_date(now):
        return _("A change can be taken back on the day it was made.")
    before = change_rules.composition(made.before)
    package = Package.objects.get(code=before.package)
    return kinds.get(row.service_kind).refusal_to_change(row, package, before.quantities())


@transaction.atomic
def undo(made: SubscriptionChange, *, actor: Actor, now: datetime) -> SubscriptionChange:
    """Take a change back: a planned one, or today's, whose invoice is credited in full, so that going there and back on
    one day costs nothing. Undone twice, it is undone once."""
    row = subscriptions.hold(made.subscription)
    fresh = SubscriptionChange.objects.select_for_update(of=("self",)).select_related("invoice").get(pk=made.pk)
    if fresh.state == ChangeState.UNDONE:
        return fresh
    if sentence := why_not_undo(fresh, row, now=now):
        raise RuleViolation(sentence, rule=RULE)
    if fresh.state == ChangeState.DONE:
        become(row, change_rules.composition(fresh.before), day=paris_date(now), now=now)
        if fresh.invoice is not None:
            reason = sale_words.say(row.account.language, "taken_back")
            fresh.credit_note = invoices.credit(
                fresh.invoice, None, reason=reason, once=f"undo:{fresh.pk}", now=now, actor=actor
            )
    _take_back(fresh, row, now=now, actor=actor)
    return fresh


def drop_planned(row: Subscription, ends_on: date, *, actor: Actor, now: datetime) -> None:
    """A subscription that is going to end changes no more, but for what a renewal before its end brings about: its last
    periods cost what was planned. Call it with the subscription held."""
    waiting = composing.planned(row)
    if waiting is not None and (waiting.effective_on >= ends_on or waiting.interval != row.interval):
        _take_back(waiting, row, now=now, actor=actor)


def _take_back(made: SubscriptionChange, row: Subscription, *, now: datetime, actor: Actor) -> None:
    made.state, made.ended_at = ChangeState.UNDONE, now
    made.save(update_fields=["state", "ended_at", "credit_note"])
    tell("subscription.change_undone", row, now=now, actor=actor, rule=RULE, data=_named(made))


def _named(made: SubscriptionChange) -> dict[str, Any]:
    return {
        "subscription": made.subscription.reference, "change": made.pk, "package": made.package.name,
        "on": made.effective_on.isoformat(), "net_cents": made.net_cents,
    }  # fmt: skip
