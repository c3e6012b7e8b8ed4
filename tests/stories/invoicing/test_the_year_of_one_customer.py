"""As a provider I can follow one customer through a whole year, day by day, and every document, every cent of the books
and every letter is what a person reckons by hand (INV-1, INV-2, INV-5..INV-8, INV-11, INV-14, SUB-3, SUB-5, SUB-6,
SUB-7, SUB-12, SRV-5, SRV-6).

Each morning at nine, Paris time, over both changes of the clocks, every sweep of the schedule runs once. All figures
are cents; VAT is 20 % of each document's net, rounded once. VPS S costs 5.90 a month with 1 TB of traffic, VPS M 11.90
with 2 TB, the address more 2.00, traffic beyond that 1.30 a GB.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from invoicing.accounting import ledger, reconciling
from invoicing.chasing import late
from invoicing.chasing.late_rules import HalfYear
from invoicing.funding import topping_up
from invoicing.issuing import invoices
from invoicing.models import Invoice, Payment, Reminder, Settlement, Subscription, SubscriptionPeriod, Suspension
from invoicing.paying import card_setup
from invoicing.subscribing import changes, ending
from invoicing.subscribing.changes import Wish
from invoicing.subscribing.leaving import Wishes
from panel import schedule
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.models import MailMessage
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World, paris

pytestmark = [pytest.mark.django_db, pytest.mark.long]
GB = 10**9
OF_MONEY = ("invoicing.", "payments.")  # what happens by itself every day of this story; the rest at the end of a month
FIRST, RETURNED, LAST = date(2026, 1, 31), date(2026, 7, 15), date(2027, 2, 28)

# --- what is used: GB counted in the traffic month that begins on the day ---------------------------------------------
USED = {
    "2026-01-31": 1_012.5,  #     12.5 beyond the 1 000 of VPS S
    "2026-04-30": 3_000,  #       1 000 beyond the 2 000 of VPS M
    "2026-08-31": 2_300.004,  #   300.004 beyond
    "2027-01-31": 2_010.5,  #     10.5 beyond, until the end on 10 February
}

# --- the documents: number, day, due, net, VAT, total, lines ----------------------------------------------------------
# Due on issue (INV-14: 0 days); a statement of late payment five working days later (INV-9).
DOCUMENTS = [
    # 5.90 + 2.00
    ("F2026-000001", "2026-01-31", "2026-01-31", 790, 158, 948, [590, 200]),
    # and 12.5 GB x 1.30 = 16.25; 20 % of 24.15 = 4.83
    ("F2026-000002", "2026-02-28", "2026-02-28", 2415, 483, 2898, [590, 200, 1625]),
    # 10 March, VPS S -> M: 6.00 less 10/31 of it (1.935, so 1.94) = 4.06; 20 % = 0.812
    ("F2026-000003", "2026-03-10", "2026-03-10", 406, 81, 487, [406]),
    # 11.90 + 2.00; the 31st is back after February
    ("F2026-000004", "2026-03-31", "2026-03-31", 1390, 278, 1668, [1190, 200]),
    ("F2026-000005", "2026-04-30", "2026-04-30", 1390, 278, 1668, [1190, 200]),
    # and 1 000 GB x 1.30 = 1 300.00; 20 % of 1 313.90 = 262.78
    ("F2026-000006", "2026-05-31", "2026-05-31", 131390, 26278, 157668, [1190, 200, 130000]),
    ("F2026-000007", "2026-06-30", "2026-06-30", 1390, 278, 1668, [1190, 200]),
    # The debit of 31 May came on 3 June and went back on 15 July; it was paid on 20 July. 1 576.68 bore interest on 1
    # to 3 June at 3 x 2.62 = 7.86 %: 1 576.68 x 0.0786 x 3/365 = 1.0186; and on 16 to 20 July at 3 x 2.50 = 7.5 %:
    # 1 576.68 x 0.075 x 5/365 = 1.6199; together 2.6385; and 40.00. Due 27 July (21, 22, 23, 24, 27)
    ("L2026-000001", "2026-07-20", "2026-07-27", 4264, 0, 4264, [264, 4000]),
    ("F2026-000008", "2026-07-31", "2026-07-31", 1390, 278, 1668, [1190, 200]),
    ("F2026-000009", "2026-08-31", "2026-08-31", 1390, 278, 1668, [1190, 200]),
    # 10 September: 5.00 of the server of August are given back; 20 % = 1.00
    ("A2026-000001", "2026-09-10", "2026-09-10", 500, 100, 600, [500]),
    # and 300.004 GB x 1.30 = 390.0052; 20 % of 403.91 = 80.782
    ("F2026-000010", "2026-09-30", "2026-09-30", 40391, 8078, 48469, [1190, 200, 39001]),
    ("F2026-000011", "2026-10-31", "2026-10-31", 1390, 278, 1668, [1190, 200]),
    ("F2026-000012", "2026-11-30", "2026-11-30", 1390, 278, 1668, [1190, 200]),
    ("F2026-000013", "2026-12-31", "2026-12-31", 1390, 278, 1668, [1190, 200]),
    # 15 January: a gesture of 1.00; both series begin anew with the year
    ("A2027-000001", "2027-01-15", "2027-01-15", 100, 20, 120, [100]),
    ("F2027-000001", "2027-01-31", "2027-01-31", 1390, 278, 1668, [1190, 200]),
    # 10 February, it ends and the code is kept: 25 % of 11.90 = 2.975; 20 % of 2.98 = 0.596
    ("F2027-000002", "2027-02-10", "2027-02-10", 298, 60, 358, [298]),
    # the traffic of its last days: 10.5 GB x 1.30 = 13.65; 20 % = 2.73
    ("F2027-000003", "2027-02-10", "2027-02-10", 1365, 273, 1638, [1365]),
]  # fmt: skip

# --- how each was settled: (means, cents) in order --------------------------------------------------------------------
SETTLED = {
    "F2026-000001": [("card", 948)],
    "F2026-000002": [("card", 2898)],
    "F2026-000003": [("card", 487)],
    "F2026-000004": [("card", 1668)],
    "F2026-000005": [("sepa", 1668)],  # the card was refused three times, then came the mandate
    "F2026-000006": [("sepa", 157668), ("returned", -157668), ("funds", 157668)],
    "F2026-000007": [("sepa", 1668)],
    "L2026-000001": [("funds", 4264)],
    "F2026-000008": [("funds", 1668)],
    "F2026-000009": [("funds", 1668), ("credit_note", 600)],  # paid already: 6.00 go to the funds
    "F2026-000010": [("funds", 35332), ("sepa", 13137)],
    "F2026-000011": [("sepa", 1668)],
    "F2026-000012": [("sepa", 1668)],
    "F2026-000013": [("sepa", 1668), ("credit_note", 120)],
    "F2027-000001": [("funds", 120), ("sepa", 1548)],
    "F2027-000002": [("sepa", 358)],
    "F2027-000003": [("sepa", 1638)],
}

# --- the books at nine on the last day of each month: debits less credits ---------------------------------------------
# customers 411, funds 4191, sales 706, VAT 44571, late payment 763, on its way from the provider 5117
CODES = (ledger.CUSTOMERS, ledger.FUNDS, ledger.SALES, ledger.VAT, ledger.LATE_PAYMENT, ledger.CLEARING)
BOOKS = {
    "2026-01": (0, 0, -790, -158, 0, 948),
    "2026-02": (0, 0, -3205, -641, 0, 3846),  #            + 28.98 by card
    "2026-03": (0, 0, -5001, -1000, 0, 6001),  #           + 4.87 + 16.68
    "2026-04": (1668, 0, -6391, -1278, 0, 6001),  #        16.68 refused
    "2026-05": (157668, 0, -137781, -27556, 0, 7669),  #   16.68 by debit; 1 576.68 with the bank
    "2026-06": (1668, 0, -139171, -27834, 0, 165337),  #   + 1 576.68 by debit; 16.68 with the bank
    # + 16.68, - 1 576.68 returned, + 2 000.00 added: 2 093.37; of the funds 1 576.68, 42.64 and 16.68 are spent
    "2026-07": (0, -36400, -140561, -28112, -4264, 209337),
    "2026-08": (0, -34732, -141951, -28390, -4264, 209337),  # 16.68 from the funds
    # 6.00 into the funds (353.32), all of them spent on 484.69: 131.37 with the bank
    "2026-09": (13137, 0, -181842, -36368, -4264, 209337),
    "2026-10": (1668, 0, -183232, -36646, -4264, 222474),
    "2026-11": (1668, 0, -184622, -36924, -4264, 224142),
    "2026-12": (1668, 0, -186012, -37202, -4264, 225810),
    "2027-01": (1548, 0, -187302, -37460, -4264, 227478),  # 1.20 into the funds and out of them
    "2027-02": (0, 0, -188965, -37793, -4264, 231022),  #    + 15.48 + 3.58 + 16.38: nothing is left open
}

# --- the letters about money that stayed away -------------------------------------------------------------------------
LETTERS = [
    ("2026-04-30", "payment_refused"),  # tried again after 3 and after 5 days (INV-5)
    ("2026-05-01", "reminder_first"),  # 1, 7 and 12 days late (INV-14)
    ("2026-05-03", "payment_refused"),  # the second one: 30 days for another means (INV-7)
    ("2026-05-07", "reminder_again"),
    ("2026-05-08", "payment_refused"),
    ("2026-05-12", "reminder_last"),
    ("2026-07-15", "payment_returned"),
    ("2026-07-15", "reminder_first"),  # the days on which it was paid do not count: 1, 2 June and today
    ("2026-07-19", "reminder_again"),
]


@dataclass
class Year:
    """What the customer, staff and the bank do, each on its day."""

    world: World
    shop: Shop
    till: Till
    alice: Customer
    sam: Actor

    @property
    def row(self) -> Subscription:
        return Subscription.objects.select_related("account", "package").get(account=self.alice.account)

    @property
    def asked(self) -> dict[str, Any]:
        return {"actor": self.alice.actor, "now": self.world.now}

    def invoice(self, number: str) -> Invoice:
        return Invoice.objects.get(number=number)

    def order(self) -> None:
        """A card is typed at the provider's page, and kept."""
        self.till.buy(self.alice, package="vps-s", addresses=1, keep=True)

    def upgrade(self) -> None:
        changes.change(self.row, Wish("vps-m", "month", {"vps-address": 1}), key="upgrade", **self.asked)

    def card_runs_dry(self) -> None:
        self.till.bank.control("mischief", kind="decline", value="insufficient_funds", times=3)

    def sign_mandate(self) -> None:
        setup = card_setup.begin(
            self.alice.account, return_url="http://testserver/billing/means/?back=1", key="sepa", kind="sepa",
            **self.asked,
        )  # fmt: skip
        self.world.work()
        setup.refresh_from_db()
        person.sign_mandate(setup.action_url, person.IBAN)
        card_setup.came_back(setup, now=self.world.now)
        self.world.work()

    def rate_is_published(self) -> None:
        late.set_rate(HalfYear(2026, 2), Decimal("2.50"), source="order", actor=self.sam, now=self.world.now)

    def debit_returns(self) -> None:
        payment = Payment.objects.get(invoice__number="F2026-000006")
        self.till.bank.control("dispute", payment=payment.provider_ref, reason="debit_not_authorized", lost=True)

    def add_funds_and_pay(self) -> None:
        payment = topping_up.begin(
            self.alice.account, 200_000, key="funds", return_url="http://testserver/REFERENCE/", **self.asked
        )
        self.world.work()
        payment.refresh_from_db()
        self.till.pay(payment)
        self.till.deliver()
        self.world.work()
        topping_up.pay_invoice(self.invoice("F2026-000006"), **self.asked)

    def pay_statement(self) -> None:
        topping_up.pay_invoice(self.invoice("L2026-000001"), **self.asked)

    def give_back(self, number: str, cents: int) -> None:
        invoices.credit(self.invoice(number), [cents, 0], reason="A gesture", actor=self.sam, now=self.world.now)

    def leave(self) -> None:
        ending.end_now(self.row, Wishes(keeps_code=True), **self.asked)


