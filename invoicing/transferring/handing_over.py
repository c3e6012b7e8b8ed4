"""A transfer is accepted: in one transaction the service is its receiver's (SUB-2, SUB-4, SRV-3, SRV-5).

What was used until then is billed to who gives it, the rest of the month to who takes it; the period that is paid for
is neither given back nor charged again. What tells of the time before (invoices, months, who held which address) stays
with whom it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.consuming import metering
from invoicing.documents import texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.limiting import limits
from invoicing.models import Consumption, Invoice, ServiceTransfer, Subscription, TransferState
from invoicing.paying import collecting, settlement
from invoicing.renewing import billing, drawing
from invoicing.reviewing import holding
from invoicing.rules import Line
from invoicing.subscribing import composing, kinds, ordering, subscriptions
from invoicing.subscribing.kinds import UsagePeriod
from invoicing.subscribing.period_rules import MONTH, period_of
from invoicing.taxing import tax_rules, vat_checks
from invoicing.taxing.tax_rules import VatTreatment
from invoicing.transferring import repricing, transfer_rules, transfers
from invoicing.transferring.repricing import Repriced
from panel import terms
from panel.accounts import signup, terms_in_force
from panel.accounts.models import Account, Membership, User
from panel.core import live
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents

RULE = transfers.RULE
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of the included volume of the running month; who has the service first uses it first."""

    meter: str
    name: str
    left: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What the receiver takes on, for the page that asks them. Prices are net, of a period."""

    row: Subscription
    service: str
    period_cents: Cents
    then_cents: Cents
    prices: Sequence[Repriced]
    used: Sequence[Left]
    has_means: bool
    funds: Cents
    refusal: str


def terms_for(transfer: ServiceTransfer, receiver: Account, actor: Actor, *, now: datetime, language: str) -> Terms:
    """The offer in figures, and why it cannot be accepted now ("" when it can)."""
    row = transfer.subscription
    prices = repricing.of(row, receiver, now=now)
    whole = composing.held_by(row).period_cents
    return Terms(
        row=row, service=kinds.get(row.service_kind).describe(row, language), period_cents=whole,
        then_cents=whole + _dearer(row, prices), prices=prices, used=_left(row, now=now),
        has_means=collecting.has_means(receiver), funds=ledger.funds(receiver),
        refusal=refusal(transfer, receiver, actor, now=now),
    )  # fmt: skip


def _dearer(row: Subscription, prices: Sequence[Repriced]) -> Cents:
    """By how much a period costs more once all new prices hold."""
    quantities = {row.package.code: 1, **composing.held_by(row).quantities()}
    return sum((one.then - one.cents) * quantities[one.code] for one in prices)


def refusal(transfer: ServiceTransfer, receiver: Account, actor: Actor, *, now: datetime) -> str:
    """Why `receiver` cannot take the service now, in the reader's language: the offer, the service, then what holds for
    every order of theirs (SUB-4)."""
    try:
        transfers.check_open(transfer)
    except RuleViolation as ended:
        return ended.sentence
    if transfer_rules.is_over(transfer.expires_at, now):
        return str(transfers.ENDED[TransferState.EXPIRED])
    if transfers.why_not(transfer.subscription, now=now):
        return _("This service cannot change hands at the moment. Who offers it sees why.")
    refused = ordering.refusal(receiver, actor)
    if refused:
        return refused[1]
    if not transfer.by_staff and holding.signs_against(receiver, _person(actor, receiver), ip=actor.ip, now=now):
        return _("We would look at an order of this account first. Please open a request; we can help with it.")
    return ""


@transaction.atomic
def accept(
    transfer: ServiceTransfer, receiver: Account, *, accepted: Sequence[str], actor: Actor, ip: str | None,
    now: datetime,
) -> ServiceTransfer:  # fmt: skip
    """The service is the receiver's from `now` on (UTC); `accepted` names the documents that were ticked. A second time
    changes nothing. RuleViolation where the offer is over, the service cannot go, or an order of the receiver would be
    refused: its limits and its cap hold (SUB-4)."""
    row = transfers.held(transfer)
    if row.receiver_id != receiver.pk:
        raise ValueError("an offer to another account")
    if row.state == TransferState.ACCEPTED:
        return row
    giver = row.account
    for pk in sorted((giver.pk, receiver.pk)):  # both, in one order everywhere: the service is locked already
        settlement.lock_account(pk)
    if sentence := refusal(row, receiver, actor, now=now):
        raise RuleViolation(sentence, rule=RULE)
    version = terms_in_force.at(receiver, now)
    if set(version.order_documents) - set(accepted):
        raise RuleViolation(_("Please accept the conditions to take the service over."), rule="SUB-2", field="accept")
    service = subscriptions.locked(row.subscription_id)
    prices = repricing.of(service, receiver, now=now)
    limits.check_order(receiver, composing.held_by(service).period_cents + max(0, _dearer(service, prices)), now=now)
    invoice = _bill_giver(row, service, now=now, actor=actor)
    _hand_over(service, receiver, now=now)
    signup.accept(receiver, _person(actor, receiver), sorted(accepted), version, ip=ip, now=now, subject=row)
    vat_checks.freshen(receiver, now=now)
    transfers.finish(
        row, TransferState.ACCEPTED, actor=actor, now=now, invoice=invoice, prices=[one.frozen() for one in prices],
        prices_from=max((one.first_on for one in prices), default=None),
    )  # fmt: skip
    row.subscription = service
    for account in (giver, receiver):
        transfers.write(row, "transfer_done", account, now=now, **_figures(row, service, invoice, prices, account))
    return row


def _person(actor: Actor, receiver: Account) -> User:
    if actor.user_id is not None:
        return User.objects.get(pk=actor.user_id)
    return Membership.objects.select_related("user").get(account=receiver, is_owner=True).user


# --- the giver's last invoice -----------------------------------------------------------------------------------------


def _left(row: Subscription, *, now: datetime) -> list[Left]:
    month = period_of(row.anchor_on, MONTH, paris_date(now))
    lines = kinds.get(row.service_kind).usage_so_far(row, UsagePeriod(month.start, month.end))
    found = [Left(one.meter, _("traffic"), max(Decimal(0), one.allowance - one.quantity), one.unit) for one in lines]
    told = metering.left(row, month)
    return found + [Left(plan.meter, plan.named(get_language() or "en"), free, plan.unit) for plan, free in told]


def _rated(row: Subscription, treatment: VatTreatment, *, now: datetime) -> tuple[list[Consumption], list[Line]]:
    """Months that ended and were too little for an invoice of their own, then the running one as far as it is used."""
    today, language = paris_date(now), texts.language_of(row.account.language)
    running = period_of(row.anchor_on, MONTH, today)
    kind, used = kinds.get(row.service_kind), tax_rules.of_item(treatment, row.package.vat)
    version = terms.version(row.terms_version)
    metered = metering.rate(row, [*drawing.months(row, today), running], version, used, language, now=now)
    rows, lines = metered.rows, metered.lines
    for month in [*drawing.months(row, today), running]:
        counts = [(month, line) for line in kind.usage_so_far(row, UsagePeriod(month.start, month.end))]
        made = drawing.rated(
            row, counts, version, used, language, parts=billing.parts_of(row),
            until=today + DAY if month == running else None,
        )  # fmt: skip
        rows, lines = [*rows, *made[0]], [*lines, *made[1]]
    return rows, lines if any(line.net for line in lines) else []


def _bill_giver(transfer: ServiceTransfer, row: Subscription, *, now: datetime, actor: Actor) -> Invoice | None:
    """The giver's part of the running month, invoiced at once; credits that wait are taken off it, and what is left of
    them is given back (SRV-5, SUB-15)."""
    treatment, (counted, lines) = parties.taxed(
        row.account, terms_in_force.at(row.account, now),
        lambda treatment: _rated(row, treatment, now=now), lambda made: rules.total_of(made[1]).net, now=now,
    )  # fmt: skip
    taken = service_credits.taken_by(row, lines)
    lines = [*lines, *(service_credits.line_off(one) for one in taken)]
    invoice = None
    if lines:
        invoice = invoices.issue(
            row.account, [Billed(line, row) for line in lines], once=f"transfer:{transfer.reference}",
            terms_version=row.terms_version, treatment=treatment, now=now, actor=actor, reference=row.reference,
            collected=collecting.has_means(row.account),
        )  # fmt: skip
        service_credits.remember(taken, invoice, now=now)
    billing.give_back(counted, now=now)
    for one in counted:
        one.invoice = invoice if one.net_cents > 0 else one.invoice
        one.save(force_insert=True)
    row.usage_from = period_of(row.anchor_on, MONTH, paris_date(now)).start
    row.save(update_fields=["usage_from"])
    service_credits.give_back(row, now=now)
    return invoice


# --- the rows ---------------------------------------------------------------------------------------------------------


def _hand_over(row: Subscription, receiver: Account, *, now: datetime) -> None:
    """The (locked) subscription and what is renewed with it are the receiver's; so is the service itself. Periods,
    months and changes of the time before stay the giver's. Open pages and sockets of the giver's people end."""
    giver_id, today = row.account_id, paris_date(now)
    row.options.filter(Q(until=None) | Q(until__gt=today)).update(account=receiver)
    row.account, row.trial_ends_on = receiver, None  # a trial is once an account: the order still tells who had it
    row.order_number = ""  # the giver's
    row.save(update_fields=["account", "trial_ends_on", "order_number"])
    kinds.get(row.service_kind).hand_over(row, now=now)
    for user_id in Membership.objects.filter(account=giver_id).values_list("user_id", flat=True):
        live.close_sockets(user_id)


def _figures(
    transfer: ServiceTransfer, row: Subscription, invoice: Invoice | None, prices: Sequence[Repriced], account: Account
) -> dict[str, object]:
    """What the letter of one side says in figures."""
    language = texts.language_of(account.language)
    whole = composing.held_by(row).period_cents
    first: date | None = transfer.prices_from
    return {
        "price": texts.money(language, whole), "yearly": row.interval == "year",
        "then": texts.money(language, whole + _dearer(row, prices)) if prices and first else "",
        "first": texts.day(language, first) if first else "", "renewal": texts.day(language, row.period_end),
        "invoice": invoice.number if invoice else "",
        "has_means": collecting.has_means(account),
    }  # fmt: skip
