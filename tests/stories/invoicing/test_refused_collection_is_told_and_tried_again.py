"""As a customer whose card is refused I am told, it is tried again, and I have 30 days for another (INV-5, INV-7)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from invoicing.models import Invoice, Payment, PaymentMethod, RejectionNotice
from invoicing.paying import card_setup, means, payments, rejections
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
SWEEP = ["payments.collect"]


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def renewed(till: Till, world: World, *, code: str, times: int = 1, **data: Any) -> tuple[Customer, Invoice]:
    """A renewal on 2 April 2026 at 9:00 whose automatic payment the bank refuses, `times` times."""
    alice = world.customer(**data)
    till.buy(alice, keep=True)
    world.advance(days=31)
    till.sync()
    till.bank.control("mischief", kind="decline", value=code, times=times)
    world.sweep("invoicing.renew")
    world.work()
    return alice, Invoice.objects.filter(account=alice.account).latest("pk")


def on(till: Till, world: World, **delta: float) -> None:
    world.now += timedelta(**delta)
    till.sync()
    for name in SWEEP:
        world.sweep(name)
    world.work()


def attempts(invoice: Invoice) -> list[str]:
    return list(Payment.objects.filter(invoice=invoice).order_by("pk").values_list("state", flat=True))


def test_tried_again_after_3_days_and_then_paid(till: Till, world: World) -> None:
    alice, invoice = renewed(till, world, code="insufficient_funds")
    (mail,) = world.mails("payment_refused", alice.account)
    assert "the account does not hold enough" in mail.content.body
    assert "5 April 2026" in mail.content.body
    assert "repeated" not in mail.content.body
    on(till, world, days=2, hours=23)
    assert attempts(invoice) == ["failed"]
    on(till, world, hours=2)
    assert attempts(invoice) == ["failed", "succeeded"]
    invoice.refresh_from_db()
    assert invoice.state == "paid"
    assert not RejectionNotice.objects.exists()
    till.booked()


def test_the_second_refusal_starts_30_days(till: Till, world: World) -> None:
    """Told on 5 April: the days end on 5 May at 24:00 in Paris."""
    alice, invoice = renewed(till, world, code="insufficient_funds", times=3)
    on(till, world, days=3)
    notice = RejectionNotice.objects.get()
    assert (notice.told_at, notice.replace_by) == (world.now, paris("2026-05-06 00:00"))
    mail = world.mails("payment_refused", alice.account)[-1]
    assert "30 days" in mail.content.body
    assert "5 May 2026" in mail.content.body
    on(till, world, days=4, hours=23)
    assert attempts(invoice) == ["failed", "failed"]
    on(till, world, hours=2)  # five days after the second
    assert attempts(invoice) == ["failed"] * 3
    on(till, world, days=40)
    assert attempts(invoice) == ["failed"] * 3  # not for ever
    assert RejectionNotice.objects.count() == 1
    assert len(world.mails("payment_refused", alice.account)) == 3


def test_another_card_ends_it_and_is_collected_from_at_once(till: Till, world: World) -> None:
    alice, invoice = renewed(till, world, code="lost_card")
    assert rejections.current(alice.account.pk) is not None  # a lost card will never be good again
    setup = card_setup.begin(
        alice.account, return_url="http://testserver/", key="new", actor=alice.actor, now=world.now
    )
    world.work()
    setup.refresh_from_db()
    person.type_card(setup.action_url, person.GOOD)
    card_setup.came_back(setup, now=world.now)
    world.work()
    assert rejections.current(alice.account.pk) is None
    old, new = PaymentMethod.objects.order_by("pk")
    assert (old.is_default, new.is_default) == (False, True)
    invoice.refresh_from_db()
    assert (invoice.state, Payment.objects.latest("pk").method) == ("paid", new)
    till.booked()


def test_choosing_another_card_collects_too(till: Till, world: World) -> None:
    """Before the second refusal: no notice yet, but another card is there."""
    alice, invoice = renewed(till, world, code="insufficient_funds")
    setup = card_setup.begin(alice.account, return_url="http://testserver/", key="2", actor=alice.actor, now=world.now)
    world.work()
    setup.refresh_from_db()
    person.type_card(setup.action_url, person.GOOD)
    card_setup.came_back(setup, now=world.now)
    world.work()
    assert attempts(invoice) == ["failed"], "the refused card is not tried again because another one stands beside it"
    new = PaymentMethod.objects.latest("pk")
    means.make_default(new, actor=alice.actor, now=world.now)
    world.work()
    invoice.refresh_from_db()
    assert (invoice.state, Payment.objects.latest("pk").method) == ("paid", new)


def test_the_bank_asks_for_its_customer(till: Till, world: World) -> None:
    """3-D Secure: a link by mail, no rejection, and the customer confirms at the provider's page."""
    alice, invoice = renewed(till, world, code="authentication_required")
    (mail,) = world.mails("payment_to_confirm", alice.account)
    assert f"/billing/invoices/{invoice.number}/" in mail.content.body
    assert not RejectionNotice.objects.exists()
    on(till, world, days=10)
    assert attempts(invoice) == ["failed"]
    by_hand = payments.pay_invoice(
        invoice, key="by-hand", actor=alice.actor, now=world.now, return_url="http://testserver/"
    )
    world.work()
    by_hand.refresh_from_db()
    till.pay(by_hand, person.SECURE)
    till.deliver()
    world.work()
    invoice.refresh_from_db()
    assert invoice.state == "paid"


