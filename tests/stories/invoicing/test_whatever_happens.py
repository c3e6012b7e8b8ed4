"""Whatever customers, banks, staff and the clock do, in any order: every euro is right, once, and explained (INV-2,
INV-6, INV-11, SUB-5, SUB-12, SRV-5, SRV-6, INV-7, OPR-3).

A world that lives at random; after each step all that `tests.support.truths` knows is asked again: invariants 1 to 6,
10 to 14, 18 to 20, 22 and 24.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Q
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from invoicing.chasing import pausing, suspending
from invoicing.models import Invoice, InvoiceLine, OrderReview, Payment, Subscription, Suspension
from invoicing.paying import settlement
from invoicing.reviewing import deciding
from invoicing.selling_by_hand import manual_sales, repaying
from invoicing.subscribing import changes, subscriptions
from invoicing.subscribing.changes import Wish
from panel import terms
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from tests.support import truths
from tests.support.owing import SWEEPS
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
OPR_3 = {"source": "001", "notice_working_days": 5, "rejection_fee": "25.00", "suspend": False}
BUYERS = ({"country": "FR"}, {"country": "DE", "kind": "consumer"})
PRICES = {"vps-s": 590, "vps-m": 1190, "vps-l": 2390}
WHICH = st.integers(0, 20)
DAYS = st.sampled_from([17, 31, 4, 0])


class Life(RuleBasedStateMachine):
    """Two buyers, a shop, a bank and a member of staff."""

    def __init__(self, till: Till) -> None:
        super().__init__()
        self.till, self.world, self.shop = till, till.world, till.shop
        self.gigabytes = 1_007
        self.ends, self.number, self.open_disputes = ExitStack(), 0, []  # type: ignore[var-annotated]
        self.ends.enter_context(transaction.atomic())
        self.ends.callback(transaction.set_rollback, True)
        self.world.now, self.shop.service.used, self.shop.service.done = paris("2026-01-30 09:00"), {}, []
        till.bank.control("reset")
        till.bank.control("deliveries", paused=True)

    def teardown(self) -> None:
        self.ends.close()

    def key(self) -> str:
        self.number += 1
        return f"k{self.number}"

    def settle(self) -> None:
        """What follows by itself at this instant."""
        self.world.work()
        self.till.deliver()
        self.world.work()

    # --- what happens -------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.buyers = [self.world.customer(f"Buyer{number}", **data) for number, data in enumerate(BUYERS)]
        self.staff = self.world.staff()
        for buyer in self.buyers:
            self.till.buy(buyer, keep=True)
        self.staff_decides(accepts=True)

    @precondition(lambda self: Subscription.objects.count() < 4)
    @rule(days=DAYS, who=st.sampled_from([0, 1]), package=st.sampled_from(sorted(PRICES)))
    def buy(self, days: int, who: int, package: str) -> None:
        """Ordered and paid; or held or refused, for a debt or a dispute."""
        self.live(days)
        self._allowed(self.till.buy, self.buyers[who], package=package)

    @rule(
        days=DAYS, gigabytes=st.sampled_from([999, 1_001, 1_007, 2_500]),
        refused=st.sampled_from(["insufficient_funds", "insufficient_funds", "processing_error", ""]),
    )  # fmt: skip
    def the_weather_changes(self, days: int, gigabytes: int, refused: str) -> None:
        """From now on there is so much traffic a month; cards are charged, or the bank does not want to, or has trouble
        itself."""
        self.gigabytes = gigabytes
        self.till.bank.store.set("mischief", [])
        if refused:
            self.till.bank.control("mischief", kind="decline", value=refused, times=500)
        self.live(days)

    def live(self, days: int) -> None:
        for row in Subscription.objects.all():
            self.shop.service.used.setdefault(row.usage_from, self.gigabytes * 10**9 + 4_000_001)
        self.world.now += timedelta(days=days)
        self.till.sync()
        for name in ("payments.collect", *SWEEPS):
            self.world.sweep(name)
            self.settle()
        truths.periods_tile_time(paris_date(self.world.now))

    @rule(days=DAYS, which=WHICH, package=st.sampled_from(sorted(PRICES)), addresses=st.integers(0, 3))
    def change(self, days: int, which: int, package: str, addresses: int) -> None:
        """14: what is more is paid for the days left, to the cent; there and back, and there again, costs once."""
        self.live(days)
        rows = list(Subscription.objects.filter(state="active").order_by("pk"))
        row = rows[which % len(rows)] if rows else None
        today = paris_date(self.world.now)
        if row is None or not row.period_start <= today < row.period_end:
            return
        there = row.options.filter(Q(until=None) | Q(until__gt=today))
        held, had = row.price_cents, sum(one.quantity for one in there)
        wish = Wish(package, "month", {"vps-address": addresses} if addresses else {})
        try:
            made = changes.change(row, wish, key=self.key(), actor=self.staff, now=self.world.now)
        except RuleViolation:
            return
        days, gone = (row.period_end - row.period_start).days, (today - row.period_start).days

        def left(cents: int) -> int:
            return cents - truths.half_up(Fraction(cents * gone, days))

        wanted = left(max(PRICES[package] - held, 0)) + max(addresses - had, 0) * left(200)
        assert made.net_cents == wanted
        self.settle()

    @rule(days=DAYS, which=WHICH, share=st.sampled_from([1, 50, 100]), back=st.booleans())
    def credit(self, days: int, which: int, share: int, back: bool) -> None:
        self.live(days)
        rows = list(Invoice.objects.filter(kind="invoice").order_by("-pk"))
        invoice = rows[which % len(rows)]
        nets = [line.net_cents * share // 100 for line in invoice.lines.all()]
        self._allowed(
            repaying.credit, invoice, nets, reason="x", refund=back, key=self.key(), actor=self.staff,
            now=self.world.now,
        )  # fmt: skip

    @rule(days=DAYS, which=WHICH, cents=st.sampled_from([100, 1_000, 100_000]))
    def transfer(self, days: int, which: int, cents: int) -> None:
        """Money at our bank, for an invoice or, in advance, for none; too much goes to the funds."""
        self.live(days)
        rows: list[Invoice | None] = [None, *Invoice.objects.filter(kind="invoice").order_by("-pk")]
        invoice = rows[which % len(rows)]
        account = invoice.account if invoice else self.buyers[which % 2].account
        self._allowed(
            manual_sales.record_payment, account, cents, means="transfer", reference=self.key(), invoice=invoice,
            received_on=paris_date(self.world.now), actor=self.staff, now=self.world.now,
        )  # fmt: skip

    @precondition(lambda self: len(self.open_disputes) < 3)
    @rule(days=DAYS, which=WHICH, cents=st.sampled_from([50, 100_000]))
    def bank_takes_back(self, days: int, which: int, cents: int) -> None:
        self.live(days)
        rows = list(Payment.objects.filter(state="succeeded").exclude(provider_ref="").order_by("-pk"))
        payment = rows[which % len(rows)]
        made = self._allowed(
            self.till.bank.control, "dispute", payment=payment.provider_ref, amount=min(cents, payment.amount_cents)
        )
        self.open_disputes += [made["dispute"]] if made else []

    @precondition(lambda self: self.open_disputes)
    @rule(won=st.booleans())
    def banks_decide(self, won: bool) -> None:
        self._allowed(self.till.bank.control, "dispute", close=self.open_disputes.pop(), won=won)

    @rule(days=DAYS, which=WHICH)
    def contest(self, days: int, which: int) -> None:
        """Disputed, and when it was already: the dispute ends."""
        self.live(days)
        rows = list(Invoice.objects.filter(kind="invoice", state__in=("open", "overdue")).order_by("pk"))
        if rows:
            invoice = rows[which % len(rows)]
            settlement.lock_account(invoice.account_id)
            deed = pausing.go_on if invoice.stops.filter(until=None, because=pausing.DISPUTE) else pausing.stop
            deed(invoice, pausing.DISPUTE, now=self.world.now)

    @precondition(lambda self: Suspension.objects.filter(state="proposed").exists())
    @rule()
    def staff_suspends(self) -> None:
        for row in Suspension.objects.filter(state="proposed"):
            self._allowed(suspending.confirm, row.pk, reason="unpaid", actor=self.staff, now=self.world.now)

    @precondition(lambda self: OrderReview.objects.filter(state="waiting").exists())
    @rule(accepts=st.booleans())
    def staff_decides(self, accepts: bool) -> None:
        """On orders that are held (a French card with a German address)."""
        for row in OrderReview.objects.filter(state="waiting"):
            if accepts:
                self._allowed(deciding.accept, row.pk, actor=self.staff, now=self.world.now)
            else:
                self._allowed(deciding.refuse, row.pk, why="policy", actor=self.staff, now=self.world.now)

    @rule(which=WHICH)
    def end(self, which: int) -> None:
        rows = list(Subscription.objects.exclude(state="ended").order_by("pk"))
        if len(rows) > 1:
            row = rows[which % len(rows)]
            self._allowed(subscriptions.terminate, row, because="x", rule="SUB-6", now=self.world.now, actor=self.staff)

    def _allowed(self, deed: Any, *args: Any, **how: Any) -> Any:
        """What is refused, here or at the bank, moves nothing."""
        made = None
        try:
            with transaction.atomic():
                made = deed(*args, **how)
        except (RuleViolation, ValueError):
            pass
        self.settle()
        return made

    # --- what holds ---------------------------------------------------------------------------------------------------

    @invariant()
    def every_euro_is_right(self) -> None:
        connection.check_constraints()
        truths.documents_add_up()
        truths.numbers_run_on()
        truths.books_balance()
        truths.letters_settle()
        self.till.booked()
        truths.lines_follow(self.shop.service.used)
        truths.fees_are_for_refusals()
        truths.nobody_is_suspended_without_ground(paris_date(self.world.now))


@pytest.fixture
def till(world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    """Under terms with the charge for a rejected payment."""
    table: Any = terms.version("say_digital/2026-01").table
    monkeypatch.setitem(table, "OPR-3", dict(OPR_3))
    with open_till(world, shop, settings) as opened:
        yield opened


def test_what_chance_seldom_draws(till: Till) -> None:
    """The same life by a fixed hand, on the very days that rules name. 14: options that are added within a period are
    paid for the days left. 24: overage unpaid for 15 days and a means refused for 30 lead to a suspension on the day
    after, not on the last of them; what is contested and what is paid is lifted."""
    life = Life(till)
    try:
        life.begin()
        for days, which, package, addresses in ((3, 0, "vps-l", 0), (4, 1, "vps-s", 2), (0, 1, "vps-s", 3)):
            life.change(days, which, package, addresses)
        life.every_euro_is_right()
        added = InvoiceLine.objects.filter(rule="SUB-12").order_by("pk")
        assert list(added.values_list("code", "quantity")) == [("vps-l", 1), ("vps-address", 2), ("vps-address", 1)]
        life.the_weather_changes(0, 1_007, "insufficient_funds")  # beyond what a VPS S includes, not what an L does
        # renewed and refused on 28 February, refused again and so told on 3 March; 15 days, 30 days, and the day after
        for days, blocked in ((22, []), (3, []), (12, []), (1, ["SRV-6"]), (17, ["SRV-6"]),
                              (1, ["INV-7", "INV-7", "SRV-6"])):  # fmt: skip
            life.live(days)
            life.staff_suspends()
            assert sorted(Suspension.objects.filter(state="applied").values_list("rule", flat=True)) == blocked
            life.every_euro_is_right()
        contested = Suspension.objects.get(rule="SRV-6").invoice
        settlement.lock_account(contested.account_id)
        pausing.stop(contested, pausing.DISPUTE, now=life.world.now)
        paid = Suspension.objects.select_related("invoice").exclude(invoice=contested).get().invoice
        for key in ("once", "again"):  # 4.6 cents of VAT each, 9.2 together
            repaying.credit(
                paid, [23], reason="x", refund=False, key=key, actor=life.staff, now=life.world.now,
            )  # fmt: skip
        paid.refresh_from_db()
        manual_sales.record_payment(
            paid.account, paid.due_cents, means="transfer", reference="X", invoice=paid, actor=life.staff,
            received_on=paris_date(life.world.now), now=life.world.now,
        )  # fmt: skip
        life.every_euro_is_right()
        assert set(Suspension.objects.values_list("state", flat=True)) == {"lifted"}
        life.the_weather_changes(5, 1_007, "processing_error")  # 22: a third attempt, and trouble of the bank's
        assert Payment.objects.filter(state="failed", decline_code="processing_error").exists()
        life.every_euro_is_right()
    finally:
        life.teardown()


def test_whatever_happens_every_euro_is_right(till: Till) -> None:
    run_state_machine_as_test(
        lambda: Life(till),
        settings=hypothesis_settings(
            max_examples=3, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )  # fmt: skip
