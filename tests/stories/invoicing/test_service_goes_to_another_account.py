"""As a customer I hand a running service over to another account: offered, accepted, billed to each for their time, and
never twice (SUB-2, SUB-4, SRV-5)."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core import mail

from invoicing.accounting import ledger
from invoicing.compensating import service_credits
from invoicing.consuming import evidence
from invoicing.issuing import invoices
from invoicing.limiting import spending
from invoicing.models import Consumption, Invoice, ServiceTransfer, Subscription, TransferState
from invoicing.offering import groups, price_notices
from invoicing.renewing import upcoming
from invoicing.subscribing import changes, ending, pauses, subscriptions, trials
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from invoicing.transferring import handing_over, transfers
from panel.accounts import restrictions, terms_in_force
from panel.accounts.models import Acceptance
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.stories.invoicing.test_prices_of_a_group import join
from tests.stories.invoicing.test_promotional_code import code
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
RENEW = ["invoicing.renew"]
TB = 10**12


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def bob(world: World, shop: Shop) -> Customer:
    return world.customer("Bob")


@pytest.fixture
def row(alice: Customer, shop: Shop) -> Subscription:
    return shop.buy(alice, addresses=1)  # 5.90 and 2.00 a month, 2 March to 2 April; 1 TB included


def offer(
    world: World, row: Subscription, to: str, who: Customer, reason: str = "We sold the shop."
) -> ServiceTransfer:
    return transfers.offer(row, to=to, reason=reason, actor=who.actor, now=world.now)


def accept(world: World, made: ServiceTransfer, who: Customer) -> ServiceTransfer:
    documents = terms_in_force.at(who.account, world.now).order_documents
    return handing_over.accept(
        made, who.account, accepted=documents, actor=who.actor, ip="192.0.2.9", now=world.now
    )  # fmt: skip


def refused(world: World, row: Subscription, who: Customer, to: Customer) -> str:
    with pytest.raises(RuleViolation) as found:
        offer(world, row, to.account.reference, who)
    return found.value.sentence


def nets(shop: Shop, who: Customer) -> list[int]:
    return [one.net_cents for one in shop.invoices(who)]


def test_it_is_the_receivers_from_the_acceptance_on(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    made = offer(world, row, bob.account.reference.lower(), alice)
    world.work()
    (told,) = [one for one in mail.outbox if "offered to your account" in one.subject]
    assert told.to == [bob.user.email]
    assert "until the end of 16 March 2026" in told.body
    world.until(paris("2026-03-12 09:00"))
    accept(world, made, bob)
    row.refresh_from_db()
    assert row.account == bob.account
    assert (row.price_cents, row.anchor_on, row.period_end) == (590, date(2026, 3, 2), date(2026, 4, 2))
    assert {one.account for one in row.options.all()} == {bob.account}
    assert {one.account for one in row.periods.all()} == {alice.account}, "what was paid stays who paid it"
    assert (nets(shop, alice), nets(shop, bob)) == ([790], []), "nothing is refunded, nothing charged again"
    assert Acceptance.objects.filter(account=bob.account, subject_id=made.pk).count() == 1
    assert ("hand over", row.reference) in shop.service.done
    world.work()
    assert len([one for one in mail.outbox if "is yours now" in one.subject and one.to == [bob.user.email]]) == 1
    assert len([one for one in mail.outbox if "was transferred" in one.subject]) == 1
    for who in (alice, bob):
        assert Event.objects.filter(kind="invoicing.transfer.accepted", account_id=who.account.pk).count() == 1
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([790], [790])
    assert (ledger.total(), invoices.verify()) == (0, [])


def test_each_pays_what_they_used(world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription) -> None:
    """1 TB included; 1.4 TB until the instant, 2 TB in all: 400 GB to the giver, 600 GB to the receiver, at 1.30."""
    made = offer(world, row, bob.account.reference, alice)
    world.until(paris("2026-03-12 09:00"))
    shop.service.used[date(2026, 3, 2)] = 14 * TB // 10
    accept(world, made, bob)
    assert nets(shop, alice) == [790, 400 * 130]
    last = Invoice.objects.get(pk=ServiceTransfer.objects.get().invoice_id)
    line = last.lines.get()
    assert (line.period_start, line.period_end) == (date(2026, 3, 2), date(2026, 3, 13))
    shop.service.used[date(2026, 3, 2)] = 2 * TB
    row.refresh_from_db()
    (running,) = upcoming.running(row, now=world.now)
    assert (running.net_cents, running.account_id) == (600 * 130, bob.account.pk)
    assert spending.month_of(bob.account, now=world.now).metered == 600 * 130
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([790, 52_000], [790 + 78_000])
    parts = Consumption.objects.order_by("number")
    assert [(one.account, one.quantity, one.allowance, one.number) for one in parts] == [
        (alice.account, 1400, 1000, 0), (bob.account, 600, 0, 1),
    ]  # fmt: skip
    metered = Invoice.objects.get(account=bob.account).lines.get(code="usage:traffic")
    found = evidence.of_line(metered)
    assert found is not None
    assert (found.consumption.number, metered.period_start) == (1, date(2026, 3, 12))
    world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
    assert nets(shop, bob)[1:] == [790], "the month after is one month of one holder"


def test_what_is_left_of_the_included_volume_goes_with_it(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    made = offer(world, row, bob.account.reference, alice)
    shop.service.used[date(2026, 3, 2)] = 7 * TB // 10
    seen = handing_over.terms_for(made, bob.account, bob.actor, now=world.now, language="en")
    assert [one.left for one in seen.used] == [300]
    assert (seen.period_cents, seen.then_cents, seen.refusal) == (790, 790, "")
    accept(world, made, bob)
    shop.service.used[date(2026, 3, 2)] = 11 * TB // 10
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([790], [790 + 100 * 130])


def test_back_again_within_the_month(
    world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
) -> None:
    shop.service.used[date(2026, 3, 2)] = TB + 10 * 10**9
    accept(world, offer(world, row, bob.account.reference, alice), bob)
    shop.service.used[date(2026, 3, 2)] = TB + 30 * 10**9
    row.refresh_from_db()
    accept(world, offer(world, row, alice.account.reference, bob), alice)
    shop.service.used[date(2026, 3, 2)] = TB + 60 * 10**9
    world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
    assert (nets(shop, alice), nets(shop, bob)) == ([790, 1300, 790 + 3900], [2600])


def test_nobody_learns_whether_an_account_exists(world: World, row: Subscription, alice: Customer) -> None:
    made = offer(world, row, "ACC-NOBODY", alice)
    assert (made.state, made.receiver) == (TransferState.OFFERED, None)
    world.work()
    assert not [one for one in mail.outbox if "offered" in one.subject]
    world.until(paris("2026-03-16 23:59"), sweeps=["invoicing.transfers"])
    made.refresh_from_db()
    assert made.state == TransferState.OFFERED
    world.until(paris("2026-03-17 00:01"), sweeps=["invoicing.transfers"])
    made.refresh_from_db()
    assert made.state == TransferState.EXPIRED
    assert len([one for one in mail.outbox if "is not transferred" in one.subject]) == 1


def test_until_the_instant_and_not_after(world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
    """Offered on the 2nd, it stands for fourteen days."""
    made = offer(world, row, bob.account.reference, alice)
    assert made.expires_at == paris("2026-03-17 00:00")
    world.until(made.expires_at)
    assert handing_over.refusal(made, bob.account, bob.actor, now=world.now) == ""
    world.advance(seconds=1)
    with pytest.raises(RuleViolation, match="has expired"):
        accept(world, made, bob)


def test_withdrawn_or_declined_nothing_changes(world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
    made = offer(world, row, bob.account.reference, alice)
    for _ in range(2):
        transfers.withdraw(made, actor=alice.actor, now=world.now)
    with pytest.raises(RuleViolation, match="withdrawn"):
        accept(world, made, bob)
    again = offer(world, row, bob.account.reference, alice)
    transfers.decline(again, actor=bob.actor, now=world.now)
    with pytest.raises(RuleViolation, match="declined"):
        transfers.withdraw(again, actor=alice.actor, now=world.now)
    row.refresh_from_db()
    assert row.account == alice.account
    world.work()
    assert len(world.mails("transfer_ended", alice.account)) == len(world.mails("transfer_ended", bob.account)) == 2


def test_what_is_typed(world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
    for to, reason, field in (("", "x", "to"), (alice.account.reference, "x", "to"), ("ACC-X", " ", "reason")):
        with pytest.raises(RuleViolation) as wrong:
            offer(world, row, to, alice, reason)
        assert wrong.value.field == field
    for _ in range(5):
        transfers.withdraw(offer(world, row, "ACC-X", alice), actor=alice.actor, now=world.now)
    assert "tomorrow" in refused(world, row, alice, bob)
    world.advance(days=1, seconds=1)
    offer(world, row, "ACC-X", alice)
    assert "on offer already" in refused(world, row, alice, bob)


class TestWhatStandsInTheWay:
    def test_a_planned_end(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        ending.end_at_term(row, Wishes(), actor=alice.actor, now=world.now)
        assert "Take the end back" in refused(world, row, alice, bob)

    def test_a_planned_change(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        changes.change(row, Wish("vps-s", "month", {}), key="less", actor=alice.actor, now=world.now)
        assert "change is planned" in refused(world, row, alice, bob)

    def test_a_pause(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        pauses.pause(row, actor=alice.actor, now=world.now)
        row.refresh_from_db()
        assert "End the pause" in refused(world, row, alice, bob)

    def test_what_is_not_paid(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        made = offer(world, row, bob.account.reference, alice)
        changes.change(row, Wish("vps-m", "month", {"vps-address": 1}), key="more", actor=alice.actor, now=world.now)
        with pytest.raises(RuleViolation, match="cannot change hands"):
            accept(world, made, bob)
        transfers.withdraw(made, actor=alice.actor, now=world.now)
        assert "not paid yet" in refused(world, row, alice, bob)

    def test_a_restriction(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        restrictions.restrict(
            alice.account, scope="subscription", rule="SUB-8", statement="Why", author=world.staff("abuse"),
            now=world.now, key="one", subject=row, waiting=True,
        )  # fmt: skip
        assert "restricted" in refused(world, row, alice, bob)

    def test_the_renewal(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        world.until(paris("2026-04-02 00:00"))
        assert "just being invoiced" in refused(world, row, alice, bob)

    def test_the_service_itself(
        self, world: World, shop: Shop, row: Subscription, alice: Customer, bob: Customer
    ) -> None:
        shop.service.cannot_go = "It is being rebuilt."
        assert refused(world, row, alice, bob) == "It is being rebuilt."

    def test_an_end(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        subscriptions.terminate(row, because="", rule="SUB-6", now=world.now, actor=alice.actor)
        row.refresh_from_db()
        assert "has ended" in refused(world, row, alice, bob)


class TestTheReceiver:
    def test_accepts_the_conditions(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        made = offer(world, row, bob.account.reference, alice)
        with pytest.raises(RuleViolation) as wrong:
            handing_over.accept(made, bob.account, accepted=(), actor=bob.actor, ip=None, now=world.now)
        assert wrong.value.field == "accept"

    def test_has_limits_and_a_cap(
        self, world: World, shop: Shop, row: Subscription, alice: Customer, bob: Customer
    ) -> None:
        made = offer(world, row, bob.account.reference, alice)
        for _ in range(3):
            shop.order(bob)
        with pytest.raises(RuleViolation, match="can have 3 services"):
            accept(world, made, bob)
        carl = world.customer("Carl")
        transfers.withdraw(made, actor=alice.actor, now=world.now)
        spending.set_cap(carl.account, 700, actor=carl.actor, now=world.now)
        with pytest.raises(RuleViolation, match="spending cap"):
            accept(world, offer(world, row, carl.account.reference, alice), carl)
        row.refresh_from_db()
        assert row.account == alice.account

    def test_is_looked_at_like_an_order(self, world: World, row: Subscription, alice: Customer) -> None:
        dave = world.customer("Dave")
        dave.account.billing_email = "dave@yopmail.com"
        dave.account.save()
        made = offer(world, row, dave.account.reference, alice)
        with pytest.raises(RuleViolation, match="look at an order"):
            accept(world, made, dave)
        transfers.withdraw(made, actor=alice.actor, now=world.now)
        sam = world.staff("billing")
        by_us = transfers.offer(
            row, to=dave.account.reference, reason="Asked by both", actor=sam, now=world.now, by_staff=True
        )
        accept(world, by_us, dave)
        row.refresh_from_db()
        assert row.account == dave.account, "a person of ours has looked"

    def test_nobody_elses(self, world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
        made = offer(world, row, bob.account.reference, alice)
        carl = world.customer("Carl")
        with pytest.raises(ValueError, match="another account"):
            accept(world, made, carl)
        assert not ServiceTransfer.objects.visible_to(carl.actor).exists()
        assert ServiceTransfer.objects.visible_to(bob.actor).count() == 1


class TestPrices:
    def test_a_groups_price_ends_with_the_renewal(
        self, world: World, shop: Shop, alice: Customer, bob: Customer
    ) -> None:
        agencies = groups.create("agencies", "Agencies", actor=world.staff("billing"), now=world.now)
        groups.set_percent(agencies, Decimal(10), valid_from=world.now, actor=world.staff("billing"), now=world.now)
        join(world, agencies, alice)
        row = shop.buy(alice, addresses=1)  # 5.31 and 1.80
        made = offer(world, row, bob.account.reference, alice)
        seen = handing_over.terms_for(made, bob.account, bob.actor, now=world.now, language="en")
        assert (seen.period_cents, seen.then_cents) == (711, 790)
        accept(world, made, bob)
        row.refresh_from_db()
        assert row.price_cents == 531, "what is paid for keeps its price"
        assert [(new.code, new.cents, new.first_on) for new in price_notices.announced(row)] == [
            ("vps-s", 590, date(2026, 4, 2)), ("vps-address", 200, date(2026, 4, 2)),
        ]  # fmt: skip
        world.until(paris("2026-05-02 09:00"), sweeps=RENEW)
        assert nets(shop, bob) == [790, 790]
        row.refresh_from_db()
        assert (row.price_cents, price_notices.announced(row)) == (590, [])

    def test_a_promotional_code_ends_too(self, world: World, shop: Shop, alice: Customer, bob: Customer) -> None:
        code(world, periods=12)
        row = shop.buy(alice, promotion="SUMMER")
        accept(world, offer(world, row, bob.account.reference, alice), bob)
        world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
        assert (nets(shop, alice), nets(shop, bob)) == ([472], [590])

    def test_credits_stay_the_givers(
        self, world: World, shop: Shop, alice: Customer, bob: Customer, row: Subscription
    ) -> None:
        service_credits.grant_credit(
            alice.account, row, 100, "down", {}, rule="SUB-15", once="SUB-15:one", now=world.now
        )
        accept(world, offer(world, row, bob.account.reference, alice), bob)
        assert [one.kind for one in shop.invoices(alice)] == ["invoice", "credit_note"]
        assert ledger.funds(alice.account) == 120
        world.until(paris("2026-04-02 09:00"), sweeps=RENEW)
        assert nets(shop, bob) == [790]


def test_who_gave_it_away_can_end_it_no_more(
    world: World, shop: Shop, row: Subscription, alice: Customer, bob: Customer
) -> None:
    before = Subscription.objects.get(pk=row.pk)
    accept(world, offer(world, row, bob.account.reference, alice), bob)
    with pytest.raises(RuleViolation, match="another account"):
        ending.end_now(before, Wishes(), actor=alice.actor, now=world.now)


def test_a_trial_is_once_an_account_still(world: World, shop: Shop, alice: Customer, bob: Customer) -> None:
    row = shop.buy(alice)
    row.order.trial_days = 14
    row.order.save()
    Subscription.objects.filter(pk=row.pk).update(trial_ends_on=row.period_start)
    row.refresh_from_db()
    accept(world, offer(world, row, bob.account.reference, alice), bob)
    assert trials.had(alice.account)
    assert not trials.had(bob.account)


def test_accepted_twice_it_is_handed_over_once(
    world: World, shop: Shop, row: Subscription, alice: Customer, bob: Customer
) -> None:
    shop.service.used[date(2026, 3, 2)] = TB + 10**9
    made = offer(world, row, bob.account.reference, alice)
    for _ in range(2):
        accept(world, made, bob)
    assert nets(shop, alice) == [790, 130]
    assert [deed for deed, _ in shop.service.done].count("hand over") == 1
    assert Event.objects.filter(kind="invoicing.transfer.accepted").count() == 2, "one for each side"
    world.now += timedelta(seconds=1)
