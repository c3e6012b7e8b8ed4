"""As billing staff I credit an invoice by hand and, where wanted, send the money back to its card (INV-2, REFUND)."""

from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.accounting import ledger
from invoicing.models import Invoice, Payment, Refund
from invoicing.selling_by_hand import giving_up, repaying
from panel.accounts import approvals
from panel.accounts.models import Approval
from panel.core.models import Event
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def paid_invoice(till: Till, alice: Customer) -> Invoice:
    payment = till.buy(alice)
    assert payment.state == "succeeded"
    return Invoice.objects.get(account=alice.account)


@pytest.mark.parametrize(("net", "gross"), [(590, 708), (100, 120)])
def test_credited_and_refunded_once(till: Till, world: World, net: int, gross: int) -> None:
    alice, staff = world.customer(), world.staff("billing")
    invoice = paid_invoice(till, alice)
    for _ in range(2):
        repaying.credit(invoice, [net], reason="not as promised", refund=True, key="form-1", actor=staff, now=world.now)
    world.work()
    refund = Refund.objects.get()
    assert (refund.amount_cents, refund.state) == (gross, "succeeded")
    assert refund.credit_note == Invoice.objects.get(kind="credit_note")
    assert not Event.objects.filter(data__icontains="not as promised").exists(), "people's words are not for it"
    assert ledger.funds(alice.account) == 0
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert till.booked() == 708 - gross


def test_beyond_the_terms_amount_the_credit_note_is_issued_and_the_money_waits(
    till: Till, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_up, "threshold", lambda *_asked: 707)
    alice, staff = world.customer(), world.staff("billing")
    invoice = paid_invoice(till, alice)
    repaying.credit(invoice, [590], reason="not as promised", refund=True, key="k", actor=staff, now=world.now)
    assert (ledger.funds(alice.account), Refund.objects.count()) == (708, 0)
    asked = Approval.objects.get(kind="invoicing.send_back")
    approvals.vote(asked.pk, agrees=True, actor=world.staff("billing", name="Ann"), now=world.now)
    world.work()
    refund = Refund.objects.get()
    assert (refund.amount_cents, refund.credit_note) == (708, Invoice.objects.get(kind="credit_note"))
    assert ledger.funds(alice.account) == 0


def test_without_refund_it_stays_in_the_funds(till: Till, world: World) -> None:
    alice, staff = world.customer(), world.staff("billing")
    invoice = paid_invoice(till, alice)
    repaying.credit(invoice, [590], reason="a gesture", refund=False, key="form-1", actor=staff, now=world.now)
    assert ledger.funds(alice.account) == 708
    assert not Refund.objects.exists()
    assert Payment.objects.get().refunded_cents == 0
