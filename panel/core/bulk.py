"""Many rows at once: COPY on PostgreSQL, statements of many rows elsewhere.

Rows that name each other before any of them is written get their ids beforehand (`number`). Triggers and constraints
are asked as ever; what Django would do with each row (`save`, signals, a call for each column) is not done: rows are
made (`new`) and read (`read`) as plain values, and written column by column.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.base import ModelState
from django.db.models.expressions import RawSQL

from panel.core.canonical import Written

RowT = TypeVar("RowT", bound=models.Model)
AT_ONCE = 500  # rows of a statement, where there is no COPY


# --- making and reading ----------------------------------------------------------------------------------------------


@cache
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], dict[str, Callable[[], Any]]]:
    """What a new row of `model` holds by itself: values by attribute, and makers where each row needs its own."""
    plain: dict[str, Any] = {}
    makers: dict[str, Callable[[], Any]] = {}
    for field in model._meta.concrete_fields:
        if field.has_default() and callable(field.default):
            makers[field.attname] = field.default
        else:
            value = field.get_default()
            plain[field.attname] = getattr(value, "value", value)  # of a choice, what is stored
    return plain, makers


def new(model: type[RowT], **values: Any) -> RowT:
    """`model(**values)` at a tenth of its cost. Relations are given by their column (`account_id`); TypeError for a
    value that no column takes."""
    plain, makers = _defaults(model)
    row = model.__new__(model)
    held = row.__dict__
    held.update(plain)
    for name, make in makers.items():
        held[name] = values[name] if name in values else make()
    held.update(values)
    if len(held) != len(plain) + len(makers):
        raise TypeError(f"{model.__name__} has no {', '.join(values.keys() - plain.keys() - makers.keys())}")
    held["_state"] = ModelState()
    return row


def read(rows: "models.QuerySet[RowT]", *names: str) -> list[RowT]:
    """The rows with these columns (`account_id`), or all of them, at a fraction of what a list of the query set costs;
    a column that was not named is fetched when it is asked for."""
    model = rows.model
    names = names or tuple(field.attname for field in model._meta.concrete_fields)
    found = []
    for values in rows.values_list(*names):
        row = model.__new__(model)
        row.__dict__.update(zip(names, values, strict=True))
        row._state = ModelState()
        row._state.adding, row._state.db = False, rows.db
        found.append(row)
    return found


def among(values: Iterable[int | str]) -> Any:
    """What follows `__in=` where it is a question of hundreds: one parameter, not one for each."""
    wanted = list(values)
    if not wanted:
        return wanted
    if connection.vendor != "postgresql":
        return RawSQL("SELECT value FROM json_each(%s)", [json.dumps(wanted)])
    if isinstance(wanted[0], str):
        return RawSQL("SELECT unnest(%s::text[])", [_array(_IN_AN_ARRAY.of([str(one) for one in wanted]))])
    return RawSQL("SELECT unnest(%s::bigint[])", [_array(map(str, wanted))])


# --- writing ---------------------------------------------------------------------------------------------------------


def number(rows: Sequence[models.Model]) -> None:
    """Give rows of one model their ids, in order; inside the transaction that writes them."""
    if not rows:
        return
    options = rows[0]._meta
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(named) FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS named OFFSET 0) one,"
                " generate_series(1, %s)",
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
    """Write new rows of one model, in order. Those that were not given ids (`number`) get some, which only the database
    knows. IntegrityError for the whole where one of them is refused."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        _copy(rows)
    else:
        for held in (row.__dict__ for row in rows):
            held.update({name: value.values() for name, value in held.items() if type(value) is Written})
        type(rows[0])._base_manager.bulk_create(rows, batch_size=AT_ONCE)
    alias = connection.alias
    for row in rows:
        state = row._state
        state.adding, state.db = False, alias


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
            values = [
                field.get_db_prep_save(getattr(row, field.attname), connection) for row in some for field in fields
            ]
            cursor.execute(f"{statement} RETURNING {quote(pk.column)}", values)
            written |= {key for (key,) in cursor.fetchall()}
    return [row for row in rows if row.pk in written]