def deeds(year: Year) -> dict[str, Callable[[], None]]:
    """What is done before the sweeps of a day run."""
    return {
        "2026-01-31": year.order,
        "2026-03-10": year.upgrade,
        "2026-04-29": year.card_runs_dry,
        "2026-05-15": year.sign_mandate,
        "2026-07-01": year.rate_is_published,
        "2026-07-15": year.debit_returns,
        "2026-07-20": year.add_funds_and_pay,
        "2026-07-22": year.pay_statement,
        "2026-09-10": lambda: year.give_back("F2026-000009", 500),
        "2027-01-15": lambda: year.give_back("F2026-000013", 100),
        "2027-02-10": year.leave,
    }


@pytest.fixture
def world() -> World:
    return World("2026-01-31 09:00")


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


@pytest.fixture
def year(world: World, shop: Shop, till: Till) -> Year:
    shop.service.used = {date.fromisoformat(day): int(gb * GB) for day, gb in USED.items()}
    return Year(world, shop, till, world.customer(siren="552100554"), world.staff("billing"))


def books() -> tuple[int, ...]:
    return tuple(ledger.balance(code) for code in CODES)


def live_through(year: Year) -> dict[str, tuple[int, ...]]:
    """Every day of it; the books as each month left them."""
    done, day, found = deeds(year), FIRST, {}
    while day <= LAST:
        year.world.now = paris(f"{day} 09:00")
        year.till.sync()
        done.get(day.isoformat(), lambda: None)()
        year.till.deliver()
        year.world.work()
        month_ends = (day + timedelta(days=1)).day == 1
        for name in schedule.SWEEPS:
            if name.startswith(OF_MONEY) or month_ends:
                year.world.sweep(name)
        year.world.work()
        assert ledger.total() == 0
        queue = [(op.kind, op.payload.get("why", op.last_error)) for op in year.world.failed_operations()]
        assert queue == ([("payments.judge", "disputed")] if day >= RETURNED else []), day
        if month_ends:
            found[f"{day:%Y-%m}"] = books()
        day += timedelta(days=1)
    return found


