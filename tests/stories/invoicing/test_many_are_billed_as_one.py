"""As the provider I bill ten thousand as I would bill each: the same documents, to the byte (SUB-5, SRV-5, INV-1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.funding import funds
from invoicing.issuing import invoices
from invoicing.models import (
    Consumption,
    Entry,
    Invoice,
    InvoiceLine,
    NumberSeries,
    PaymentMethod,
    Posting,
    Subscription,
    SubscriptionPeriod,
    Transmission,
)
from invoicing.renewing import billing, in_bulk
from invoicing.subscribing import ending
from invoicing.subscribing.leaving import Wishes
from panel.accounts.models import Account, TermsAnnouncement
from panel.core.actors import SYSTEM
from panel.core.due import SweepReport
from panel.core.models import Event, Operation
from tests.support.shop import Shop
from tests.support.world import World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
TB, VERSION = 10**12, "say_digital/2026-01"
SIRENS = count(200_000_000)


@dataclass(frozen=True)
class Buyer:
    """A customer and what they run."""

    kind: str
    country: str
    language: str
    siren: bool
    proved: bool
    collected: bool
    order_number: str
    services_number: str
    services: Sequence[tuple[str, str, int]]  # package, interval, additional addresses
    used: int


BUYERS = st.builds(
    Buyer,
    kind=st.sampled_from(["business", "consumer"]),
    country=st.sampled_from(["FR", "MC", "DE", "US"]),
    language=st.sampled_from(["fr", "en"]),
    siren=st.booleans(),
    proved=st.booleans(),
    collected=st.booleans(),
    order_number=st.sampled_from(["", "PO-7 é"]),
    services_number=st.sampled_from(["", "PO-8"]),
    services=st.lists(
        st.tuples(st.sampled_from(["vps-s", "vps-m"]), st.sampled_from(["month", "year"]), st.integers(0, 2)),
        min_size=1, max_size=2,
    ),
    used=st.one_of(st.just(0), st.integers(TB - 2, TB + 5 * 10**10)),
)  # fmt: skip


def moved_in(world: World, shop: Shop, buyer: Buyer) -> list[Subscription]:
    customer = world.customer("Zoé", kind=buyer.kind, country=buyer.country,
                              company="Zoé & fils" if buyer.kind == "business" else "")  # fmt: skip
    changes: dict[str, Any] = {"language": buyer.language, "buyer_reference": buyer.order_number}
    if buyer.siren and buyer.country == "FR":
        changes["siren"] = str(next(SIRENS))
    if buyer.proved and buyer.country == "DE":
        changes |= {"vat_number": f"DE{next(SIRENS)}", "vat_valid_at": world.now}
    Account.objects.filter(pk=customer.account.pk).update(**changes)
    customer.account.refresh_from_db()
    bought = [shop.buy(customer, package, interval, addresses=more, order_number=buyer.services_number)
              for package, interval, more in buyer.services]  # fmt: skip
    if buyer.collected:
        PaymentMethod.objects.create(
            account=customer.account, provider="story", ref=f"pm_{customer.account.pk}", kind="card", brand="visa",
            last4="4242", exp_month=12, exp_year=2034, is_default=True, added_at=world.now,
        )  # fmt: skip
    return bought


# --- everything a run writes, without the ids ------------------------------------------------------------------------


def told(before: int) -> list[tuple[Any, ...]]:
    """The journal since `before`, each entry about a named thing; and how many pages of work follow from it."""
    rows = Event.objects.filter(pk__gt=before).values_list(
        "kind", "rule", "at", "actor_kind", "actor_id", "actor_name", "account_id", "subject_type", "data",
        "private_digest",
    )  # fmt: skip
    return sorted((*row[:-2], str(sorted(row[-2].items())), row[-1]) for row in rows)


def owed(before: int) -> list[tuple[Any, ...]]:
    """The operations since `before`, each about a named thing."""
    numbers = {("invoicing.invoice", pk): number for pk, number in Invoice.objects.values_list("pk", "number")}
    sent = Transmission.objects.values_list("pk", "invoice__number")
    numbers |= {("invoicing.transmission", pk): number for pk, number in sent}
    said = {event.pk: f"{event.kind} {sorted(event.data.items())}" for event in Event.objects.all()}
    found = []
    for op in Operation.objects.filter(pk__gt=before):
        name = numbers.get((op.subject_type, op.subject_id or 0), "")
        key = said[op.payload["event"]] + op.payload["subscriber"] if op.kind == "core.deliver" else op.key
        key = key.replace(f":{op.subject_id}", ":its own")
        found.append((op.kind, key, name, op.state, op.account_id, op.due_at, op.created_at, op.subject_type))
    return sorted(found)


def everything(events: int, operations: int) -> dict[str, Any]:
    frozen = [field.name for field in Invoice._meta.concrete_fields if field.name not in ("id", "series")]
    line = [field.attname for field in InvoiceLine._meta.concrete_fields if field.attname not in ("id", "invoice_id")]
    used = [field.attname for field in Consumption._meta.concrete_fields if field.attname not in ("id", "invoice_id")]
    span = [f.attname for f in SubscriptionPeriod._meta.concrete_fields if f.attname not in ("id", "invoice_id")]
    entry = ("kind", "ref", "account_id", "booked_at", "booked_on", "balance")
    return {
        "invoices": list(Invoice.objects.order_by("pk").values(*frozen)),
        "lines": list(InvoiceLine.objects.order_by("invoice", "position").values("invoice__number", *line)),
        "entries": list(Entry.objects.order_by("pk").values(*entry)),
        "postings": list(Posting.objects.order_by("pk").values(
            "entry__ref", "ledger_account__code", "account_id", "cents", "tax_code")),
        "rated": list(Consumption.objects.order_by("subscription", "start").values("invoice__number", *used)),
        "periods": list(SubscriptionPeriod.objects.order_by("subscription", "start").values("invoice__number", *span)),
        "subscriptions": list(Subscription.objects.order_by("pk").values()),
        "series": list(NumberSeries.objects.values("prefix", "year", "last_number", "last_issued_at", "last_hash")),
        "platform": list(Transmission.objects.order_by("pk").values("invoice__number", "state", "created_at")),
        "journal": told(events), "operations": owed(operations),
    }  # fmt: skip


def tried(deed: Callable[[], object]) -> dict[str, Any]:
    """What a deed would leave; it is taken back."""
    newest = [(model.objects.order_by("-pk").values_list("pk", flat=True).first() or 0) for model in (Event, Operation)]
    with transaction.atomic():
        deed()
        left = everything(*newest)
        transaction.set_rollback(True)
    return left


def one_by_one(keys: Sequence[int], world: World) -> None:
    for pk in keys:
        with transaction.atomic():
            assert billing._step(pk, now=world.now)


def at_once(keys: Sequence[int], world: World) -> list[int]:
    """What is left for one by one."""
    return in_bulk.renew(keys, now=world.now, report=SweepReport())


@settings(
    max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True
)
@given(buyers=st.lists(BUYERS, min_size=1, max_size=4), told_of_terms=st.booleans())
def test_many_at_once_leave_what_one_by_one_leaves(
    world: World, shop: Shop, buyers: list[Buyer], told_of_terms: bool
) -> None:
    """Every column of every row that is written, the chain of hashes included."""
    with transaction.atomic():
        world.now = paris("2026-01-31 10:00")
        bought = [row for buyer in buyers for row in moved_in(world, shop, buyer)]
        shop.service.used = {date(2026, 1, 31): max(buyer.used for buyer in buyers)}
        for account in Account.objects.all() if told_of_terms else ():
            TermsAnnouncement.objects.create(account=account, terms_version=VERSION, announced_at=world.now)
        world.now = paris("2026-02-28 00:05")
        keys, left = [row.pk for row in bought], []
        at_a_time = tried(lambda: left.extend(at_once(keys, world)))
        ordinary = [pk for pk in keys if pk not in left]
        assert {row.account.country for row in bought if row.pk in left} <= {"DE", "US"}, "the tax rests on the place"
        assert at_a_time == tried(lambda: one_by_one(ordinary, world))
        transaction.set_rollback(True)


@pytest.fixture
def due(world: World, shop: Shop) -> list[Subscription]:
    """Three that are due on 28 February."""
    world.now = paris("2026-01-31 10:00")
    bought = [shop.buy(world.customer()) for _ in range(3)]
    shop.service.used = {date(2026, 1, 31): TB + 10**9}
    world.now = paris("2026-02-28 00:05")
    return bought


def test_what_is_unusual_is_left_for_one_by_one(world: World, shop: Shop, due: list[Subscription]) -> None:
    """A planned end, funds that pay first, a credit that is taken off."""
    ended, rich, owed = due
    world.now = paris("2026-02-20 09:00")
    ending.end_at_term(ended, Wishes(), actor=SYSTEM, now=world.now)
    with transaction.atomic():
        funds.put_in(rich.account, 1000, source=ledger.CUSTOMERS, kind="story", ref="1", now=world.now)
    service_credits.grant_credit(owed.account, owed, 100, "An outage", {}, rule="SUB-15", once="1", now=world.now)
    world.now = paris("2026-02-28 00:05")
    assert at_once([row.pk for row in due], world) == [ended.pk, rich.pk, owed.pk]
    billing.renew(world.now, only=[owed.pk])
    assert Invoice.objects.get(account=owed.account, position__gt=3).net_cents == 590 + 130 - 100
    world.now = paris("2026-03-31 00:05")
    assert at_once([owed.pk], world) == [], "the credit is spent"


def test_a_batch_of_which_one_fails_goes_one_by_one_and_the_others_are_billed(
    world: World, shop: Shop, due: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = shop.service.describe

    def describe(row: Subscription, language: str) -> str:
        if row.pk == due[1].pk:
            raise RuntimeError("the service cannot say what it is")
        return usual(row, language)

    monkeypatch.setattr(shop.service, "describe", describe)
    report = billing.renew(world.now)
    assert [line.partition(":")[0] for line in report.failed] == [str(due[1].pk)]
    assert sorted(Invoice.objects.filter(position__gt=3).values_list("account", flat=True)) == sorted(
        [due[0].account_id, due[2].account_id]
    )
    assert invoices.verify() == []
    assert ledger.total() == 0


def test_it_is_done_once(world: World, shop: Shop, due: list[Subscription]) -> None:
    keys = [row.pk for row in due]
    assert at_once(keys, world) == []
    assert at_once(keys, world) == keys, "not due any more: one by one finds nothing to do either"
    billing.renew(world.now, only=keys)
    assert Invoice.objects.count() == 6


def test_many_cost_as_many_questions_as_few(world: World, shop: Shop, due: list[Subscription]) -> None:
    keys = [row.pk for row in due]

    def cost(some: Sequence[int]) -> int:
        with CaptureQueriesContext(connection) as asked:
            tried(lambda: at_once(some, world))
        return len(asked)

    cost(keys)
    assert cost(keys) == cost(keys[:1])