def insert_from(model: type[models.Model], rows: "models.QuerySet[Any]", **values: Any) -> None:
    """Write a row of `model` for each of `rows`, its columns (`account_id`) being these expressions over them, the
    others as a new row has them; those that a unique constraint knows already are left out. One statement: nothing
    travels."""
    quote = connection.ops.quote_name
    plain, makers = _defaults(model)
    filled: dict[str, Any] = plain | {name: make() for name, make in makers.items()}
    fields: list[Any] = [field for field in model._meta.concrete_fields if not field.primary_key]
    chosen = {
        f"_{field.attname}": values.get(field.attname, models.Value(filled[field.attname], output_field=field))
        for field in fields
    }
    select, given = rows.annotate(**chosen).values_list(*chosen).query.sql_with_params()
    into = f"{quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {into} {select} ON CONFLICT DO NOTHING", given)


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
    held = [row.__dict__ for row in rows]
    values = [_array(_column(field, held, _IN_AN_ARRAY)) for field in fields]
    sets = ", ".join(f"{column} = fresh.{column}" for column in columns[1:])
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    with connection.cursor() as cursor:
        fresh = f"unnest({arrays}) AS fresh ({', '.join(columns)})"
        where = f"held.{columns[0]} = fresh.{columns[0]}"
        table = quote(options.db_table)
        cursor.execute(f"UPDATE {table} held SET {sets} FROM {fresh} WHERE {where}", values)  # noqa: S608 - our names


def _copy(rows: Sequence[models.Model]) -> None:
    quote, options = connection.ops.quote_name, rows[0]._meta
    fields: list[Any] = [field for field in options.concrete_fields if rows[0].pk is not None or not field.primary_key]
    columns = ", ".join(quote(field.column) for field in fields)
    held = [row.__dict__ for row in rows]
    lines = zip(*(_column(field, held, _COPIED) for field in fields), strict=True)
    text = "\n".join(map("\t".join, lines))
    statement = f"COPY {quote(options.db_table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        copy.write(text)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a text stands on the wire: what its signs become (the backslash first), what is put around it, and what says
    that there is none."""

    signs: Mapping[str, str]
    around: str
    nothing: str

    def of(self, texts: Sequence[str | None]) -> list[str]:
        """All of a column: signs that occur nowhere are looked for once."""
        words = [text or "" for text in texts]
        together = "".join(words)
        for sign, instead in self.signs.items():
            if sign in together:
                words = [word.replace(sign, instead) for word in words]
        if self.around:
            words = [f"{self.around}{word}{self.around}" for word in words]
        if None in texts:
            words = [self.nothing if text is None else word for text, word in zip(texts, words, strict=True)]
        return words


_COPIED = _Form({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}, "", "\\N")
_IN_AN_ARRAY = _Form({"\\": "\\\\", '"': '\\"'}, '"', "NULL")
_PLAIN = {int, Decimal, date, datetime}  # in whose words there is nothing to mark


def _column(field: Any, held: Sequence[Mapping[str, Any]], form: _Form) -> list[str]:
    """The values of one column as PostgreSQL reads them in a text; what is the same in all is put into words once."""
    name = field.attname
    values = [row[name] for row in held]
    if isinstance(field, models.JSONField):
        return form.of([None if value is None else _json(value) for value in values])
    if values.count(values[0]) == len(values):
        return form.of([_said(values[0])]) * len(values)
    if _PLAIN.issuperset(map(type, values)):
        return list(map(str, values))
    return form.of([_said(value) for value in values])


def _json(value: Any) -> str:
    if type(value) is Written:
        return value.text
    return "{}" if value == {} else _JSON.encode(value)


_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False)


def _said(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return str(value.value if isinstance(value, Enum) else value)


def _array(words: Iterable[str]) -> str:
    return "{" + ",".join(words) + "}"
