"""What holds of documents, numbers and the books whatever happens (INV-2, INV-10, INV-11, SUB-5): drawn at random, on
both databases.

Invariants 3 and 4: numbers are 1 to n without gap, in the order of time. 5: what was issued stays, its chain holds.
6: every entry sums to nothing. 12, 13, 15: each period is billed once, and late or repeated runs bill what a punctual
one bills. 16: what the next invoice was said to be is what is issued. 25: the VAT of a document follows from the
evidence kept with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import (
    Entry,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Order,
    OrderState,
    Posting,
    Subscription,
    SubscriptionPeriod,
)
from invoicing.renewing import billing, upcoming
from invoicing.subscribing import changes, ordering
from invoicing.subscribing.changes import Wish
from invoicing.taxing import tax_rules, vat_rates
from invoicing.taxing.tax_rules import SellerVat, VatFacts
from panel.accounts.models import Account
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.support import truths
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
DAY = timedelta(days=1)
some = hypothesis_settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Crash(Exception):
    """The process died in the middle of a transaction."""


@contextmanager
def undone() -> Iterator[None]:
    """Each example begins with the database the first one found."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# --- 3, 4, 5, 6: numbers, the chain, the books ------------------------------------------------------------------------
DEEDS = st.lists(
    st.tuples(st.sampled_from(["issue", "crash", "credit", "part"]), st.sampled_from([-40, -1, 0, 1, 31, 200])),
    min_size=2,
    max_size=12,
)


@some
@given(DEEDS)
def test_numbers_chain_and_books_hold_whatever_happens(world: World, shop: Shop, deeds: list[tuple[str, int]]) -> None:
    """Invoices, credit notes, crashes before the commit, a clock that goes back, and new years."""
    with undone():
        world.now = paris("2027-06-02 09:00")
        alice, kept = world.customer(), {}  # type: ignore[var-annotated]
        for deed, days in deeds:
            world.now += days * DAY
            _do(deed, world, shop, alice)
            rows = dict(Invoice.objects.values_list("number", "hash"))
            assert kept.items() <= rows.items(), "what was issued stays as it is"
            kept = rows
        assert invoices.verify() == []
        for series in NumberSeries.objects.all():
            rows_of = list(series.documents.order_by("position"))
            assert [row.position for row in rows_of] == list(range(1, series.last_number + 1))
            assert sorted(rows_of, key=lambda row: (row.issued_at, row.position)) == rows_of
            assert {row.issued_on.year for row in rows_of} <= {series.year}
        sums = Entry.objects.annotate(sum=Sum("postings__cents")).values_list("sum", flat=True)
        assert set(sums) <= {0}
        by_hand: dict[str, int] = {}
        for code, cents in Posting.objects.values_list("ledger_account__code", "cents"):
            by_hand[code] = by_hand.get(code, 0) + cents
        assert all(ledger.balance(code) == cents for code, cents in by_hand.items())


def _do(deed: str, world: World, shop: Shop, alice: Customer) -> None:
    if deed in ("credit", "part"):
        newest = Invoice.objects.filter(kind="invoice").order_by("-pk").first()
        try:
            if newest:
                amounts = [100] if deed == "part" else None
                invoices.credit(newest, amounts, reason="x", now=world.now, actor=SYSTEM)
        except RuleViolation:
            pass  # nothing is left of it
        return
    try:
        with transaction.atomic():
            shop.buy(alice)
            if deed == "crash":
                raise Crash
    except Crash:
        pass


# --- 12, 13, 15, 16: the billing run ----------------------------------------------------------------------------------
BOUGHT, LAST = "2026-01-31 10:00", 150
LIVES = st.tuples(
    st.lists(st.integers(0, LAST), max_size=8),  # on which days a run comes by, if it comes at all
    st.lists(st.integers(0, 3_000), min_size=5, max_size=5),  # GB used in each month
    st.integers(1, LAST - 1),  # the day of an upgrade
    st.integers(2, LAST - 1),  # the day a reduction is planned for the renewal after it, if the upgrade came before
    st.integers(0, 2),  # additional addresses
)


@some
@given(LIVES)
def test_a_late_run_bills_what_a_punctual_one_bills_and_what_was_foretold(world: World, shop: Shop, life: Any) -> None:
    days, used, upgraded, reduced, addresses = life
    with undone():
        world.now = paris(BOUGHT)
        punctual, late = (shop.buy(world.customer(name), addresses=addresses) for name in ("Anna", "Zoe"))
        months = [paris_date(paris(f"{day} 12:00")) for day in MONTHS]
        shop.service.used = {month: gb * 10**9 for month, gb in zip(months, used, strict=True)}
        for number in range(LAST + 1):
            now = paris(BOUGHT) + number * DAY + timedelta(hours=3)
            _foretold(punctual, now)
            if number in days or number in (upgraded, reduced, LAST):
                for _ in range(2):
                    billing.renew(now, only=[late.pk])
            for row in (punctual, late):
                if number == upgraded:
                    _become(row, "vps-l", addresses, now)
                elif number == reduced > upgraded:
                    _become(row, "vps-m", addresses, now)
        assert _content(punctual) == _content(late)
        truths.periods_tile_time(paris_date(now))
        for row in (punctual, late):
            periods = SubscriptionPeriod.objects.filter(subscription=row)
            assert len({one.invoice_id for one in periods}) == len(periods) == 6


