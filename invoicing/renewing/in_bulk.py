"""Ordinary due days, some hundreds in one transaction: read, numbered and written by the set (SUB-5, SRV-5, INV-1).

One by one a renewal costs some sixty round trips to the database; a run over ten thousand subscriptions would take the
better part of an hour. What a due day comes to is drawn up by the same functions either way (`drawing`, `invoices`), so
that both give the same documents to the byte. Here only reading and writing are done for many at once.

Everything unusual is left to `billing`, one by one: a planned end or change, a new price, a promotion, a credit, usage
events, funds to be spent, a debit by a mandate of our own, a tax that rests on where the customer is, the numbers of a
signed quote, a service that has just been handed over, rows that somebody else holds. So is a whole batch of which
something failed: there the error finds its row.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from invoicing import rules
from invoicing.accounting import ledger
from invoicing.consuming import usage_rules
from invoicing.documents import texts
from invoicing.issuing import in_bulk, means, parties
from invoicing.issuing.drafting import Content
from invoicing.issuing.in_bulk import Sale
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell_all, told
from invoicing.models import (
    ChangeState,
    Consumption,
    Invoice,
    InvoiceKind,
    Package,
    PackageMeter,
    PaymentMethod,
    PriceNotice,
    PromotionUse,
    ServiceCredit,
    ServiceTransfer,
    Subscription,
    SubscriptionChange,
    SubscriptionOption,
    SubscriptionState,
    TransferState,
)
from invoicing.paying.payment_rules import OWN
from invoicing.renewing import drawing
from invoicing.renewing.drawing import Counts, Drawn, Found
from invoicing.subscribing import kinds
from invoicing.subscribing.kinds import AnswersForMany, UsagePeriod
from panel import terms
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import bulk, hands
from panel.core.actors import CLOCK
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.due import SweepReport

log = logging.getLogger(__name__)
WANTED = (
    "id", "reference", "account_id", "package_id", "service_kind", "interval", "price_cents", "settings", "anchor_on",
    "period_start", "period_end", "usage_from", "next_due_on", "terms_version", "ended_at", "trial_ends_on",
    "order_number",
)  # fmt: skip
"""What the drawing up of a day asks of a subscription."""
BATCH = 500  # subscriptions in a transaction; the series of numbers is held no longer than one takes


def renew(keys: Sequence[int], *, now: datetime, report: SweepReport) -> list[int]:
    """Invoice the ordinary ones of these subscriptions, counted in `report`; gives those that are left for `billing`,
    in their order."""
    left = list(keys)
    for _turn in range(2 if len(keys) > BATCH else 1):  # what the other hand's batch held is free the second time
        left = _by_batches(left, now=now, report=report)
    return left


def _by_batches(keys: Sequence[int], *, now: datetime, report: SweepReport) -> list[int]:
    batches = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    left: list[int] = []
    for some, (done, later) in zip(batches, hands.side_by_side(partial(_tried, now=now), batches), strict=True):
        report.done += len(done)
        left += [pk for pk in some if pk not in done and pk not in later]
    return left


def _tried(keys: Sequence[int], *, now: datetime) -> tuple[set[int], set[int]]:
    try:
        with transaction.atomic():
            return _batch(keys, now=now)
    except Exception:
        log.exception("renewing in bulk: this batch goes one by one")
        return set(), set()


def _batch(keys: Sequence[int], *, now: datetime) -> tuple[set[int], set[int]]:
    """Invoice what is ordinary; the subscriptions invoiced up to `now`, and those that wait for a reading."""
    rows = _held(keys, now=now)
    found, later = _found(rows, now=now)
    drawn = {row.pk: drawing.together(row, drawing.drawn(row, found[row.pk])) for row in rows if row.pk in found}
    billed = [row for row in rows if row.pk in drawn]
    sold = [row for row in billed if drawn[row.pk].lines]
    sales = _sales(sold, drawn, now=now)
    drafts = in_bulk.draft(sales, now=now)
    _remember(billed, drawn, dict(zip([row.pk for row in sold], drafts, strict=True)), now=now)
    in_bulk.issue(drafts, sales, now=now, actor=CLOCK)
    today = paris_date(now)
    return {row.pk for row in billed if row.next_due_on is None or row.next_due_on > today}, later


# --- which ones ------------------------------------------------------------------------------------------------------


def _held(keys: Sequence[int], *, now: datetime) -> list[Subscription]:
    """The ordinary ones, locked with their accounts in the order of every use case; nobody is waited for."""
    mine = Subscription.objects.filter(pk__in=bulk.among(keys)).values("account")
    unlocked = Account.objects.filter(pk__in=mine).order_by("pk")
    accounts = {row.pk: row for row in bulk.read(unlocked.select_for_update(no_key=True, skip_locked=True))}
    free = Subscription.objects.select_for_update(skip_locked=True).filter(
        pk__in=bulk.among(keys), account__in=bulk.among(accounts)
    )
    locked = list(free.order_by("pk").values_list("pk", flat=True))
    rich = ledger.with_funds(accounts)
    due = bulk.read(_ordinary(now).filter(pk__in=bulk.among(locked)).order_by("next_due_on", "pk"), *WANTED)
    packages = Package.objects.in_bulk({row.package_id for row in due})
    names = {row.service_kind for row in due}
    many = {name for name in names if isinstance(kinds.get(name), AnswersForMany)}
    rows = []
    for row in due:
        if row.account_id not in rich and row.service_kind in many:
            row.account, row.package = accounts[row.account_id], packages[row.package_id]
            rows.append(row)
    known = {drawing.once(row, _day(row)) for row in rows}
    before = set(Invoice.objects.filter(once__in=bulk.among(known)).values_list("once", flat=True))
    return [row for row in rows if drawing.once(row, _day(row)) not in before]


def _ordinary(now: datetime) -> QuerySet[Subscription]:
    """Due, and nothing is planned, announced or metered that changes what the day comes to."""
    mine = PriceNotice.objects.filter(account=OuterRef("account"))
    agreed = Coalesce(OuterRef("priced_at"), OuterRef("started_at"))
    notices = mine.filter(price__package=OuterRef("package"), announced_at__gt=agreed)
    agreed = Coalesce(OuterRef("priced_at"), OuterRef("subscription__started_at"))
    news = mine.filter(price__option=OuterRef("option"), announced_at__gt=agreed)
    dearer = SubscriptionOption.objects.filter(Exists(news), subscription=OuterRef("pk"), until=None)
    granted = ServiceCredit.objects.filter(subscription=OuterRef("pk")).annotate(spent=Coalesce(Sum("uses__cents"), 0))
    credit = granted.filter(cents__gt=F("spent"))
    means = PaymentMethod.objects.filter(account=OuterRef("account"), is_default=True, removed_at=None)
    own_debit = means.filter(provider=OWN)
    events = Consumption.objects.filter(subscription=OuterRef("pk")).exclude(meter__in=usage_rules.METERS)
    parted = Consumption.objects.filter(
        subscription=OuterRef("pk"), until_transfer=True, start__gte=OuterRef("usage_from")
    )
    handed = ServiceTransfer.objects.filter(subscription=OuterRef("pk"), state=TransferState.ACCEPTED)
    repriced = handed.filter(prices_from__gt=OuterRef("period_start"))
    unusual = (
        Exists(SubscriptionChange.objects.filter(subscription=OuterRef("pk"), state=ChangeState.PLANNED))
        | Exists(PromotionUse.objects.filter(order=OuterRef("order"), given_back_at=None))
        | Exists(PackageMeter.objects.filter(package=OuterRef("package")))
        | Exists(parted) | Exists(repriced)
        | Exists(credit) | Exists(own_debit) | Exists(notices) | Exists(dearer) | Exists(events)
    )  # fmt: skip
    return Subscription.objects.filter(
        ~unusual, Q(ends_on=None) | Q(ends_on__gt=F("next_due_on")), next_due_on__lte=paris_date(now), ended_at=None,
        state__in=[SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED],
    ).exclude(terms_version__contains="+")  # fmt: skip


def _day(row: Subscription) -> date:
    """The due day of a subscription that has one."""
    if row.next_due_on is None:
        raise ValueError(f"{row.reference} is not due")
    return row.next_due_on


# --- what is found ---------------------------------------------------------------------------------------------------


def _found(rows: Sequence[Subscription], *, now: datetime) -> tuple[dict[int, Found], set[int]]:
    """What `billing.draw` reads, for all at once, by subscription; and which wait for a reading. Those whose tax has to
    be looked up are in neither."""
    told_of = terms_in_force.announced({row.account_id for row in rows})
    counts, services, options = _counts(rows), _services(rows), _options(rows)
    found, later = {}, set()
    for row in rows:
        day, counted = _day(row), counts[row.pk]
        if counted is None and drawing.still_waits(day, now):
            later.add(row.pk)
            continue
        ahead = terms.current(start_of_paris_day(day), told_of.get(row.account_id), row.account.created_at)
        treatment = parties.vat_at_once(row.account, ahead, now=now)
        if treatment is not None:
            found[row.pk] = Found(
                day, terms.version(row.terms_version), ahead, treatment, counted, service=services[row.pk],
                options=options.get(row.pk, ()),
            )  # fmt: skip
    return found, later


def _counts(rows: Sequence[Subscription]) -> dict[int, Counts | None]:
    """What the meters counted in the months that ended and are not rated yet; None while a reading is missing."""
    before = Consumption.objects.filter(
        subscription__in=bulk.among(row.pk for row in rows), meter__in=usage_rules.METERS
    )
    rated = set(before.values_list("subscription", "meter", "start"))
    asked = [(row, month) for row in rows for month in drawing.months(row, _day(row))]
    counts: dict[int, list[Any] | None] = {row.pk: [] for row in rows}
    for kind, some in _by_kind(asked):
        answers = kind.usage_of([(row, UsagePeriod(month.start, month.end)) for row, month in some])
        for (row, month), lines in zip(some, answers, strict=True):
            held = counts[row.pk]
            if lines is None or held is None:
                counts[row.pk] = None
            else:
                held += [(month, line) for line in lines if (row.pk, line.meter, month.start) not in rated]
    return dict(counts)


def _services(rows: Sequence[Subscription]) -> dict[int, str]:
    """The services in words, in the language of their accounts."""
    found: dict[int, str] = {}
    for kind, some in _by_kind([(row, texts.language_of(row.account.language)) for row in rows]):
        found |= dict(zip([row.pk for row, _language in some], kind.describe_each(some), strict=True))
    return found


def _by_kind(asked: Iterable[tuple[Subscription, Any]]) -> list[tuple[AnswersForMany, list[tuple[Subscription, Any]]]]:
    groups: dict[str, list[tuple[Subscription, Any]]] = {}
    for row, about in asked:
        groups.setdefault(row.service_kind, []).append((row, about))
    asked_of = [(kinds.get(name), some) for name, some in groups.items()]
    return [(kind, some) for kind, some in asked_of if isinstance(kind, AnswersForMany)]  # all of them: see `_held`


def _options(rows: Sequence[Subscription]) -> dict[int, list[SubscriptionOption]]:
    """The options that are renewed with each."""
    found: dict[int, list[SubscriptionOption]] = {}
    mine = SubscriptionOption.objects.filter(subscription__in=bulk.among(row.pk for row in rows))
    held = mine.filter(drawing.runs_on(F("subscription__period_end")))
    for option in held.select_related("option").order_by(*drawing.OPTIONS_IN_ORDER):
        found.setdefault(option.subscription_id, []).append(option)
    return found


# --- what is written -------------------------------------------------------------------------------------------------


def _sales(rows: Sequence[Subscription], drawn: dict[int, Drawn], *, now: datetime) -> list[Sale]:
    """As `billing` would have them issued, one after the other."""
    collected = means.of_many({row.account_id for row in rows})
    sales = []
    for row in rows:
        one = drawn[row.pk]
        content = Content(
            kind=InvoiceKind.INVOICE, account=row.account, lines=tuple(one.lines), totals=rules.total_of(one.lines),
            treatment=one.treatment, terms=one.version, reference=row.reference,
            collection=collected.get(row.account_id), order_number=row.order_number or None,
        )  # fmt: skip
        evidence = parties.vat_evidence(row.account, one.treatment)
        sales.append(Sale(content, [Billed(line, row) for line in one.lines], drawing.once(row, one.day), evidence))
    return sales


def _remember(
    rows: Sequence[Subscription], drawn: dict[int, Drawn], invoices: dict[int, Invoice], *, now: datetime
) -> None:
    """The periods and months under their unique keys, where each subscription stands now, and what the journal says."""
    periods, said = [], []
    for row in rows:
        one = drawn[row.pk]
        period = drawing.advance(row, one, invoices.get(row.pk))
        if period:
            periods.append(period)
        if one.renewed:
            data = drawing.said_of(row, one.renewed)
            said.append(told("subscription.renewed", row, now=now, actor=CLOCK, rule="SUB-5", data=data))
    bulk.insert([consumption for row in rows for consumption in drawn[row.pk].counted])
    bulk.insert(periods)
    bulk.update(rows, drawing.MOVED)
    tell_all(said)
