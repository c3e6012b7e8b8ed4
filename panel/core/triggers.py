"""What the database itself refuses: triggers, written for SQLite and PostgreSQL side by side.

An app declares its triggers beside its models (`append_only("core_event")`); the `migrate` command installs them.
They are not part of migrations because SQLite rebuilds a table to alter it, and its triggers vanish with the old one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core import checks
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

INTEGRITY = "integrity_constraint_violation"
EMPTIED = "BEFORE TRUNCATE"
LONGEST_NAME = 60  # PostgreSQL cuts identifiers at 63 bytes, silently


@dataclass(frozen=True)
class Trigger:
    """One trigger on one table.

    `moment` is the part between the name and `ON` ("BEFORE DELETE", "BEFORE UPDATE OF state, amount").
    `sqlite` is the body between BEGIN and END, "" for what SQLite has no statement for (TRUNCATE); `postgresql` the
    body of a plpgsql function, its RETURN included. `sqlite_when` and `postgresql_when` are optional conditions on OLD
    and NEW. With `at_once` PostgreSQL runs it once a statement (AFTER INSERT), with the new rows as the table `added`:
    many rows cost little more than one.
    """

    name: str
    table: str
    moment: str
    sqlite: str
    postgresql: str
    sqlite_when: str = ""
    postgresql_when: str = ""
    at_once: bool = False

    def statements(self, vendor: str) -> list[str]:
        """The statements that create this trigger on `vendor` ("sqlite" or "postgresql")."""
        if vendor == "sqlite" and not self.sqlite:
            return []
        if vendor == "sqlite":
            when = f" WHEN {self.sqlite_when}" if self.sqlite_when else ""
            return [
                f"CREATE TRIGGER {self.name} {self.moment} ON {self.table} FOR EACH ROW{when} BEGIN {self.sqlite}; END"
            ]
        when = f" WHEN ({self.postgresql_when})" if self.postgresql_when else ""
        body, on = f"$body$ BEGIN {self.postgresql}; END $body$", f"{self.moment} ON {self.table}"
        return [
            f"CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS {body}",
            f"CREATE OR REPLACE TRIGGER {self.name} {on} {self._scope()}{when} EXECUTE FUNCTION {self.name}()",
            f"COMMENT ON TRIGGER {self.name} ON {self.table} IS '{self.fingerprint()}'",
        ]

    def _scope(self) -> str:
        if self.at_once:
            return "REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
        return "FOR EACH STATEMENT" if self.moment == EMPTIED else "FOR EACH ROW"

    def fingerprint(self) -> str:
        """Changes when the text of the trigger does; kept as its comment on PostgreSQL."""
        text = "\n".join((self.moment, self.postgresql, self.postgresql_when, self._scope()))
        return "clause " + hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class GroundRow:
    """A row that constraints lean on and that must always be there, `sql` being an insert that both engines accept."""

    table: str
    sql: str


_triggers: dict[str, Trigger] = {}
_ground_rows: dict[str, GroundRow] = {}


def declare(trigger: Trigger) -> None:
    """Adds a trigger to those that `migrate` installs. Two different ones under one name are a mistake."""
    if len(trigger.name) > LONGEST_NAME:
        raise ValueError(f"The trigger name {trigger.name} is longer than {LONGEST_NAME} characters.")
    if _triggers.setdefault(trigger.name, trigger) != trigger:
        raise ValueError(f"Two different triggers are called {trigger.name}.")


def declared() -> list[Trigger]:
    """Every declared trigger."""
    return list(_triggers.values())


def ground_row(table: str, **values: int) -> None:
    """Declares a row of whole numbers that exists from the first migration on and comes back after a test's flush."""
    columns, numbers = ", ".join(values), ", ".join(str(int(value)) for value in values.values())
    sql = f"INSERT INTO {table} ({columns}) VALUES ({numbers}) ON CONFLICT DO NOTHING"
    _ground_rows[sql] = GroundRow(table, sql)


def refuse(
    name: str, table: str, moment: str, sentence: str, *, sqlite_when: str = "", pg_when: str = "", pg_if: str = ""
) -> None:
    """Declares a trigger that answers every row it meets with an error (IntegrityError in Django) saying `sentence`.
    `pg_if` is a condition that asks other tables, where `pg_when` may not; the row passes where it does not hold."""
    quoted = sentence.replace("'", "''")
    error = f"RAISE EXCEPTION '{quoted.replace('%', '%%')}' USING ERRCODE = '{INTEGRITY}'"
    declare(
        Trigger(
            name=name,
            table=table,
            moment=moment,
            sqlite=f"SELECT RAISE(ABORT, '{quoted}')",
            postgresql=f"IF {pg_if} THEN {error}; END IF; RETURN NEW" if pg_if else error,
            sqlite_when=sqlite_when,
            postgresql_when=pg_when,
        )
    )


def append_only(table: str, *, columns: Sequence[str] = ()) -> None:
    """Rows of `table` can be added, never deleted, one by one or all at once; nor changed, or (with `columns`) not in
    these columns."""
    of = f" OF {', '.join(columns)}" if columns else ""
    refuse(f"{table}_no_update", table, f"BEFORE UPDATE{of}", f"append-only: {table}")
    refuse(f"{table}_no_delete", table, "BEFORE DELETE", f"append-only: {table}")
    error = f"RAISE EXCEPTION 'append-only: {table}' USING ERRCODE = '{INTEGRITY}'"
    declare(Trigger(f"{table}_no_truncate", table, EMPTIED, sqlite="", postgresql=error))


