"""With two hundred thousand invoices the lists ask what they asked with a few, and no question reads them all."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import seeding
from invoicing.accounting import ledger
from invoicing.models import Entry, Invoice, InvoiceLine, LedgerAccount, NumberSeries, Posting, Zero
from panel.accounts.models import Account
from tests.pages.test_lists_stay_fast import queries
from tests.support.personas import logged_in, staff
from tests.support.world import Customer, World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
INVOICES, ACCOUNTS = 200_000, 20_000
LARGE = {"invoicing_invoice", "invoicing_invoiceline", "invoicing_posting", "invoicing_entry"}
ISSUED = "timestamptz '2026-01-05 10:00+00' + n * interval '1 minute'"


@pytest.fixture
def world() -> World:
    return World("2026-06-30 10:00")


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def many(world: World, alice: Customer) -> None:
    """Ten invoices of each account, ten of them Alice's, laid straight into the tables."""
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    Zero.objects.get_or_create(pk=0)
    first = alice.account.pk
    seeding.fill(
        Account, ACCOUNTS, id=f"{first} + n", reference=seeding.reference("ACC"), kind="'business'",
        name="'Owner ' || n", company="'Company ' || n", billing_email="'o' || n || '@c.example'",
        created_at="now() - interval '90 days'",
    )  # fmt: skip
    series = NumberSeries.objects.create(entity="MANY", prefix="F", year=2026, last_number=INVOICES)
    account = f"{first} + n %% {ACCOUNTS}"
    seeding.fill(
        Invoice, INVOICES, number="'F2026-' || lpad(n::text, 6, '0')", series=str(series.pk), position="n",
        account=account, issued_at=ISSUED, issued_on=f"({ISSUED})::date", due_on=f"({ISSUED})::date + 10",
        state="CASE WHEN n %% 50 = 0 THEN 'open' ELSE 'paid' END",
        paid_cents="CASE WHEN n %% 50 = 0 THEN 0 ELSE 708 END",
        net_cents="590", vat_cents="118", total_cents="708", terms_version=f"'{seeding.TERMS}'", once="'many:' || n",
        document="""'{"language": "en"}'""", previous_hash="md5('h' || n - 1)", hash="md5('h' || n)", unlisted="0",
    )  # fmt: skip
    seeding.fill(
        InvoiceLine, INVOICES, invoice="n", account=account, position="0", code="'vps-s'", rule="'SUB-5'",
        description="'VPS S - web-' || n", quantity="1", unit_price="5.90", net_cents="590", vat_code="'S'",
        vat_rate="20",
    )  # fmt: skip
    seeding.fill(
        Entry, INVOICES, kind="'invoice'", ref="'F2026-' || lpad(n::text, 6, '0')", account=account, booked_at=ISSUED,
        booked_on=f"({ISSUED})::date",
    )  # fmt: skip
    customers = LedgerAccount.objects.create(code=ledger.CUSTOMERS, name="Customers")
    seeding.fill(Posting, INVOICES, entry="n", ledger_account=str(customers.pk), account=account, cents="708")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
        for table in ("accounts_account", *sorted(LARGE)):
            cursor.execute(f"ANALYZE {table}")


def read_whole(asked: list[dict[str, Any]]) -> set[str]:
    """Which of the large tables the plans of these questions read from end to end."""
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            found.add(node["Relation Name"])
        for below in node.get("Plans", ()):
            look(below)

    with connection.cursor() as cursor:
        for each in asked:
            if each["sql"].startswith("SELECT"):
                cursor.execute("EXPLAIN (FORMAT JSON) " + each["sql"].replace("%", "%%"), ())
                plans = cursor.fetchone()[0]
                for plan in json.loads(plans) if isinstance(plans, str) else plans:
                    look(plan["Plan"])
    return found


def paths(customer: Customer, *, ours: bool) -> list[str]:
    if not ours:
        return ["/billing/", "/billing/invoices/", "/billing/invoices/?state=open", "/billing/invoices/?q=SUB-5",
                "/billing/statement/?from=2026-01-01"]  # fmt: skip
    lists = ["", "?after=100000", "?state=open", "?q=F2026-1234", "?q=77"]
    statement = f"/ops/customers/{customer.account.reference}/statement/?from=2026-01-01"
    return [*(f"/ops/invoices/{asked}" for asked in lists), "/palette/?q=F2026-0012", statement]


def test_lists_search_and_statement(world: World, alice: Customer, request: pytest.FixtureRequest) -> None:
    customer, console = Client(), logged_in(staff(world, "administrator"))
    customer.force_login(alice.user)
    asked = [(who, path) for who, ours in ((customer, False), (console, True)) for path in paths(alice, ours=ours)]
    few = {path: queries(who, path) for who, path in asked}
    request.getfixturevalue("many")
    for who, path in asked:
        with CaptureQueriesContext(connection) as captured:
            page = who.get(path)
        assert page.status_code == 200
        assert len(captured) <= few[path] + GROWN, path
        assert read_whole(captured.captured_queries) == set(), path


GROWN = 3  # questions that an empty list did not have to ask
