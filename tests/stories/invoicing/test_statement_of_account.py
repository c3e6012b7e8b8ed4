"""A customer reads what they were asked, what they paid and what is left, on the page, as PDF and as CSV (INV-3)."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.accounting import statement_rules, statements
from invoicing.accounting.statement_rules import Movement
from invoicing.documents.statement_pdf import render
from invoicing.issuing import invoices
from invoicing.models import Invoice
from invoicing.selling_by_hand import manual_sales
from panel.core.actors import Actor
from tests.support import pdf
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def sam(world: World) -> Actor:
    return world.staff("billing")


def issued(world: World, alice: Customer, sam: Actor, price: str) -> Invoice:
    draft = manual_sales.draw_up(alice.account, reference="", now=world.now, actor=sam)
    manual_sales.add_line(draft, "Advice", quantity=Decimal(1), unit_price=Decimal(price))
    return manual_sales.issue(draft, now=world.now, actor=sam)


def a_spring(world: World, alice: Customer, sam: Actor) -> None:
    """2 March: 120.00 asked. 12 March: 150.00 paid, 30.00 of it in advance. 1 April: 60.00 asked, 30.00 taken from what
    was in advance. 2 April: 12.00 credited."""
    first = issued(world, alice, sam, "100")
    world.advance(days=10)
    manual_sales.record_payment(
        alice.account, 15000, means="transfer", reference="=VIR 7", received_on=date(2026, 3, 12), invoice=first,
        now=world.now, actor=sam,
    )  # fmt: skip
    world.advance(days=20)
    second = issued(world, alice, sam, "50")
    world.advance(days=1)
    invoices.credit(second, [1000], reason="too long", now=world.now, actor=sam)


def test_every_movement_with_the_balance_after_it(world: World, alice: Customer, sam: Actor) -> None:
    a_spring(world, alice, sam)
    found = statements.of(alice.account, *YEAR)
    assert [(row.movement.kind, row.debit, row.credit, row.balance) for row in found.rows] == [
        ("invoice", 12000, 0, 12000),
        ("manual_payment", 0, 15000, -3000),
        ("invoice", 6000, 0, 3000),
        ("credit_note", 0, 1200, 1800),
    ]
    assert (found.opening, found.debit, found.credit, found.closing) == (0, 18000, 16200, 1800)
    assert Invoice.objects.get(kind="invoice", net_cents=5000).due_cents == 1800


def test_what_stood_before_is_carried_over(world: World, alice: Customer, sam: Actor) -> None:
    a_spring(world, alice, sam)
    april = statements.of(alice.account, date(2026, 4, 1), date(2026, 4, 30))
    assert (april.opening, len(april.rows), april.closing) == (-3000, 2, 1800)
    march = statements.of(alice.account, date(2026, 3, 1), date(2026, 3, 31))
    assert march.closing == april.opening


def test_page_pdf_and_csv_say_the_same_and_only_to_those_concerned(
    world: World, alice: Customer, sam: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    a_spring(world, alice, sam)
    client, path = logged_in(alice.user, alice.account), "/billing/statement/?from=2026-01-01&to=2026-12-31"
    assert "EUR\u00a018.00" in client.get(path).content.decode()
    printed = pdf.text(client.get(path + "&as=pdf").content)
    assert all(words in printed for words in ("VIR 7", "150.00", "EUR 18.00 are owed"))
    table = client.get(path + "&as=csv").content.decode("utf-8-sig")
    assert "2026-03-12;Payment;'=VIR 7;0.00;150.00;-30.00" in table
    assert table.strip().endswith("180.00;162.00;18.00")
    bob = world.customer("Bob")
    assert "18.00" not in logged_in(bob.user, bob.account).get(path).content.decode()
    assert Client().get(path).status_code == 302


def test_it_is_french_for_the_french(world: World, alice: Customer, sam: Actor) -> None:
    a_spring(world, alice, sam)
    said = statements.words(alice.account, *YEAR, "fr", now=world.now)
    assert "Relevé de compte" in pdf.text(render(said))
    assert said["verdict"].startswith("18,00")


MOVES = st.lists(st.integers(-(10**6), 10**6), max_size=20)


@settings(max_examples=50, deadline=None)
@given(opening=st.integers(-(10**6), 10**6), cents=MOVES)
def test_the_balance_is_the_sum(opening: int, cents: list[int]) -> None:
    moved = [Movement(date(2026, 1, 1), "x", str(n), one) for n, one in enumerate(cents)]
    found = statement_rules.statement(opening, moved)
    assert found.closing == opening + sum(cents) == opening + found.debit - found.credit
    assert len(found.rows) == sum(one != 0 for one in cents)
