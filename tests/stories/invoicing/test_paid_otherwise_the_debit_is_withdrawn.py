"""As a customer whose invoice is to be debited I pay it by card or from my funds instead: the announced debit is
withdrawn and I am told; once the bank may have it, I am told why it must wait (INV-5, OPR-3)."""

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from invoicing.accounting import ledger
from invoicing.debiting import batches, instead
from invoicing.funding import funds
from invoicing.gateways import Method
from invoicing.models import Debit, Invoice, Payment, PaymentMethod
from invoicing.paying import means, payments
from invoicing.paying.payments import Finding
from panel.core.errors import RuleViolation
from tests.support.debiting import OTHER_IBAN, debited, in_file, signed
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
DAY = date(2026, 4, 16)
TOLD = "The debit announced for 16 April 2026 is withdrawn."


def card(world: World, alice: Customer) -> PaymentMethod:
    return means.keep(alice.account, Method("pm_1", "card", "visa", "4242", exp_month=12, exp_year=2030), now=world.now)


def by_card(world: World, alice: Customer, invoice: Invoice, key: str = "tab-1", **more: Any) -> Payment:
    return instead.pay(invoice, key=key, actor=alice.actor, now=world.now, **more)[0]


def stands(invoice: Invoice) -> list[tuple[str, str]]:
    """Each debit of an invoice with its payment, oldest first."""
    return list(Debit.objects.filter(invoice=invoice).order_by("pk").values_list("state", "payment__state"))


def give_funds(world: World, alice: Customer, cents: int) -> None:
    funds.put_in(alice.account, cents, source=ledger.BANK, kind="top_up", ref=f"story-{cents}", now=world.now)


def test_paid_by_card_once_and_never_debited(world: World, shop: Shop) -> None:
    alice, invoice, debit = debited(world, shop)
    payment, gone = instead.pay(invoice, key="tab-1", actor=alice.actor, now=world.now, method=card(world, alice))
    assert gone == debit
    assert instead.said(debit, "en") == TOLD
    assert stands(invoice) == [("withdrawn", "cancelled")]
    payments.conclude(payment.pk, Finding("succeeded", amount_cents=payment.amount_cents), now=world.now)
    world.work()
    world.sweep("invoicing.debits")
    with pytest.raises(RuleViolation):
        batches.make(key="k", until=date(2026, 6, 1), actor=world.staff("billing"), now=world.now)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_cents, len(stands(invoice))) == ("paid", invoice.total_cents, 1)
    assert ledger.funds(alice.account) == 0


def test_paid_from_the_funds(world: World, shop: Shop) -> None:
    alice, invoice, debit = debited(world, shop)
    give_funds(world, alice, invoice.total_cents)
    cents, gone = instead.pay_from_funds(invoice, actor=alice.actor, now=world.now)
    assert (cents, gone) == (invoice.total_cents, debit)
    world.work()
    world.sweep("invoicing.debits")
    assert stands(invoice) == [("withdrawn", "cancelled")]


def test_what_the_funds_do_not_reach_is_announced_anew(world: World, shop: Shop) -> None:
    alice, invoice, _debit = debited(world, shop)
    give_funds(world, alice, 400)
    instead.pay_from_funds(invoice, actor=alice.actor, now=world.now)
    assert stands(invoice) == [("withdrawn", "cancelled"), ("announced", "new")]
    assert Debit.objects.latest("pk").cents == invoice.total_cents - 400
    assert len(world.mails("debit_notice", alice.account)) == 2


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_not_paid_after_all_it_is_announced_anew_once(world: World, shop: Shop, how: str) -> None:
    alice, invoice, _debit = debited(world, shop)
    world.advance(hours=1)
    payment = by_card(world, alice, invoice, return_url="http://testserver/")
    world.advance(days=1)
    payments.conclude(payment.pk, Finding(how), now=world.now)
    world.work()
    world.sweep("invoicing.debits")
    assert stands(invoice) == [("withdrawn", "cancelled"), ("announced", "new")]
    assert len(world.mails("debit_notice", alice.account)) == 2


def test_a_key_used_before_pays_nothing_and_the_debit_stays(world: World, shop: Shop) -> None:
    """A payment's key is for ever; what a program was answered is kept for two days."""
    alice, invoice, _debit = debited(world, shop)
    payments.conclude(by_card(world, alice, invoice).pk, Finding("failed"), now=world.now)
    world.work()
    before = stands(invoice)
    assert before == [("withdrawn", "cancelled"), ("announced", "new")]
    world.advance(days=3)
    with pytest.raises(RuleViolation, match="with a new key") as refused:
        by_card(world, alice, invoice)
    assert not refused.value.field, "the API answers 409"
    assert stands(invoice) == before


def test_the_same_mandate_changes_nothing_another_one_takes_its_place(world: World, shop: Shop) -> None:
    alice, invoice, debit = debited(world, shop)
    assert by_card(world, alice, invoice, method=debit.mandate.method) == debit.payment
    assert stands(invoice) == [("announced", "new")]
    other = signed(world, alice, OTHER_IBAN, default=False)
    by_card(world, alice, invoice, method=other.method)
    assert stands(invoice) == [("withdrawn", "cancelled"), ("announced", "new")]
    assert Debit.objects.latest("pk").mandate == other


@pytest.mark.parametrize("handed", [False, True])
def test_in_a_file_it_stays_and_the_page_says_why(world: World, shop: Shop, handed: bool) -> None:
    alice, invoice, debit = debited(world, shop)
    give_funds(world, alice, invoice.total_cents)
    billing = world.staff("billing")
    batch = batches.make(key="k", until=DAY, actor=billing, now=world.now)
    if handed:
        batches.hand_over(batch, actor=billing, now=world.now)
        world.work()
    for pay in (by_card, lambda *given: instead.pay_from_funds(given[2], actor=alice.actor, now=world.now)):
        with pytest.raises(RuleViolation, match="on its way to the bank"):
            pay(world, alice, invoice)
    assert in_file(batch)[0][0] == debit.payment.reference
    assert Payment.objects.filter(invoice=invoice).count() == 1
    page = (
        logged_in(alice.user, alice.account)
        .get(reverse("invoicing:invoice_detail", args=[invoice.number]))
        .content.decode()
    )
    assert "on its way to the bank" in page
    assert reverse("invoicing:invoice_pay", args=[invoice.number]) not in page


def test_the_page_says_so_before_and_after(world: World, shop: Shop) -> None:
    alice, invoice, _debit = debited(world, shop)
    give_funds(world, alice, 400)
    browser = logged_in(alice.user, alice.account)
    here = reverse("invoicing:invoice_detail", args=[invoice.number])
    page = browser.get(here).content.decode()
    assert page.count("If you pay now, the debit announced for 16 April 2026 is withdrawn.") == 2
    done = browser.post(reverse("invoicing:invoice_pay_funds", args=[invoice.number]), follow=True)
    assert TOLD in done.content.decode()
    browser.post(reverse("invoicing:invoice_pay", args=[invoice.number]), {"method": ""})
    assert stands(invoice) == [("withdrawn", "cancelled")] * 2