MONTHS = ("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31")


def _foretold(row: Subscription, now: datetime) -> None:
    """Invoice what is due; it is what the page of next invoices said a moment before."""
    fresh = Subscription.objects.get(pk=row.pk)
    if fresh.next_due_on is None or fresh.next_due_on > paris_date(now):
        return
    said, before = upcoming.next_invoice(fresh, now=now), Invoice.objects.count()
    billing.renew(now, only=[row.pk])
    if said is None or said.drawn is None:
        assert Invoice.objects.count() == before
        return
    assert (said.final, Invoice.objects.count()) == (True, before + 1)
    issued = Invoice.objects.latest("pk")
    assert issued.total_cents == said.total_cents
    told = [(line.description, line.quantity, line.unit_price, line.net) for line in said.drawn.lines]
    assert [(one.description, one.quantity, one.unit_price, one.net_cents) for one in issued.lines.all()] == told


def _become(row: Subscription, package: str, addresses: int, now: datetime) -> None:
    fresh = Subscription.objects.select_related("account", "package").get(pk=row.pk)
    wish = Wish(package, "month", {"vps-address": addresses} if addresses else {})
    changes.change(fresh, wish, key=package, actor=SYSTEM, now=now)


def _content(row: Subscription) -> list[Any]:
    """All that its invoices say, but for their numbers and the day they were issued."""
    lines = InvoiceLine.objects.filter(subscription=row).order_by("invoice_id", "position").select_related("invoice")
    said = ("code", "rule", "quantity", "unit", "unit_price", "net_cents", "vat_code", "vat_rate", "period_start")
    places = {pk: place for place, pk in enumerate(dict.fromkeys(line.invoice_id for line in lines))}
    return [
        (places[line.invoice_id], line.invoice.total_cents, *(getattr(line, name) for name in said)) for line in lines
    ]


def _comes_between(account: Account, what: str | None, now: datetime) -> None:
    """The register answers, or staff changes the country, after the price was shown."""
    if what in ("yes", "no"):
        account.vat_valid_at = now if what == "yes" and account.vat_number else None
    elif what is not None:
        account.country = what
    account.save()


# --- 25: VAT ----------------------------------------------------------------------------------------------------------
BUYERS = st.lists(
    st.tuples(
        st.sampled_from(["FR", "DE", "FI", "CH", "MC", "US"]), st.sampled_from(["business", "consumer"]),
        st.booleans(), st.sampled_from([None, "yes", "no", "FR", "FI", "CH"]),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@some
@given(BUYERS, st.sampled_from(["FR", "DE", "US"]))
def test_the_vat_of_a_document_follows_from_the_evidence_kept_with_it(
    world: World, shop: Shop, buyers: list[tuple[str, str, bool, str | None]], moved_to: str
) -> None:
    """Whoever buys, whatever the register says or wherever they move between pricing and payment, and wherever they
    move afterwards; a number that no register confirmed saves no tax. What the money does not cover is held."""
    with undone():
        for number, (country, kind, confirmed, between) in enumerate(buyers):
            buyer = world.customer("Buyer", country=country, kind=kind)
            if kind == "business" and country in ("DE", "FI"):
                buyer.account.vat_number = f"{country}{100000000 + number}"
                buyer.account.vat_valid_at = world.now if confirmed else None
                buyer.account.save()
            order = shop.order(buyer)
            payment = shop.payment(order)
            _comes_between(buyer.account, between, world.now)
            with transaction.atomic():
                made = ordering.paid(order, payment, now=world.now)
            assert (made is None) == (Order.objects.get(pk=order.pk).state == OrderState.HELD)
            if between is None:
                assert made is not None, "nothing changed: it is not held"
        frozen = dict(Invoice.objects.values_list("number", "document"))
        Account.objects.update(country=moved_to, kind="consumer", vat_valid_at=None)
        for row in Invoice.objects.prefetch_related("lines"):
            kept = row.vat_evidence
            facts = VatFacts(
                kept["country"], kept["kind"] == "business", kept["vat_number"], kept["valid_at"] is not None
            )
            seller = SellerVat(Decimal(20), True, vat_rates.of_country(kept["country"]))
            wanted = tax_rules.treatment(facts, seller, row.issued_on)
            assert (kept["reason"], kept["taxed_in"], Decimal(kept["rate"])) == (
                wanted.reason, wanted.country, wanted.rate,
            )  # fmt: skip
            assert {(line.vat_code, line.vat_rate) for line in row.lines.all()} == {(wanted.code, wanted.rate)}
            note = invoices.credit(row, None, reason="x", now=world.now, actor=SYSTEM)
            assert (note.vat_cents, note.vat_evidence) == (row.vat_cents, kept), "it mirrors, wherever they live now"
        assert {number: Invoice.objects.get(number=number).document for number in frozen} == frozen
        assert invoices.verify() == []
