"""A large installation in seconds: rows laid straight into the real tables by set-based SQL.

`n` counts the rows of a statement from 1. Ids are what the formulas say, so that rows find each other unasked.
Triggers and foreign keys are not asked row by row (half a minute of it): `unbroken` looks at the keys once at the end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.db import connection, models, transaction
from django.db.models import NOT_PROVIDED

ACCOUNTS = 20_000
SERVERS = 200_000  # ten of every account
PASSWORD = "correct horse battery staple"
PLACE = "paris-1"
TERMS = "say_digital/2026-01"


def fill(model: type[models.Model], count: int, **expressions: str) -> None:
    """Insert `count` rows: a column is the SQL expression given for its field, else the field's default."""
    columns, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        if field.name in expressions:
            value = expressions.pop(field.name)
        elif field.primary_key:
            value = "n"
        else:
            value, default = "%s", _default(field)
            parameters.append(field.get_db_prep_save(default, connection))
        columns.append(connection.ops.quote_name(field.column))
        values.append(f"({value})::{field.rel_db_type(connection) if field.is_relation else field.db_type(connection)}")
    if expressions:
        raise ValueError(f"{model.__name__} has no {', '.join(expressions)}")
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM generate_series(1, {count}) n",
            parameters,
        )
        if pk := model._meta.auto_field:
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{pk.column}'), "
                f"(SELECT max({pk.column}) FROM {table}))"
            )


@contextlib.contextmanager
def exclusion_at_the_end(model: type[models.Model]) -> Iterator[None]:
    """Exclusion constraints of a table are checked over all its rows at once, not with each."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'x' AND conrelid = %s::regclass",
            [table],
        )
        found = cursor.fetchall()
        for name, _ in found:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        yield
        for name, definition in found:
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _default(field: models.Field[Any, Any]) -> Any:
    if field.default is not NOT_PROVIDED or field.null:
        return field.get_default()
    if field.blank:
        return ""
    raise ValueError(f"{field.model.__name__}.{field.name} has no default: name it")


def reference(prefix: str) -> str:
    """SQL of a row's reference."""
    return f"'{prefix}-' || lpad(n::text, 8, '0')"


def people() -> None:
    """Accounts with their owners, who can log in with PASSWORD as owner<n>@customer.example."""
    from allauth.account.models import EmailAddress

    from panel.accounts.models import Account, Membership, User

    word = make_password(PASSWORD).replace("'", "''")
    email = "'owner' || n || '@customer.example'"
    fill(
        User, ACCOUNTS, email=email, name="'Owner ' || n", password=f"'{word}'",
        created_at="now() - interval '90 days'",
        confirmed_at="now() - interval '90 days'",
    )  # fmt: skip
    fill(EmailAddress, ACCOUNTS, user="n", email=email, verified="true", primary="true")
    fill(
        Account, ACCOUNTS, reference=reference("ACC"), kind="'business'", name="'Owner ' || n",
        company="'Company ' || n || ' SAS'", billing_email=email, created_at="now() - interval '90 days'",
    )  # fmt: skip
    fill(Membership, ACCOUNTS, user="n", account="n", is_owner="true", created_at="now() - interval '90 days'")


