"""What holds of collecting whatever happens (INV-5, INV-8, OPR-3): drawn at random, on both databases.

Invariant 21: late interest is the sum of its days, each at the rate of its half-year on what was owed then, rounded
once however often it is stated; nothing from consumers, nothing in time, EUR 40 once. 23: no debit without a mandate
that is in force and in use, announced early enough, on a day on which banks work.
"""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import holidays
import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from invoicing.chasing import late
from invoicing.chasing.late_rules import HalfYear
from invoicing.debiting import batches, debits
from invoicing.models import Debit, DebitBatch, DebitNotice, Invoice, InvoiceLine, Mandate
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.models import MailMessage
from tests.stories.invoicing.test_invariants_of_documents import undone
from tests.stories.invoicing.test_paying_late_costs_a_business import owe
from tests.support.debiting import RENEWED, signed
from tests.support.owing import SWEEPS, transfer
from tests.support.shop import Shop
from tests.support.truths import half_up
from tests.support.world import World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
some = hypothesis_settings(
    max_examples=3, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

# --- 21: late payment -------------------------------------------------------------------------------------------------
FIRST_HALF, SECOND_HALF = Decimal("2.62"), Decimal("3.10")
PARTS = st.lists(st.tuples(st.integers(0, 120), st.sampled_from([0, 7_777, 25_000])), max_size=5)
OWED = 100_000


@some
@given(st.sampled_from(["business", "business", "consumer"]), PARTS, st.integers(0, 130))
@example("business", [(0, 25_000), (30, 0), (31, 7_777), (60, 0)], 0)
@example("consumer", [(40, 0)], 90)
def test_interest_is_the_sum_of_its_days(
    world: World, shop: Shop, kind: str, parts: list[tuple[int, int]], last: int
) -> None:
    """Part payments, and sweeps between them, on any days of two half-years; then all of the rest."""
    with undone():
        world.now = paris("2026-05-20 09:00")
        late.set_rate(HalfYear(2026, 2), SECOND_HALF, source="the story", actor=world.staff("billing"), now=world.now)
        customer = world.customer(kind=kind)
        invoice, due, paid = owe(world, customer), paris_date(world.now), dict[int, int]()
        for gone, cents in [*sorted(part for part in parts if part[0] < last), (last, OWED)]:
            world.until(paris(f"{due + timedelta(days=gone)} 09:00"), sweeps=SWEEPS)
            invoice.refresh_from_db()
            if cents:
                cents = min(cents, invoice.due_cents)
                paid[gone] = paid.get(gone, 0) + cents
                transfer(world, invoice, cents)
                world.sweep("invoicing.dun")
        world.advance(days=45, sweeps=SWEEPS)
        claimed = InvoiceLine.objects.filter(invoice__kind="statement", invoice__account=customer.account)
        interest = sum(claimed.filter(code="late:interest").values_list("net_cents", flat=True))
        recovery = list(claimed.filter(code="late:recovery").values_list("net_cents", flat=True))
        wanted = Fraction(0)
        for gone in range(1, last + 1):
            percent = FIRST_HALF if due + timedelta(days=gone) < date(2026, 7, 1) else SECOND_HALF
            owed = OWED - sum(cents for at, cents in paid.items() if at < gone)
            wanted += owed * Fraction(percent) / 100 * 3 / 365
        business = kind == "business" and last > 0
        assert (interest, recovery) == ((half_up(wanted), [4_000]) if business else (0, []))


# --- 23: debits -------------------------------------------------------------------------------------------------------
CLOSED = holidays.financial_holidays("XECB", years=range(2026, 2031))
TENDED = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 9, 14, 31, 31, 40]),
        st.sampled_from(["file", "file", "hand over", "end", "sign", "slow"]),
    ),
    min_size=3, max_size=8,
)  # fmt: skip


@some
@given(TENDED)
@example([(31, "end"), (14, "file"), (1, "sign"), (31, "file"), (14, "file"), (1, "hand over")])
@example([(31, "sign"), (9, "slow"), (1, "file"), (14, "file")])
@example([(31, "file"), (1, "hand over"), (31, "file"), (1, "end"), (1, "hand over"), (1_100, "file"), (3, "file")])
def test_nothing_is_debited_without_leave_and_notice(world: World, shop: Shop, deeds: list[tuple[int, str]]) -> None:
    """Renewals, files, mandates that end and are signed anew, mail that is taken late, and years in which nothing is
    collected."""
    with undone():
        world.now = paris("2026-03-02 09:00")
        alice, staff = world.customer(), world.staff("billing")
        shop.buy(alice)
        mandate = signed(world, alice)
        for number, (days, deed) in enumerate(deeds):
            world.advance(days=days, sweeps=RENEWED)
            world.work()
            mandate.refresh_from_db()
            try:
                _tend(deed, world, mandate, staff, f"k{number}")
            except RuleViolation:
                continue  # no file, or none that may still be handed over
            if deed == "sign" and mandate.state != "active":
                mandate = signed(world, alice)
            for batch in DebitBatch.objects.filter(made_at=world.now):
                _may_be_debited(batch, shop)


def _tend(deed: str, world: World, mandate: Mandate, staff: Any, key: str) -> None:
    today = paris_date(world.now)
    if deed == "end":
        debits.end_mandate(mandate, "cancelled", now=world.now)
    elif deed == "file":
        batches.make(key=key, until=today + timedelta(days=20), actor=staff, now=world.now)
    elif deed == "slow":  # the mail server took the notices only now
        told = DebitNotice.objects.filter(debit__state="announced")
        MailMessage.objects.filter(pk__in=told.values("mail")).update(accepted_at=world.now)
    elif deed == "hand over":
        for batch in DebitBatch.objects.filter(state="made"):
            ended = [one for one in batch.debits.select_related("mandate") if one.mandate.state != "active"]
            batches.hand_over(batch, actor=staff, now=world.now)
            assert not ended, "a file with a mandate that ended stays here"
    world.work()


def _may_be_debited(batch: DebitBatch, shop: Shop) -> None:
    made_on = paris_date(batch.made_at)
    assert batch.debits.exists()
    for debit in batch.debits.select_related("mandate", "invoice"):
        mandate, day = debit.mandate, debit.debit_on
        assert mandate.signed_at is not None
        assert mandate.signed_at <= batch.made_at
        assert mandate.ended_at is None or mandate.ended_at > batch.made_at
        used = Debit.objects.filter(mandate=mandate, batch__made_at__lt=batch.made_at).order_by("-debit_on").first()
        since = used.debit_on if used else paris_date(mandate.signed_at)
        assert day < since.replace(year=since.year + 3), "36 months without a collection"
        notice = debit.notices.order_by("-told_at")[0]
        assert (notice.cents, notice.debit_on) == (debit.cents, day)
        assert notice.mail.accepted_at is not None
        assert (day - paris_date(notice.mail.accepted_at)).days >= 14
        assert day > made_on
        assert day.weekday() < 5
        assert day not in CLOSED
        assert Invoice.objects.get(pk=debit.invoice_id).due_cents == debit.cents
