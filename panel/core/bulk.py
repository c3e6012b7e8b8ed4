"""Many rows at once: COPY on PostgreSQL, statements of many rows elsewhere.

Rows get their ids beforehand (`number`), so that they may name each other before any of them is written. Triggers and
constraints are asked as ever; what Django would do with each row (`save`, signals) is not done.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, TypeVar

from django.db import connection, models

RowT = TypeVar("RowT", bound=models.Model)
AT_ONCE = 500  # rows of a statement, where there is no COPY
_PLAIN = frozenset({int, str, bool, date, datetime, type(None)})


def number(rows: Sequence[models.Model]) -> None:
    """Give rows of one model their ids, in order; inside the transaction that writes them."""
    if not rows:
        return
    options = rows[0]._meta
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
                [options.db_table, options.pk.column, len(rows)],
            )
            ids = [pk for (pk,) in cursor.fetchall()]
        else:  # the writer is alone
            cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [options.db_table])
            last = cursor.fetchone()[0]
            ids = list(range(last + 1, last + 1 + len(rows)))
    for row, pk in zip(rows, ids, strict=True):
        row.pk = pk


def insert(rows: Sequence[models.Model]) -> None:
    """Write new rows of one model, in order; those without ids are given some. IntegrityError for the whole where one
    of them is refused."""
    if not rows:
        return
    if rows[0].pk is None:
        number(rows)
    if connection.vendor == "postgresql":
        _copy(rows)
    else:
        type(rows[0])._base_manager.bulk_create(rows, batch_size=AT_ONCE)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def insert_new(rows: Sequence[RowT]) -> list[RowT]:
    """Write those of new rows that no unique constraint knows already, and give these."""
    if not rows:
        return []
    number(rows)
    quote = connection.ops.quote_name
    fields: Sequence[Any] = rows[0]._meta.concrete_fields
    into = f"{quote(rows[0]._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"
    one = f"({', '.join(['%s'] * len(fields))})"
    pk: Any = rows[0]._meta.pk
    written: set[int] = set()
    with connection.cursor() as cursor:
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            statement = f"INSERT INTO {into} VALUES {', '.join([one] * len(some))} ON CONFLICT DO NOTHING"  # noqa: S608
            values = [_stored(field, getattr(row, field.attname)) for row in some for field in fields]
            cursor.execute(f"{statement} RETURNING {quote(pk.column)}", values)
            written |= {key for (key,) in cursor.fetchall()}
    return [row for row in rows if row.pk in written]


def _copy(rows: Sequence[models.Model]) -> None:
    quote = connection.ops.quote_name
    fields: Sequence[Any] = rows[0]._meta.concrete_fields
    columns = ", ".join(quote(field.column) for field in fields)
    names = [field.attname for field in fields]
    statement = f"COPY {quote(rows[0]._meta.db_table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for row in rows:
            held = row.__dict__
            values = [held[name] for name in names]
            copy.write_row([
                value if type(value) in _PLAIN else _stored(field, value)
                for field, value in zip(fields, values, strict=True)
            ])  # fmt: skip


def _stored(field: Any, value: Any) -> Any:
    return field.get_db_prep_save(value.value if isinstance(value, Enum) else value, connection)


def update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Write these fields of rows that exist, each by its id."""
    if not rows:
        return
    model, options = type(rows[0]), rows[0]._meta
    if connection.vendor != "postgresql":
        model._base_manager.bulk_update(rows, names, batch_size=AT_ONCE // len(names))
        return
    quote = connection.ops.quote_name
    fields: list[Any] = [options.pk, *(options.get_field(name) for name in names)]
    columns = [quote(field.column) for field in fields]
    types = [(field.rel_db_type if field.is_relation else field.cast_db_type)(connection) for field in fields]
    values = [[_stored(field, getattr(row, field.attname)) for row in rows] for field in fields]
    sets = ", ".join(f"{column} = fresh.{column}" for column in columns[1:])
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    with connection.cursor() as cursor:
        fresh = f"unnest({arrays}) AS fresh ({', '.join(columns)})"
        where = f"held.{columns[0]} = fresh.{columns[0]}"
        table = quote(options.db_table)
        cursor.execute(f"UPDATE {table} held SET {sets} FROM {fresh} WHERE {where}", values)  # noqa: S608 - our names