def test_every_document_every_balance_and_every_letter_of_a_year(year: Year) -> None:
    assert live_through(year) == BOOKS
    _the_documents_are_those_reckoned_by_hand()
    _each_was_settled_as_told()
    _the_letters_came_on_their_days()
    _its_periods_tile_the_year(year)
    _the_debt_led_to_no_suspension()
    assert invoices.verify() == []
    assert not reconciling.open_ones().exists()
    year.till.booked()


def _the_documents_are_those_reckoned_by_hand() -> None:
    found = [
        (row.number, str(row.issued_on), str(row.due_on), row.net_cents, row.vat_cents, row.total_cents,
         [line.net_cents for line in row.lines.all()])
        for row in Invoice.objects.order_by("pk")
    ]  # fmt: skip
    assert found == DOCUMENTS
    for row in Invoice.objects.exclude(kind="credit_note"):
        assert (row.state, row.due_cents) == ("paid", 0), row.number
        assert row.document["total_cents"] == row.total_cents
        assert row.pdf is not None


def _each_was_settled_as_told() -> None:
    found: dict[str, list[tuple[str, int]]] = {}
    for row in Settlement.objects.select_related("invoice").order_by("pk"):
        found.setdefault(row.invoice.number, []).append((row.means, row.cents))
    assert found == SETTLED


