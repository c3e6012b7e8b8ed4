"""A list costs the same number of queries with thirty rows as with three: nothing is asked row by row."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from abuse.models import Case
from invoicing import selectors
from invoicing.accounting import ledger
from invoicing.banking import bank_files
from invoicing.chasing import pausing
from invoicing.consuming.usage_views import DRAWN_UP
from invoicing.issuing import charging
from invoicing.models import Invoice, MoneyDifference, Option, Payment, Subscription, TopUp
from invoicing.offering import catalogue
from invoicing.paying import settlement
from invoicing.quoting import quotes
from panel import terms
from panel.core import keyset, mail, operations
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date
from panel.core.events import record
from panel.core.models import Operation
from servers.providers.simulated.control import Control
from tests.support.bank_statement import statement
from tests.support.desk import Desk
from tests.support.machines import server_of, simulated_place
from tests.support.personas import logged_in, staff
from tests.support.world import World

pytestmark = pytest.mark.django_db
FEW, MANY = 3, 12


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


def queries(client: Client, path: str) -> int:
    client.get(path)  # whatever is cached in the process is cached now
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(path)
    assert response.status_code == 200
    return len(captured)


def same_cost(client: Client, path: str, more: Callable[[int], object]) -> None:
    for number in range(FEW):
        more(number)
    few = queries(client, path)
    for number in range(FEW, MANY):
        more(number)
    assert queries(client, path) <= few, f"{path} asks more for more rows"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(staff(world, "administrator"))


def test_dunning(world: World, console: Client) -> None:
    version = terms.current(world.now)

    def more(number: int) -> None:
        customer = world.customer(f"Customer{number}")
        made = charging.charge(
            customer.account, 9000, description_key="address_blocklisted", because=customer.account, rule="ABU-7",
            once=f"fee-{number}", terms_version=version.name, now=world.now,
        )  # fmt: skip
        Invoice.objects.filter(pk=made.invoice_id).update(state="overdue", overdue_at=world.now)
        pausing.stop(made.invoice, pausing.CASE, now=world.now)

    same_cost(console, "/ops/dunning/", more)
    total = console.get("/ops/dunning/?page=9").context["total"]
    assert (total.count, total.cents) == (MANY, sum(one.due_cents for one in Invoice.objects.all()))


def test_what_a_customer_owes(world: World) -> None:
    """The overview sums all that is open and lists the first of it."""
    alice, version = world.customer(), terms.current(world.now)
    client = logged_in(alice.user, alice.account)

    def more(number: int) -> None:
        made = charging.charge(
            alice.account, 9000, description_key="address_blocklisted", because=alice.account, rule="ABU-7",
            once=f"fee-{number}", terms_version=version.name, now=world.now,
        )  # fmt: skip
        if number % 2:
            Invoice.objects.filter(pk=made.invoice_id).update(state="overdue", overdue_at=world.now)

    same_cost(client, "/billing/", more)
    found = client.get("/billing/").context["overview"]
    owed = {one.number: one.due_cents for one in Invoice.objects.all()}
    late = sum(one.due_cents for one in Invoice.objects.filter(state="overdue"))
    assert (found.due_cents, found.overdue_cents, found.unpaid_count) == (sum(owed.values()), late, MANY)
    assert len(found.unpaid) == selectors.SHORT
    assert f"All {MANY} open invoices" in client.get("/billing/").content.decode()


def test_operations(world: World, console: Client) -> None:
    def more(number: int) -> None:
        with transaction.atomic():
            op = operations.enqueue("mail.send", key=f"op-{number}", now=world.now, payload={"template": "x"})
        Operation.objects.filter(pk=op.pk).update(state="failed", finished_at=world.now)

    same_cost(console, "/ops/operations/?state=failed", more)


def test_customers(world: World, console: Client) -> None:
    same_cost(console, "/ops/customers/", lambda number: world.customer(f"Customer{number}"))


def test_outgoing_mail(world: World, console: Client) -> None:
    def more(number: int) -> None:
        with transaction.atomic():
            mail.send_text("test", to="a@example.org", title="t", body="b", now=world.now, key=f"mail-{number}")

    same_cost(console, "/ops/mail/", more)


def test_journal(world: World, console: Client) -> None:
    def more(number: int) -> None:
        customer = world.customer(f"Customer{number}")
        with transaction.atomic():
            record("accounts.account.changed", now=world.now, actor=customer.actor, account_id=customer.account.pk)
            record("accounts.account.changed", now=world.now, actor=SYSTEM)

    same_cost(console, "/ops/audit/", more)


def test_contacts_and_dashboard(world: World) -> None:
    alice = world.customer()
    client = logged_in(alice.user, alice.account)
    same_cost(client, "/contacts/", lambda number: world.contact(alice, ["see"], name=f"Contact{number}"))
    same_cost(client, "/", lambda number: world.contact(alice, ["see"], name=f"Other{number}"))


def test_dashboard_with_servers(world: World, cloud: Control) -> None:
    alice = world.customer()
    client = logged_in(alice.user, alice.account)
    for number in range(2):
        server_of(world, alice, name=f"web-{number}")
    few = queries(client, "/")
    for number in range(2, 5):
        server_of(world, alice, name=f"web-{number}")
    assert queries(client, "/") <= few


def test_addresses(world: World, cloud: Control, console: Client) -> None:
    alice = world.customer()
    client = logged_in(alice.user, alice.account)

    def more(number: int) -> None:
        server_of(world, alice, name=f"web-{number}", options={"vps-address": 1})

    same_cost(client, "/addresses/", more)
    pools = queries(console, "/ops/addresses/")
    more(MANY)
    assert queries(console, "/ops/addresses/") <= pools


def test_subscriptions(world: World, cloud: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of services and prices of options are asked once a page; every subscription is within reach."""
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    alice = world.customer()
    catalogue.install_catalogue()
    client, path = logged_in(alice.user, alice.account), "/services/subscriptions/"

    def more(count: int) -> None:
        for number in range(count):
            row = server_of(world, alice, name=f"web-{world.now:%d}-{number}").subscription
            row.options.create(
                option=Option.objects.get(code="vps-address"), account=alice.account, quantity=1, price_cents=200,
                since=row.period_start,
            )  # fmt: skip

    more(2)
    few = queries(client, path)
    more(3)
    assert queries(client, path) <= few
    assert "web-" in client.get(path).content.decode()
    rows = Subscription.objects.all()
    same = {one.attname: getattr(rows[0], one.attname) for one in Subscription._meta.concrete_fields}
    del same["id"], same["order_id"]
    for number in range(keyset.SIZE):
        Subscription.objects.create(**same | {"reference": f"S-{number:06}", "next_due_on": same["period_end"]})
    seen, query = 0, "?"
    while query:
        page = client.get(path + query).content.decode()
        seen += page.count('<th scope="row">')
        older = re.search(r'href="([?]after=[0-9]+)" rel="next"', page)
        query = older[1] if older else ""
    assert seen == keyset.SIZE + 5
    drawn_up = client.get("/billing/next/")
    assert len(drawn_up.context["found"]) == DRAWN_UP
    assert "page=2" in drawn_up.content.decode()


