"""As a customer whose service fell short I find the credit on my next invoice, explained; none lands twice, and none is
lost with the end of the service (SUB-15)."""

import pytest
from django.db import transaction

from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.issuing import explaining, invoices
from invoicing.models import Invoice, Option, ServiceCredit, ServiceCreditUse, Subscription
from invoicing.renewing import upcoming
from invoicing.subscribing import subscriptions
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEPS = ("invoicing.renew",)


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def bought(shop: Shop, alice: Customer) -> Subscription:
    return shop.buy(alice)  # EUR 5.90 a month, from 2 March on


def grant(world: World, row: Subscription, cents: int, once: str = "SUB-15:one:2026-03") -> ServiceCredit:
    return service_credits.grant_credit(
        row.account, row, cents, "web-1: 180 min down in 03/2026", {"minutes_down": 180, "hours_begun": 3},
        rule="SUB-15", once=once, now=world.now,
    )  # fmt: skip


def newest(alice: Customer) -> Invoice:
    return Invoice.objects.filter(account=alice.account, kind="invoice").latest("pk")


def lines(invoice: Invoice) -> list[tuple[str, int]]:
    return [(line.rule, line.net_cents) for line in invoice.lines.all()]


def test_it_is_taken_off_the_next_invoice_once_and_explained(
    world: World, alice: Customer, bought: Subscription
) -> None:
    for _ in range(2):
        grant(world, bought, 89)
    assert ServiceCredit.objects.count() == 1
    world.advance(days=20)
    shown = upcoming.next_invoice(Subscription.objects.get(), now=world.now)
    assert shown is not None
    assert shown.total_cents == 601  # (5.90 - 0.89) and 20 % of it
    world.advance(days=11, sweeps=SWEEPS)
    invoice = newest(alice)
    assert (lines(invoice), invoice.net_cents, invoice.vat_cents) == ([("SUB-5", 590), ("SUB-15", -89)], 501, 100)
    line = explaining.lines(invoice)[1]
    assert line.holds
    assert {"180", "3"} <= {fact.value for fact in line.facts}
    assert line.events
    world.advance(days=31, sweeps=SWEEPS)
    assert lines(newest(alice)) == [("SUB-5", 590)]
    assert ledger.total() == 0
    assert invoices.verify() == []


def test_more_than_an_invoice_asks_for_waits_for_the_one_after(
    world: World, alice: Customer, bought: Subscription
) -> None:
    grant(world, bought, 700)
    world.advance(days=31, sweeps=SWEEPS)
    first = newest(alice)
    assert (lines(first), first.total_cents, first.state) == ([("SUB-5", 590), ("SUB-15", -590)], 0, "paid")
    world.advance(days=31, sweeps=SWEEPS)
    assert lines(newest(alice)) == [("SUB-5", 590), ("SUB-15", -110)]
    assert list(ServiceCreditUse.objects.values_list("cents", flat=True)) == [590, 110]


def test_after_the_end_it_is_given_back_by_a_credit_note(world: World, alice: Customer, bought: Subscription) -> None:
    invoice = newest(alice)
    transfer(world, invoice) if invoice.due_cents else None
    subscriptions.terminate(bought, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=2, sweeps=SWEEPS)
    assert Subscription.objects.get().next_due_on is None
    funds = ledger.funds(alice.account)
    grant(world, Subscription.objects.get(), 89)
    note = Invoice.objects.get(kind="credit_note")
    assert (note.net_cents, note.credits_id) == (89, invoice.pk)
    assert ledger.funds(alice.account) - funds == note.total_cents == 107
    assert service_credits.waiting(Subscription.objects.get()) == []


def test_granted_before_the_end_what_no_invoice_took_is_given_back_with_the_last_one(
    world: World, alice: Customer, bought: Subscription
) -> None:
    grant(world, bought, 1000)
    subscriptions.terminate(bought, because="", rule="SUB-6", now=world.now, actor=alice.actor)
    world.advance(days=2, sweeps=SWEEPS)
    note = Invoice.objects.get(kind="credit_note")
    assert note.net_cents == 590  # all that was ever asked for
    assert sum(one.cents for one in service_credits.waiting(Subscription.objects.get())) == 410
    assert ledger.total() == 0


def test_it_is_taken_off_each_rate_as_far_as_that_reaches(world: World, shop: Shop, alice: Customer) -> None:
    """An option at a reduced rate stands beside a package that is not: no rate is credited beyond what it asks."""
    Option.objects.filter(code="vps-address").update(vat_category="reduced", vat_rate="5.5")
    bought = shop.buy(alice, addresses=2)  # EUR 5.90 at 20 %, EUR 4.00 at 5.5 %
    grant(world, bought, 700)
    world.advance(days=31, sweeps=SWEEPS)
    invoice = newest(alice)
    off = [(str(line.vat_rate), line.net_cents) for line in invoice.lines.all() if line.net_cents < 0]
    assert off == [("20.00", -590), ("5.50", -110)]
    assert (invoice.net_cents, invoice.vat_cents) == (290, 16)
    assert ServiceCreditUse.objects.get().cents == 700


def test_an_amount_of_nothing_is_a_mistake(world: World, bought: Subscription) -> None:
    with pytest.raises(ValueError, match="gives something"), transaction.atomic():
        grant(world, bought, 0)