def _the_letters_came_on_their_days() -> None:
    about = {name for _day, name in LETTERS} | {"means_rejected"}
    rows = MailMessage.objects.filter(template__in=about).order_by("pk")
    assert [(str(paris_date(row.created_at)), row.template) for row in rows] == LETTERS
    assert list(Reminder.objects.order_by("pk").values_list("invoice__number", "stage", "days_late")) == [
        ("F2026-000005", 1, 1), ("F2026-000005", 2, 7), ("F2026-000005", 3, 12),
        ("F2026-000006", 1, 3), ("F2026-000006", 2, 7),
    ]  # fmt: skip


def _its_periods_tile_the_year(year: Year) -> None:
    """From the 31st or the last day of a shorter month to the next, without hole or overlap."""
    days = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31",
            "2026-08-31", "2026-09-30", "2026-10-31", "2026-11-30", "2026-12-31", "2027-01-31",
            "2027-02-28"]  # fmt: skip
    rows = SubscriptionPeriod.objects.order_by("start")
    assert [(str(row.start), str(row.end)) for row in rows] == list(pairwise(days))
    assert (year.row.state, year.row.next_due_on) == ("terminated", None)
    assert [what for what, _ref in year.shop.service.done] == ["provision", "change", "terminate"]


def _the_debt_led_to_no_suspension() -> None:
    """SRV-6: the overage of May was unpaid on 8 days, not on more than 15: those on which it was paid do not count."""
    assert not Suspension.objects.exists()