def test_trouble_at_the_provider_is_no_refusal(till: Till, world: World) -> None:
    """(INV-7 counts what the bank refused, never a failure of ours or the provider's)"""
    alice = world.customer()
    till.buy(alice, keep=True)
    world.advance(days=31)
    till.sync()
    till.bank.control("mischief", kind="drop_before", path="/v1/payment_intents", times=40)
    world.sweep("invoicing.renew")
    for _ in range(30):
        world.advance(hours=1, sweeps=["payments.reconcile", *SWEEP])
        till.sync()
    assert not world.mails("payment_refused")
    assert not RejectionNotice.objects.exists()
    assert Invoice.objects.latest("pk").state == "paid"
    till.booked()


def outage(till: Till, world: World) -> None:
    """The provider cannot be reached until our attempts are used up."""
    till.bank.control("mischief", kind="drop_before", path="/v1/payment_intents", times=999)
    while not world.failed_operations():
        world.now += timedelta(minutes=2)
        till.sync()
        world.work()
    till.bank.store.set("mischief", [])


LATER = ("payments.reconcile", *SWEEP, "invoicing.renew", "invoicing.dun")


def test_after_an_outage_it_is_collected_and_nobody_is_late(till: Till, world: World) -> None:
    alice = world.customer()
    till.buy(alice, keep=True)
    world.now = paris("2026-04-02 23:30")
    till.sync()
    world.sweep("invoicing.renew")
    outage(till, world)
    invoice = Invoice.objects.filter(account=alice.account).latest("pk")
    assert attempts(invoice) == ["new"]
    world.now = paris("2026-04-03 00:20")
    for name in ("invoicing.renew", "payments.reconcile"):
        world.sweep(name)
    world.work()
    assert attempts(invoice) == ["failed"]
    world.sweep("invoicing.renew")
    invoice.refresh_from_db()
    assert invoice.state == "open", "the customer's means was never asked"
    world.sweep("payments.collect")
    world.work()
    invoice.refresh_from_db()
    assert (invoice.state, attempts(invoice)) == ("paid", ["failed", "succeeded"])
    till.booked()


def test_an_outage_on_the_day_of_the_second_attempt(till: Till, world: World) -> None:
    _alice, invoice = renewed(till, world, code="insufficient_funds")
    world.now += timedelta(days=3)
    till.sync()
    world.sweep("payments.collect")
    outage(till, world)
    for _ in range(2):
        world.advance(minutes=30, sweeps=LATER)
        till.sync()
    invoice.refresh_from_db()
    assert (invoice.state, attempts(invoice)) == ("paid", ["failed", "failed", "succeeded"])


def test_without_a_means_an_outage_excuses_nothing(till: Till, world: World) -> None:
    alice = world.customer()
    till.buy(alice, keep=True)
    world.advance(days=31)
    till.sync()
    world.sweep("invoicing.renew")
    outage(till, world)
    world.advance(minutes=30, sweeps=["payments.reconcile"])
    means.remove(PaymentMethod.objects.get(), actor=alice.actor, now=world.now)
    world.advance(days=1, sweeps=LATER)
    assert Invoice.objects.filter(account=alice.account).latest("pk").state == "overdue"


def test_trouble_at_the_card_network_is_not_told_as_a_refusal(till: Till, world: World) -> None:
    """Twice in a row, as often as a refusal would start the 30 days of INV-7; then it is paid."""
    alice, invoice = renewed(till, world, code="processing_error", times=2)
    on(till, world, days=3)
    assert attempts(invoice) == ["failed", "failed"]
    assert not world.mails("payment_refused", alice.account)
    assert not RejectionNotice.objects.exists()
    on(till, world, days=5)
    invoice.refresh_from_db()
    assert invoice.state == "paid"


def test_trouble_does_not_make_one_refusal_a_repeated_one(till: Till, world: World) -> None:
    alice, _invoice = renewed(till, world, code="processing_error")
    till.bank.control("mischief", kind="decline", value="insufficient_funds", times=1)
    on(till, world, days=3)
    assert len(world.mails("payment_refused", alice.account)) == 1
    assert not RejectionNotice.objects.exists()


def test_a_contested_invoice_is_not_tried_again(till: Till, world: World) -> None:
    _alice, invoice = renewed(till, world, code="insufficient_funds")
    Invoice.objects.filter(pk=invoice.pk).update(contested_at=world.now)
    on(till, world, days=9)
    assert attempts(invoice) == ["failed"]


def test_a_card_that_ends_is_told_once_30_days_before(till: Till, world: World) -> None:
    """The card of the story ends with December 2034."""
    alice = world.customer()
    till.buy(alice, keep=True)
    world.now = paris("2034-12-01 12:00")
    assert world.sweep("payments.collect").done == 0
    world.now = paris("2034-12-02 12:00")
    for _ in range(3):
        world.sweep("payments.collect")
    (mail,) = world.mails("card_expiring", alice.account)
    assert "12/2034" in mail.content.body
