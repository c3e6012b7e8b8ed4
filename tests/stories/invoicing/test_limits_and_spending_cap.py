"""As a new customer I know my limits and how they end; as any customer I set a cap, am warned, and what I order beyond
it is refused with the figures (SUB-4)."""

import pytest
from django.core import mail

from invoicing.limiting import limits, spending
from invoicing.models import Invoice, Order, OrderState, SpendingWarning, SubscriptionState
from invoicing.paying import payments
from invoicing.renewing import upcoming
from invoicing.reviewing import standing
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Wish
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


class TestNewAccounts:
    def test_three_services_until_the_first_invoice_is_paid(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        orders = [shop.order(alice) for _ in range(3)]
        with pytest.raises(RuleViolation, match="can have 3 services") as refused:
            shop.order(alice)
        assert refused.value.rule == "SUB-4"
        payments.cancel_order(orders[0], actor=alice.actor, now=world.now)
        shop.order(alice)  # what is cancelled does not count
        found = limits.of(alice.account, now=world.now)
        assert (found.is_new, found.invoices_left, found.standing.services) == (True, 1, 3)

    def test_they_end_with_the_first_paid_invoice(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.buy(alice)
        assert not limits.of(alice.account, now=world.now).is_new
        assert [shop.order(alice).state for _ in range(4)] == [OrderState.AWAITING_PAYMENT] * 4

    def test_a_monthly_amount(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.order(alice, "vps-l", "year")  # 239.00
        shop.order(alice, "vps-l", "year", addresses=1)  # 259.00: together 498.00
        with pytest.raises(RuleViolation, match=r"EUR.500\.00 a month.*EUR.498\.00.*EUR.5\.90") as refused:
            shop.order(alice)
        assert refused.value.rule == "SUB-4"
        Order.objects.filter(account=alice.account, net_cents=25_900).update(net_cents=25_510, total_cents=30_690)
        shop.order(alice)  # 500.00 to the cent is within it

    def test_staff_raises_them_and_lets_them_hold_again(self, world: World, shop: Shop) -> None:
        alice, sam = world.customer(), world.staff("billing")
        for _ in range(3):
            shop.order(alice)
        with pytest.raises(RuleViolation):
            standing.raise_limits(alice.account, True, why=" ", actor=sam, now=world.now)
        standing.raise_limits(alice.account, True, why="A known agency.", actor=sam, now=world.now)
        shop.order(alice)
        standing.raise_limits(alice.account, False, why="Not so well known.", actor=sam, now=world.now)
        with pytest.raises(RuleViolation):
            shop.order(alice)
        assert Event.objects.filter(kind="invoicing.account.limits_raised").count() == 1

    def test_the_same_order_again_is_no_second_service(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        orders = [shop.order(alice, key=f"k{number}") for number in range(3)]
        assert shop.order(alice, key="k2") == orders[2]


class TestCap:
    def test_orders_beyond_it_are_refused_with_the_figures(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.buy(alice)  # 5.90 invoiced
        spending.set_cap(alice.account, 2_370, actor=alice.actor, now=world.now)
        shop.order(alice)  # 5.90 ordered
        shop.order(alice, "vps-m")  # 11.90: 23.70 to the cent is within it
        with pytest.raises(RuleViolation, match=r"cap of EUR.23\.70.*EUR.23\.70.*EUR.5\.90"):
            shop.order(alice)
        spending.set_cap(alice.account, None, actor=alice.actor, now=world.now)
        shop.order(alice)
        world.advance(days=31)
        assert spending.month_of(alice.account, now=world.now).invoiced == 0, "a new month begins anew"

    def test_an_upgrade_beyond_it_is_refused(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        row = shop.buy(alice)
        spending.set_cap(alice.account, 1_000, actor=alice.actor, now=world.now)
        with pytest.raises(RuleViolation, match=r"cap of EUR.10\.00"):
            changes.change(row, Wish("vps-m", "month", {}), key="up", actor=alice.actor, now=world.now)
        spending.set_cap(alice.account, 1_190, actor=alice.actor, now=world.now)
        changes.change(row, Wish("vps-m", "month", {}), key="up", actor=alice.actor, now=world.now)
        assert Invoice.objects.filter(account=alice.account).count() == 2

    def test_what_is_used_is_never_hidden_and_is_invoiced(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        row = shop.buy(alice)
        spending.set_cap(alice.account, 1_000, actor=alice.actor, now=world.now)
        shop.service.used[row.usage_from] = row.package.spec["included_bytes"] + 10 * 10**9  # EUR 13.00
        spent = spending.month_of(alice.account, now=world.now)
        assert (spent.invoiced, spent.metered, spent.total) == (590, 1_300, 1_890)
        assert sum(one.net_cents for one in upcoming.running(row, now=world.now)) == 1_300
        with pytest.raises(RuleViolation, match=r"EUR.18\.90"):
            shop.order(alice)
        world.advance(days=31, sweeps=["invoicing.renew"])
        newest = Invoice.objects.latest("pk")
        assert newest.net_cents == 590 + 1_300, "renewed and invoiced, cap or no cap"
        row.refresh_from_db()
        assert row.state == SubscriptionState.ACTIVE

    def test_warned_once_at_80_and_once_at_100_percent(self, world: World, shop: Shop) -> None:
        alice = world.customer()
        shop.buy(alice)  # 5.90
        spending.set_cap(alice.account, 738, actor=alice.actor, now=world.now)  # 79.9 %
        assert self._told(world) == []
        spending.set_cap(alice.account, 737, actor=alice.actor, now=world.now)  # 80.05 %
        assert self._told(world) == [80]
        assert self._told(world) == [80]
        spending.set_cap(alice.account, 590, actor=alice.actor, now=world.now)
        assert self._told(world) == [80, 80, 100], "another cap is another warning; the highest one is told"
        (first, second) = [one for one in mail.outbox if "spending cap" in one.subject]
        assert "80 %" in first.subject
        assert "EUR\u00a05.90" in first.body
        assert "100 %" in second.subject
        assert "are refused" in second.body

    def test_credit_notes_make_room_again(self, world: World, shop: Shop) -> None:
        from invoicing.issuing import invoices

        alice = world.customer()
        shop.buy(alice)
        invoices.credit(Invoice.objects.get(), None, reason="x", once="x", now=world.now, actor=alice.actor)
        assert spending.month_of(alice.account, now=world.now).total == 0

    @staticmethod
    def _told(world: World) -> list[int]:
        world.sweep("invoicing.spending")
        world.work()
        return sorted(SpendingWarning.objects.values_list("percent", flat=True))