def balanced(entry: str, posting: str, *, link: str, amount: str, balance: str, zero: str) -> None:
    """Double entry kept by the database: at COMMIT the `amount`s of an entry's postings add up to nothing.

    `entry.balance` is a deferred foreign key to the table `zero`, which holds the one row 0 (declared here; give its
    model a CheckConstraint id = 0). Each posting moves it by its amount; an unbalanced entry fails at COMMIT with
    IntegrityError. The balance itself cannot be set by hand, and is inserted as the sum of the postings there are.
    """
    ground_row(zero, id=0)
    kept_sum(entry, posting, link=link, amount=amount, kept=balance, sign="+")
    posted = f"(SELECT COALESCE(SUM({amount}), 0) FROM {posting} WHERE {link} = NEW.id)"
    guard_sum(f"{entry}_balance", entry, balance, posted, f"the balance is kept by the postings: {entry}")


def kept_sum(parent: str, child: str, *, link: str, amount: str, kept: str, sign: str, name: str = "") -> None:
    """Declares the trigger by which new rows of `child` move the column `kept` of the row they belong to (`link`) by
    their `amount`: added where `sign` is "+", taken off where it is "-"."""
    together = (
        f"UPDATE {parent} SET {kept} = {kept} {sign} moved.sum FROM (SELECT {link} AS id, SUM({amount})::bigint AS sum "
        f"FROM added GROUP BY {link} HAVING SUM({amount}) <> 0) moved WHERE {parent}.id = moved.id"
    )
    declare(
        Trigger(
            name or f"{child}_balance", child, "AFTER INSERT", at_once=True, postgresql=f"{together}; RETURN NULL",
            sqlite=f"UPDATE {parent} SET {kept} = {kept} {sign} NEW.{amount} WHERE id = NEW.{link}",
        )
    )  # fmt: skip


def guard_sum(name: str, table: str, column: str, due: str, sentence: str) -> None:
    """Declares the triggers that keep hands off a column of `kept_sum`: it is inserted as `due` (SQL over NEW), and
    moved by that trigger alone."""
    refuse(f"{name}_insert", table, "BEFORE INSERT", sentence, sqlite_when=f"NEW.{column} <> {due}",
           pg_if=f"NEW.{column} <> {due}")  # fmt: skip
    # SQLite fires row by row, so the sum is always current; PostgreSQL fires at the end of the statement, but knows
    # whether a trigger or a client is asking.
    refuse(f"{name}_update", table, f"BEFORE UPDATE OF {column}", sentence, sqlite_when=f"NEW.{column} <> {due}",
           pg_when="pg_trigger_depth() = 0")  # fmt: skip


# --- installing ------------------------------------------------------------------------------------------------------


def install(connection: BaseDatabaseWrapper) -> None:
    """Creates or renews what is missing or out of date, for the tables that exist, and puts the ground rows in."""
    tables = set(connection.introspection.table_names())
    stale = missing(connection)
    with connection.cursor() as cursor:
        for name in stale:
            trigger = _triggers[name]
            if connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            for statement in trigger.statements(connection.vendor):
                cursor.execute(statement)
        for row in _ground_rows.values():
            if row.table in tables:
                cursor.execute(row.sql)


def drop(connection: BaseDatabaseWrapper) -> None:
    """Removes every trigger of ours: SQLite cannot alter a table that a trigger of another table names."""
    with connection.cursor() as cursor:
        for name, table in _installed(connection):
            if connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
            else:
                cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of declared triggers that the database has not, or not with the present text; tables yet to come apart."""
    tables = set(connection.introspection.table_names())
    wanted = {trigger.name: trigger for trigger in declared() if trigger.table in tables}
    if connection.vendor == "sqlite":
        wanted = {name: trigger for name, trigger in wanted.items() if trigger.sqlite}
        texts = _rows(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        good = {name for name, sql in texts if name in wanted and sql == wanted[name].statements("sqlite")[0]}
    else:
        texts = _rows(
            connection,
            "SELECT tgname, obj_description(oid, 'pg_trigger') FROM pg_trigger "
            "WHERE NOT tgisinternal AND tgparentid = 0",
        )
        good = {name for name, text in texts if name in wanted and text == wanted[name].fingerprint()}
    return [name for name in wanted if name not in good]


def _installed(connection: BaseDatabaseWrapper) -> list[tuple[str, str]]:
    if connection.vendor == "sqlite":
        return _rows(connection, "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    return _rows(
        connection,
        "SELECT t.tgname, t.tgrelid::regclass::text FROM pg_trigger t "
        "WHERE NOT tgisinternal AND tgparentid = 0 AND obj_description(t.oid, 'pg_trigger') LIKE 'clause %%'",
    )


def _rows(connection: BaseDatabaseWrapper, sql: str) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, ())
        return [(str(first), str(second)) for first, second in cursor.fetchall()]


def install_checks() -> None:
    """Adds the check below to `manage.py check --database default`."""
    checks.register(check_triggers, checks.Tags.database)


def check_triggers(databases: Iterable[str] | None, **_: object) -> list[checks.CheckMessage]:
    """Says which triggers a database lacks."""
    found: list[checks.CheckMessage] = []
    for alias in databases or ():
        names = missing(connections[alias])
        if names:
            sentence = f"The database {alias!r} lacks the triggers {', '.join(names)}."
            found.append(checks.Warning(sentence, hint="Run `manage.py migrate`.", id="core.W001"))
    return found