def test_funds_and_payments(world: World, console: Client) -> None:
    alice = world.customer()
    client = logged_in(alice.user, alice.account)

    def more(number: int) -> None:
        with transaction.atomic():
            settlement.to_funds(settlement.lock_account(alice.account.pk), 1_000, ref=f"gift:{number}", now=world.now)
        top_up = TopUp.objects.create(
            reference=f"TOP-{number}", account=alice.account, key=f"t{number}", amount_cents=1_000, asked_at=world.now
        )
        Payment.objects.create(
            reference=f"PAY-{number}", account=alice.account, top_up=top_up, key=f"p{number}", amount_cents=1_000,
            provider="stripe", created_at=world.now,
        )  # fmt: skip

    same_cost(client, "/billing/funds/", more)
    same_cost(console, "/ops/payments/", lambda number: more(100 + number))


def test_bank_transfers(world: World, console: Client) -> None:
    actor = world.staff("billing")

    def more(number: int) -> None:
        raw = statement((100 + number, "no reference"), prefix=f"B{number}-")
        bank_files.take_in(raw, name=f"{number}.xml", actor=actor, now=world.now)
        world.work()

    same_cost(console, "/ops/bank/", more)


def test_my_work(world: World, console: Client) -> None:
    def more(number: int) -> None:
        with transaction.atomic():
            op = operations.enqueue("core.deliver", key=f"op-{number}", now=world.now - timedelta(hours=1))
        Operation.objects.filter(pk=op.pk).update(state="failed", finished_at=world.now)

    for number in range(FEW):
        more(number)
    few = queries(console, "/ops/")
    for number in range(FEW, 2 * FEW):
        more(number)
    assert queries(console, "/ops/") <= few + 1  # beyond the rows shown, one count


def test_quotes(world: World, console: Client) -> None:
    alice = world.customer()

    def more(number: int) -> None:
        asked = {"now": world.now, "actor": SYSTEM}
        quote = quotes.draw_up(
            alice.account, f"Quote {number}", valid_until=paris_date(world.now), our_manager="", **asked
        )
        quotes.add_line(quote, "Work", quantity=Decimal(1), unit_price=Decimal(10))
        quotes.send(quote, **asked)

    same_cost(console, "/ops/quotes/", more)
    same_cost(logged_in(alice.user, alice.account), "/billing/quotes/", lambda number: more(number + MANY))


def test_infringement_notices(world: World, cloud: Control) -> None:
    """A page at a time, and every one of them within reach: nothing is cut off at some number."""
    alice = world.customer()
    case = Desk(world).case(server_of(world, alice))
    client = logged_in(alice.user, alice.account)

    def copy(row: Any, **changes: Any) -> Any:
        same = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name != "id"}
        return type(row).objects.create(**same | changes)

    def more(number: int) -> None:
        ticket = copy(case.ticket, number=f"REQ-{number:08}")
        copy(case, reference=f"CASE-{number:08}", closed_at=world.now, due_at=None, ticket_id=ticket.pk)

    path = "/support/cases/"
    same_cost(client, path, more)
    for number in range(MANY, 2 * keyset.SIZE + 5):
        more(number)
    seen, query = 0, "?"
    while query:
        page = client.get(path + query).content.decode()
        seen += page.count('<th scope="row">')
        older = re.search(r'href="([?]after=[0-9]+)" rel="next"', page)
        query = older[1] if older else ""
    assert seen == Case.objects.count() == 2 * keyset.SIZE + 6


def test_ledger_and_reconciliation(world: World, console: Client) -> None:
    def more(number: int) -> None:
        customer = world.customer(f"Customer{number}")
        with transaction.atomic():
            ledger.post(
                "payment", f"PAY-{number}", [ledger.debit(ledger.CLEARING, 5), ledger.credit(ledger.CUSTOMERS, 5)],
                now=world.now, account=customer.account,
            )  # fmt: skip
        MoneyDifference.objects.create(
            kind="payment_not_booked", ref=f"PAY-{number}", first_seen=world.now, last_seen=world.now
        )

    for number, path in enumerate(("/ops/ledger/accounts/411000/", "/ops/ledger/reconciliation/", "/ops/ledger/")):
        same_cost(console, path, lambda each, start=100 * number: more(start + each))  # type: ignore[misc]