def fleet() -> None:
    """Servers with their subscriptions, addresses, holdings, meters and the running traffic month."""
    from invoicing.models import Package, Subscription
    from invoicing.offering import catalogue
    from servers.models import Address, AddressHolding, Meter, Server, TrafficMonth

    catalogue.install_catalogue()
    package = Package.objects.get(code="vps-s")
    account, began = f"1 + n %% {ACCOUNTS}", "now() - interval '60 days'"
    ip = "'10.0.0.0'::inet + n"
    fill(
        Subscription, SERVERS, reference=reference("SUB"), account=account, package=str(package.pk),
        service_kind="'vps'", interval="'month'", price_cents="590", anchor_on="current_date - 60",
        period_start="current_date - n %% 28", period_end="current_date - n %% 28 + 30",
        usage_from="current_date - n %% 28", next_due_on="current_date + 2 + n %% 28", terms_version=f"'{TERMS}'",
        started_at=began,
    )  # fmt: skip
    fill(
        Server, SERVERS, reference=reference("SRV"), account=account, subscription="n", name="'web-' || n",
        state="CASE WHEN n %% 20 = 0 THEN 'stopped' ELSE 'running' END", place=f"'{PLACE}'", provider_ref="'vm-' || n",
        image="'debian-12'", size="'{\"code\": \"vps-s\", \"vcpu\": 1, \"memory_mb\": 2048, \"disk_gb\": 25}'",
        included_bytes="1000000000000", power="CASE WHEN n %% 20 = 0 THEN 'off' ELSE 'on' END",
        reachable="n %% 20 <> 0", ordered_at=began, ready_at=began, seen_at="now()", checked_at="now()",
    )  # fmt: skip
    fill(Address, SERVERS, ip=ip, place=f"'{PLACE}'", state="'held'")
    with exclusion_at_the_end(AddressHolding):
        fill(
            AddressHolding,
            SERVERS,
            address="n",
            server="n",
            ordered_with="n",
            account=account,
            is_first="true",
            since=began,
        )
    fill(Meter, SERVERS, server="n", account=account, rx_bytes="n", tx_bytes="n", at="now()")
    fill(
        TrafficMonth, SERVERS, server="n", account=account, starts_on="current_date - n %% 28",
        ends_on="current_date - n %% 28 + 30", rx_bytes="n * 7919::bigint %% 1000 * 370000000",
        tx_bytes="n * 104729::bigint %% 1000 * 150000000",
        included_bytes="1000000000000",
    )  # fmt: skip


def history() -> None:
    """What an account's past leaves behind: journal entries, requests, an invoice that is still to be paid."""
    from invoicing.models import Invoice, InvoiceLine, NumberSeries, Zero
    from panel.core.models import Event
    from tickets.models import Ticket

    fill(
        Event, SERVERS, at="now() - (n || ' seconds')::interval", kind="'servers.server.created'",
        actor_kind="'person'", actor_id=f"1 + n %% {ACCOUNTS}", account_id=f"1 + n %% {ACCOUNTS}",
        subject_type="'servers.server'", subject_id="n", data="'{}'",
    )  # fmt: skip
    fill(
        Ticket, ACCOUNTS, number=reference("REQ"), account="n", department="'support'", title="'A question'",
        state="CASE WHEN n %% 50 = 0 THEN 'waiting_staff' ELSE 'closed' END", opened_by="n", opened_at="now()",
        changed_at="now()", waiting_since="CASE WHEN n %% 50 = 0 THEN now() END",
        terms_version=f"'{TERMS}'",
    )  # fmt: skip
    Zero.objects.get_or_create(pk=0)
    series = NumberSeries.objects.create(entity="BENCH", prefix="INV", year=2026, last_number=ACCOUNTS)
    fill(
        Invoice, ACCOUNTS, number="'INV2026-' || lpad(n::text, 6, '0')", series=str(series.pk), position="n",
        account="n",
        issued_at="now() - interval '20 days'", issued_on="current_date - 20", due_on="current_date + 10",
        net_cents="5900", vat_cents="1180", total_cents="7080", terms_version=f"'{TERMS}'", once="'bench:' || n",
        document="'{}'", previous_hash="md5('h' || n - 1)", hash="md5('h' || n)", unlisted="0",
    )  # fmt: skip
    fill(
        InvoiceLine, ACCOUNTS, invoice="n", account="n", position="1", code="'vps-s'", description="'VPS S'",
        quantity="10", unit_price="5.90", net_cents="5900", vat_code="'S'", vat_rate="20",
    )  # fmt: skip


def everything() -> None:
    """All of it, and the statistics a database that has lived would have."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        people()
        fleet()
        history()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def unbroken() -> bool:
    """Whether every foreign key of every table of ours leads somewhere."""
    with connection.cursor() as cursor:
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, models.ForeignKey):
                    table, other = model._meta.db_table, field.remote_field.model._meta.db_table
                    cursor.execute(
                        f"SELECT 1 FROM {table} a WHERE a.{field.column} IS NOT NULL AND NOT EXISTS"
                        f" (SELECT 1 FROM {other} b WHERE b.{field.target_field.column} = a.{field.column}) LIMIT 1"
                    )
                    if cursor.fetchone():
                        return False
    return True
