"""The billing run over 10,000 accounts, against the least that its rows cost PostgreSQL.

The product is the clock's run as it stands: every subscription rated, numbered, frozen, chained, booked, told and owed
its PDF, in transactions of 500, each one answered for. The floor writes as many rows of the same size into the same
tables, with their indexes, foreign keys and triggers, by one INSERT .. SELECT of constants a table, and commits once.
Neither rates anything twice: a second run finds nothing to do, and one that is killed is finished by the next.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench import measure, seeding, stage

ACCOUNTS = 10_000
ROUNDS = 3
GB = 10**9
DAY, NOON = "2026-06-15", "2026-06-15T10:00:00+00:00"  # when everything falls due
MONTH = "2026-05-15"
RUN = "from bench import bench_billing; bench_billing.alone()"


def customers() -> None:
    """Businesses with one server each, beyond its volume, whose month ends on DAY."""
    from django.db import connection, transaction

    from invoicing.models import Package, Subscription
    from invoicing.offering import catalogue
    from panel.accounts.models import Account
    from servers.models import Address, AddressHolding, Meter, Server, TrafficMonth

    catalogue.install_catalogue()
    package = Package.objects.get(code="vps-s")
    began = "timestamptz '2026-01-15 12:00+00'"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        seeding.fill(
            Account, ACCOUNTS, reference=seeding.reference("ACC"), kind="'business'", name="'Owner ' || n",
            company="'Company ' || n || ' SAS'", siren="(700000000 + n)::text", street="'1 rue de la Paix'",
            postcode="'75002'", city="'Paris'", billing_email="'owner' || n || '@customer.example'",
            language="CASE WHEN n %% 2 = 0 THEN 'fr' ELSE 'en' END", created_at=began,
        )  # fmt: skip
        seeding.fill(
            Subscription, ACCOUNTS, reference=seeding.reference("SUB"), account="n", package=str(package.pk),
            service_kind="'vps'", interval="'month'", price_cents="590", anchor_on="date '2026-01-15'",
            period_start=f"date '{MONTH}'", period_end=f"date '{DAY}'", usage_from=f"date '{MONTH}'",
            next_due_on=f"date '{DAY}'", terms_version=f"'{seeding.TERMS}'", started_at=began,
        )  # fmt: skip
        seeding.fill(
            Server, ACCOUNTS, reference=seeding.reference("SRV"), account="n", subscription="n",
            name="'web-' || n", state="'running'", place=f"'{seeding.PLACE}'", provider_ref="'vm-' || n",
            image="'debian-12'", size="'{}'", included_bytes=str(1000 * GB), ordered_at=began,
        )  # fmt: skip
        seeding.fill(Address, ACCOUNTS, ip="'10.0.0.0'::inet + n", place=f"'{seeding.PLACE}'", state="'held'")
        with seeding.exclusion_at_the_end(AddressHolding):
            seeding.fill(
                AddressHolding,
                ACCOUNTS,
                address="n",
                server="n",
                ordered_with="n",
                account="n",
                is_first="true",
                since=began,
            )
        seeding.fill(Meter, ACCOUNTS, server="n", account="n", at=f"timestamptz '{NOON}'")
        seeding.fill(
            TrafficMonth, ACCOUNTS, server="n", account="n", starts_on=f"date '{MONTH}'", ends_on=f"date '{DAY}'",
            rx_bytes=f"{1000 * GB} + n * 7919::bigint %% 1000 * 37000000", tx_bytes="n * 104729",
            included_bytes=str(1000 * GB),
        )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


# --- the product -----------------------------------------------------------------------------------------------------


def bill() -> None:
    """One look of the clock at everything that is due."""
    from datetime import datetime

    from invoicing.renewing import billing_runs

    report = billing_runs.by_clock(datetime.fromisoformat(NOON))
    if report.failed:
        raise RuntimeError(report.failed[:3])


def alone() -> None:
    """`bill` in a process of its own, to be killed."""
    import django

    django.setup()
    bill()


def killed_in_the_middle() -> int:
    """Starts the run in another process and kills it once a third is issued; how many invoices there are then."""
    from invoicing.models import Invoice

    child = subprocess.Popen([sys.executable, "-c", RUN], cwd=stage.ROOT)
    while Invoice.objects.count() < ACCOUNTS // 3 and child.poll() is None:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    return int(Invoice.objects.count())


# --- the floor -------------------------------------------------------------------------------------------------------


def written() -> list[Any]:
    """The models of the rows a run leaves, children before those whose sums they explain."""
    from invoicing.models import (
        BillingRun,
        BillingRunItem,
        Consumption,
        Entry,
        Invoice,
        InvoiceLine,
        NumberSeries,
        Posting,
        SubscriptionPeriod,
        Transmission,
    )  # fmt: skip
    from panel.core.models import Event, Operation

    return [NumberSeries, InvoiceLine, Invoice, Posting, Entry, Event, Operation, Consumption, SubscriptionPeriod,
            Transmission, BillingRun, BillingRunItem]  # fmt: skip


def emptied() -> None:
    """As it was before anything was billed, on tables as fresh as then."""
    from django.db import connection

    from invoicing.models import Subscription

    tables = ", ".join(model._meta.db_table for model in written())
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # or triggers keep the journal and the books
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        cursor.execute("RESET session_replication_role")
    Subscription.objects.update(
        period_start=MONTH, period_end=DAY, usage_from=MONTH, next_due_on=DAY, terms_version=seeding.TERMS
    )
    with connection.cursor() as cursor:
        cursor.execute(f"VACUUM FULL ANALYZE {Subscription._meta.db_table}")
        cursor.execute("CHECKPOINT")


OWN = {  # what tells the rows of a table from each other; everything else is copied from one real row
    "invoicing_invoice": {"number": "'G2026-' || lpad(n::text, 6, '0')", "position": "n",
                          "once": "'floor:subscription:' || n",
                          "previous_hash": "encode(sha256(('h' || n - 1)::bytea), 'hex')",
                          "hash": "encode(sha256(('h' || n)::bytea), 'hex')", "unlisted_id": "0"},
    "invoicing_invoiceline": {"invoice_id": "n"},
    "invoicing_entry": {"ref": "'G2026-' || lpad(n::text, 6, '0')"},
    "invoicing_posting": {"entry_id": "n"},
    "core_event": {"subject_id": "n"},
    "core_operation": {"key": "'floor:{place}:key:' || n", "subject_id": "n"},
    "invoicing_consumption": {"subscription_id": "n", "invoice_id": "n"},
    "invoicing_subscriptionperiod": {"subscription_id": "n", "invoice_id": "n"},
    "invoicing_transmission": {"invoice_id": "n"},
    "invoicing_billingrunitem": {"subscription_id": "n", "invoice_id": "n"},
}  # fmt: skip


def floor_statements() -> list[tuple[str, list[Any]]]:
    """INSERT .. SELECT of constants for every row the last run of the product left of account 1."""
    from django.db import connection

    statements: list[tuple[str, list[Any]]] = []
    with connection.cursor() as cursor:
        for model in written():
            table = model._meta.db_table
            own = OWN.get(table)
            quote = connection.ops.quote_name
            columns = [field.column for field in model._meta.concrete_fields]
            where = (
                "WHERE account_id = 1"
                if "account_id" in columns
                else ("WHERE invoice_id = (SELECT id FROM invoicing_invoice WHERE account_id = 1)" if own else "")
            )
            kinds = {field.column: field.rel_db_type(connection) if field.is_relation else field.db_type(connection)
                     for field in model._meta.concrete_fields}  # fmt: skip
            if table == "invoicing_posting":
                where = "WHERE entry_id = (SELECT id FROM invoicing_entry WHERE account_id = 1)"
            cursor.execute(f"SELECT {', '.join(map(quote, columns))} FROM {table} {where} ORDER BY id")
            found = cursor.fetchall()
            for place, row in enumerate(found):
                parts, values = [], []
                for column, value in zip(columns, row, strict=True):
                    if column == "id":
                        parts.append(f"{place * ACCOUNTS} + n" if own else "%s")
                        values += [] if own else [value]
                    elif column == "account_id" and own and value is not None:
                        parts.append("n")
                    elif own and column in own:
                        parts.append("(" + own[column].replace("{place}", str(place)) + ")")
                    else:
                        parts.append("%s")
                        values.append(json.dumps(value) if isinstance(value, dict | list) else value)
                parts = [f"{part}::{kinds[column]}" for part, column in zip(parts, columns, strict=True)]
                count = ACCOUNTS if own else 1
                into, chosen = ", ".join(map(quote, columns)), ", ".join(parts)
                source = f"generate_series(1, {count}) n"
                statements.append((f"INSERT INTO {table} ({into}) SELECT {chosen} FROM {source}", values))
    return statements


def floor(statements: list[tuple[str, list[Any]]]) -> Callable[[], None]:
    from django.db import connection, transaction

    def write() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for sql, values in statements:
                cursor.execute(sql, values)
            cursor.execute(
                "UPDATE invoicing_subscription SET period_start = period_end, period_end = date '2026-07-15',"
                " usage_from = period_end, next_due_on = date '2026-07-15' WHERE next_due_on <= %s", [DAY],
            )  # fmt: skip

    return write


# --- both ------------------------------------------------------------------------------------------------------------


def sound() -> dict[str, bool]:
    """What must be true of 10,000 renewals, however they came about."""
    from django.db.models import Max, Min

    from invoicing.accounting import ledger
    from invoicing.issuing import invoices
    from invoicing.models import BillingRun, Consumption, Invoice, InvoiceLine, SubscriptionPeriod
    from panel.core.models import Operation

    ends = Invoice.objects.aggregate(low=Min("position"), high=Max("position"))
    run = BillingRun.objects.get()
    return {
        f"numbers 1 to {ACCOUNTS:,} without gap": (
            (Invoice.objects.count(), ends["low"], ends["high"]) == (ACCOUNTS, 1, ACCOUNTS)
        ),
        "the chain holds, no document was altered": invoices.verify() == [],
        "the books add up to nothing": ledger.total() == 0,
        "one period and one rating each": SubscriptionPeriod.objects.count() == Consumption.objects.count() == ACCOUNTS,
        "overage lines are there": InvoiceLine.objects.filter(code="usage:traffic").count() > ACCOUNTS * 0.9,
        "a PDF is owed for each": Operation.objects.filter(kind="invoicing.render_pdf").count() == ACCOUNTS,
        "the run answers for all": (run.state, run.billed, run.failed) == ("done", ACCOUNTS, 0),
    }  # fmt: skip


def main() -> None:
    with stage.production():
        from bench import processor

        customers()
        stage.durable()
        emptied()
        at_death = killed_in_the_middle()
        bill()
        checks = {f"killed at {at_death:,}, and finished by the next run: {name}": so for name, so in sound().items()}
        bill()
        checks |= {f"run again: {name}": so for name, so in sound().items()}
        contenders = {"floor": floor(floor_statements()), "product": bill}
        wall: dict[str, list[float]] = {name: [] for name in contenders}
        used: dict[str, list[float]] = {name: [] for name in contenders}
        spent = processor.spent_with_the_database()
        for turn in range(ROUNDS):
            for name in list(contenders)[:: -1 if turn % 2 else 1]:
                emptied()
                began, before = time.perf_counter(), spent()
                contenders[name]()
                wall[name].append(time.perf_counter() - began)
                used[name].append(spent() - before)
        checks |= sound()
    report(wall, used, checks)


def report(wall: dict[str, list[float]], used: dict[str, list[float]], checks: dict[str, bool]) -> None:
    ratio = measure.ratio(wall["product"], wall["floor"])
    rows = [
        (name, f"{ACCOUNTS / median(wall[name]):,.0f}", measure.ratio(wall[name], wall["floor"]),
         f"{median(used[name]) / ACCOUNTS * 1e6:,.0f}", measure.ratio(used[name], used["floor"]))
        for name in wall
    ]  # fmt: skip
    measure.table(
        ("billing", "invoices/s", "x floor by the clock", "\u00b5s of processor each", "x floor by processor"), rows
    )
    measure.verdict(checks)
    measure.conclude("bench_billing", ratio.middle)


if __name__ == "__main__":
    main()
