"""What is asked and changed again and again: written once in the ORM, compiled once, then run with other values.

Building a query set and its SQL costs several times what the database needs for a row by key. What every page asks, and
what every operation changes, is therefore kept compiled, on both engines, with slots where the values go:

    _ROLES = Prepared(lambda: StaffRole.objects.filter(user_id=slot("user")).values_list("role"))
    roles = {role for (role,) in _ROLES.rows(user=7)}

    _TAKE = Change(lambda: (Operation.objects.filter(pk=slot("pk"), state="due"), {"state": "running"}))
    taken = _TAKE.rows(pk=7)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

from django.db import connection, models
from django.db.models.base import ModelState
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from panel.core.actors import Actor

RowT = TypeVar("RowT", bound=models.Model)
_WORD = re.compile(r"[a-z_]+")


class Slot(models.Expression):
    """A value given at each run, under its name."""

    def __init__(self, name: str, output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]

    def filled(self, values: dict[str, Any]) -> Any:
        return self.output_field.get_db_prep_value(values[self.name], connection)


def slot(name: str, output_field: models.Field[Any, Any] | None = None) -> Any:
    """Where a value goes; a whole number (an id) unless a field says otherwise."""
    return Slot(name, output_field or models.BigIntegerField())


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL with its slots, and what makes Python values of its columns."""

    sql: str
    parameters: tuple[Any, ...]
    compiler: SQLCompiler | None
    converters: Any

    def filled(self, values: dict[str, Any]) -> list[Any]:
        return [each.filled(values) if isinstance(each, Slot) else each for each in self.parameters]

    def converted(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        if self.compiler is None or not self.converters:
            return rows
        return [tuple(row) for row in self.compiler.apply_converters(rows, self.converters)]


class Prepared:
    """A `values_list` query set that is built at its first run, on each engine; `counted`: its one row says how many
    rows there are."""

    def __init__(self, build: Callable[[], models.QuerySet[Any, Any]], *, counted: bool = False) -> None:
        self._build = build
        self._counted = counted
        self._compiled: dict[str, Compiled] = {}

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows, as the query set would give them. KeyError for a slot without its value."""
        found = self.compiled()
        return found.converted(execute(found.sql, found.filled(values)))

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""
        return next(iter(self.rows(**values)), None)

    def compiled(self) -> Compiled:
        """The query for the engine in use."""
        return self._compiled.get(connection.vendor) or self._compile()

    def _compile(self) -> Compiled:
        compiler = self._build().query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        converters: Any = {}
        if self._counted:
            sql = f"SELECT COUNT(*) FROM ({sql}) counted"  # noqa: S608 - its own SQL
        else:
            converters = compiler.get_converters([column[0] for column in compiler.select[: compiler.col_count]])
        made = Compiled(*_with_words(sql, parameters), compiler, converters)
        self._compiled[connection.vendor] = made
        return made


class Numbers(Prepared):
    """Counts and sums of whole numbers in one statement: the first value of each part; 0 where there is no row."""

    def __init__(self, parts: Sequence[Prepared]) -> None:
        self._parts = tuple(parts)
        self._compiled = {}

    def one(self, **values: Any) -> tuple[int, ...]:
        return self.read(self.rows(**values))

    def read(self, rows: Sequence[Sequence[Any]]) -> tuple[int, ...]:
        """The numbers out of the one row."""
        return tuple(int(value or 0) for value in rows[0])

    def _compile(self) -> Compiled:
        parts = [part.compiled() for part in self._parts]
        sql = f"SELECT {', '.join(f'({part.sql})' for part in parts)}"
        made = Compiled(sql, tuple(each for part in parts for each in part.parameters), None, {})
        self._compiled[connection.vendor] = made
        return made


class Change(Generic[RowT]):
    """An update of the rows of a query set to these values (slots, expressions), built at its first run."""

    def __init__(self, build: Callable[[], tuple[models.QuerySet[RowT], Mapping[str, Any]]]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[type[RowT], Compiled]] = {}

    def rows(self, **values: Any) -> list[RowT]:
        """The rows that were changed, as they are now. KeyError for a slot without its value."""
        model, found = self._compiled.get(connection.vendor) or self._compile()
        changed = found.converted(execute(found.sql, found.filled(values)))
        return [_row(model, columns) for columns in changed]

    def _compile(self) -> tuple[type[RowT], Compiled]:
        chosen, changes = self._build()
        query = cast("UpdateQuery", chosen.query.chain(UpdateQuery))
        query.add_update_values(dict(changes))
        sql, parameters = query.get_compiler(connection=connection).as_sql()
        names = _attributes(chosen.model)
        giving = chosen.model._base_manager.values_list(*names).query.get_compiler(connection=connection)
        giving.as_sql()  # sets its columns up
        converters = giving.get_converters([column[0] for column in giving.select])
        text, left = _with_words(f"{sql} RETURNING {_columns(chosen.model)}", parameters)
        made = chosen.model, Compiled(text, left, giving, converters)
        self._compiled[connection.vendor] = made
        return made


def insert(row: models.Model, *, unless: str = "") -> bool:
    """Write one new row, which gets its id; `unless`: the unique field by which it may be known already, and then False
    is given and nothing written. IntegrityError where it is refused otherwise."""
    fields = _written(type(row))
    given = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    found = execute(_insertion(type(row), unless), given)
    if not found:
        return False
    row.pk = found[0][0]
    row._state.adding, row._state.db = False, connection.alias
    return True


@cache
def _insertion(model: type[models.Model], unless: str) -> str:
    """Both engines read the same words."""
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in _written(model))
    known = f" ON CONFLICT ({quote(_column(model, unless))}) DO NOTHING" if unless else ""
    values = ", ".join(["%s"] * len(_written(model)))
    table, pk = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    return f"INSERT INTO {table} ({columns}) VALUES ({values}){known} RETURNING {pk}"  # noqa: S608 - our names


@cache
def _written(model: type[models.Model]) -> tuple[Any, ...]:
    """Every column but a number the database gives."""
    return tuple(field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField))


@cache
def _attributes(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)


def _columns(model: type[models.Model]) -> str:
    return ", ".join(connection.ops.quote_name(str(field.column)) for field in model._meta.concrete_fields)


def _column(model: type[models.Model], name: str) -> str:
    return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).column)


def _row(model: type[RowT], columns: Sequence[Any]) -> RowT:
    row = model.__new__(model)
    row.__dict__.update(zip(_attributes(model), columns, strict=True))
    row._state = ModelState()
    row._state.adding, row._state.db = False, connection.alias
    return row


def _with_words(sql: str, parameters: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """States and kinds stand in the text itself: a partial index fits then, whatever plan is kept."""
    plain = [isinstance(each, str) and bool(_WORD.fullmatch(each)) for each in parameters]
    words = [f"'{each}'" if is_word else "%s" for each, is_word in zip(parameters, plain, strict=True)]
    left = tuple(each for each, is_word in zip(parameters, plain, strict=True) if not is_word)
    return sql.replace("%%", "%%%%") % tuple(words), left


def at_once(*asked: Prepared, **values: Any) -> list[list[tuple[Any, ...]]]:
    """The rows of several queries for the price of one round trip, where the engine can."""
    found = [query.compiled() for query in asked]
    raw = _prepares()
    if raw is None:
        return [query.rows(**values) for query in asked]
    cursors = [_cursor(raw) for _ in found]
    with connection.wrap_database_errors, raw.pipeline():
        for each, cursor in zip(found, cursors, strict=True):
            cursor.execute(each.sql, each.filled(values))
    return [each.converted(cursor.fetchall()) for each, cursor in zip(found, cursors, strict=True)]


def execute(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows a statement of our own gives, its values bound on the server where it keeps plans."""
    raw = _prepares()
    if raw is None:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())
    with connection.wrap_database_errors:
        return list(_cursor(raw).execute(sql, parameters).fetchall())


def _prepares() -> Any:
    """The connection to PostgreSQL, if it is to keep the plans of what is asked often (after how many runs:
    `prepare_threshold` in the settings); None: ask in the usual way, as where somebody watches the queries.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw: Any = connection.connection
    watched = connection.queries_logged or connection.execute_wrappers
    if connection.vendor != "postgresql" or raw.prepare_threshold is None or watched:
        return None
    connection.validate_no_broken_transaction()
    return raw


def _cursor(raw: Any) -> Any:
    """A cursor that binds on the server; Django's own writes the values into the text of the statement."""
    from psycopg import Cursor  # only where there is a PostgreSQL

    return Cursor(raw)


def whoever() -> Actor:
    """An actor whose account is a slot: `Invoice.objects.visible_to(whoever())`, then `rows(account=actor.account_id)`.
    Run without an account it finds nothing."""
    return Actor(kind="person", account_id=slot("account"))
