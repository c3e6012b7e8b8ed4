"""As staff I give up, with a reason, what a customer had spent before a bank took it back (INV-6, INV-11)."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from invoicing.accounting import ledger, receivables
from invoicing.funding import funds, taken_back, topping_up
from invoicing.models import Dispute, Invoice, Payment
from invoicing.paying import payments
from invoicing.reviewing import holding
from invoicing.selling_by_hand import giving_up
from panel.accounts import approvals, tokens
from panel.accounts.models import Approval, Membership, User
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db

ADDED = 5_000


@pytest.fixture
def till(world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def payment(till: Till, world: World, shop: Shop, alice: Customer) -> Payment:
    """EUR 50.00 were added, an order was paid from them, then the bank took all of it back."""
    till.sync()
    asked = topping_up.begin(
        alice.account, ADDED, key="k", actor=alice.actor, now=world.now, return_url="http://testserver/billing/funds/"
    )
    world.work(kinds=[payments.OPEN])
    asked.refresh_from_db()
    till.pay(asked)
    told(till)
    topping_up.pay_order(shop.order(alice), actor=alice.actor, now=world.now)
    asked.refresh_from_db()
    till.bank.control("dispute", payment=asked.provider_ref)
    told(till)
    return asked


def told(till: Till) -> None:
    till.deliver()
    till.world.work()


def decided(till: Till, *, won: bool) -> None:
    till.bank.control("dispute", close=Dispute.objects.get().provider_ref, won=won)
    told(till)


def spent() -> int:
    return Invoice.objects.get().total_cents


def asked_for(world: World, payment: Payment, reason: str = "Insolvent.") -> Approval:
    found = giving_up.ask(payment, reason=reason, actor=world.staff("billing"), now=world.now)
    world.work()
    return found


def api(world: World, alice: Customer) -> Any:
    membership = Membership.objects.get(user=alice.user, account=alice.account)
    _row, token = tokens.issue(membership, name="t", scopes=["pay"], lives=None, actor=alice.actor, now=world.now)
    return Client().get("/api/v1/funds", headers={"Authorization": f"Bearer {token}"}).json()


def test_it_is_a_loss_and_owed_no_longer(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    decided(till, won=False)
    assert taken_back.owed(alice.account) == spent()
    approval = asked_for(world, payment)
    assert (approval.state, approval.needed, "Insolvent." in approval.summary) == ("granted", 1, True)
    assert taken_back.owed(alice.account) == 0
    assert ledger.balance(ledger.LOSSES) == spent()
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert receivables.of(alice.account.pk) == []
    till.booked()
    assert Event.objects.filter(kind="invoicing.dispute.written_off").count() == 1
    with pytest.raises(RuleViolation):
        asked_for(world, payment)
    assert holding._unpaid(alice.account) == 1, "a new order of theirs is looked at"


def test_not_while_the_banks_have_not_decided_nor_without_a_reason(till: Till, world: World, payment: Payment) -> None:
    with pytest.raises(RuleViolation):
        asked_for(world, payment)
    decided(till, won=False)
    with pytest.raises(RuleViolation):
        asked_for(world, payment, reason=" ")
    assert ledger.balance(ledger.LOSSES) == 0


def test_a_large_one_needs_two(
    till: Till, world: World, alice: Customer, payment: Payment, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(till, won=False)
    monkeypatch.setattr(giving_up, "threshold", lambda account, now: spent() - 1)
    approval = asked_for(world, payment)
    assert (approval.state, approval.needed) == ("open", 2)
    with pytest.raises(RuleViolation, match="asked for already"):
        asked_for(world, payment)
    approvals.vote(approval.pk, agrees=False, actor=world.staff("billing", "administrator"), now=world.now)
    world.work()
    assert taken_back.owed(alice.account) == spent()
    again = asked_for(world, payment)
    approvals.vote(again.pk, agrees=True, actor=world.staff("administrator"), now=world.now)
    world.work()
    assert taken_back.owed(alice.account) == 0


def test_won_after_all_the_loss_is_taken_back(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    """What nobody had paid is nobody's; what was left in the funds comes back to them."""
    decided(till, won=False)
    asked_for(world, payment)
    dispute = till.bank.store.where("dispute")[0]
    till.bank.store.put({**dispute, "status": "won"})
    with till.bank.store.transaction():
        till.bank.store.emit("charge.dispute.closed", {**dispute, "status": "won"})
    told(till)
    assert Dispute.objects.get().state == "won"
    assert ledger.balance(ledger.LOSSES) == 0
    assert funds.balance(alice.account) == ADDED - spent()
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 0
    assert receivables.of(alice.account.pk) == []


def test_on_the_pages_and_in_the_api(till: Till, world: World, alice: Customer, payment: Payment) -> None:
    staff = logged_in(User.objects.get(pk=world.staff("billing").user_id))
    path = f"/ops/payments/{payment.reference}/"
    assert f"{path}write-off/" not in staff.get(path).content.decode()
    assert api(world, alice) == {"balance_cents": 0, "owed_cents": spent()}
    decided(till, won=False)
    assert f"{path}write-off/" in staff.get(path).content.decode()
    assert staff.post(f"{path}write-off/", {"reason": ""}).status_code == 422
    assert staff.post(f"{path}write-off/", {"reason": "Gone."})["Location"] == path
    world.work()
    assert "Spent funds written off" in staff.get(path).content.decode()
    assert api(world, alice) == {"balance_cents": 0, "owed_cents": 0}
