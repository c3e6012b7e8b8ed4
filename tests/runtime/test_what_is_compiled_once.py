"""What is compiled once reads and writes what the ORM would, and leaves the database its indexes."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings

from panel.core import bulk, operations, prepared
from panel.core.models import Attempt, Operation
from panel.core.prepared import Change, slot
from tests.runtime.test_many_rows import NOW, OBJECTS, TEXTS

TELL: Change[Operation] = Change(
    lambda: (
        Operation.objects.filter(kind=slot("kind", models.CharField())),
        {
            "result": slot("result", models.JSONField()), "last_error": slot("error", models.TextField()),
            "attempts": F("attempts") + 1, "due_at": None,
        },
    )
)  # fmt: skip


def operation(key: str, kind: str = "once", **values: Any) -> Operation:
    return bulk.new(Operation, kind=kind, key=key, created_at=NOW, due_at=NOW, **values)


def columns(row: Operation) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in Operation._meta.concrete_fields}


@pytest.mark.django_db
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(payload=OBJECTS, error=TEXTS, result=OBJECTS)
def test_rows_come_back_as_they_are_now(payload: dict[str, Any], error: str, result: dict[str, Any]) -> None:
    with transaction.atomic():
        mine, other = operation("mine", payload=payload), operation("other", kind="elsewhere")
        assert prepared.insert(mine)
        assert prepared.insert(other)
        assert columns(mine) == columns(Operation.objects.get(pk=mine.pk)), "as it was written"
        (changed,) = TELL.rows(kind="once", result=result, error=error)
        assert columns(changed) == columns(Operation.objects.get(pk=mine.pk)), "as it was changed"
        assert (changed.result, changed.last_error, changed.attempts, changed.due_at) == (result, error, 1, None)
        assert columns(other) == columns(Operation.objects.get(pk=other.pk)), "and nobody else"
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_known_already_nothing_is_written() -> None:
    assert prepared.insert(operation("a", payload={"is": "first"}), unless="key")
    assert not prepared.insert(operation("a", payload={"is": "second"}), unless="key")
    assert Operation.objects.get().payload == {"is": "first"}
    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.insert(operation("a"))


@pytest.mark.postgres
@pytest.mark.django_db
def test_what_is_due_is_found_by_its_index() -> None:
    bulk.insert([operation(f"done-{number}", state="done") for number in range(5000)])
    bulk.insert([operation("due")])
    _model, claim = operations._claiming(None)._compile()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE core_operation")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        words = claim.sql.replace("%s", "{}").format(*(f"${place}" for place, _ in enumerate(claim.parameters, 1)))
        cursor.execute(f"PREPARE claim AS {words}")
        given = ["now()" if isinstance(each, prepared.Slot) else "1" for each in claim.parameters]
        cursor.execute(f"EXPLAIN EXECUTE claim({', '.join(given)})")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE claim")
    assert "operation_due" in plan
    assert "Seq Scan" not in plan


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_workers_take_different_ones_and_neither_waits() -> None:
    with transaction.atomic():
        bulk.insert([operation("first"), operation("second")])
    taken, hold, let_go = [], threading.Event(), threading.Event()

    def one() -> None:
        with transaction.atomic():
            taken.extend(operations._claiming(None).rows(now=NOW, lease_until=NOW + timedelta(minutes=2)))
            hold.set()
            let_go.wait(20)
        connection.close()

    worker = threading.Thread(target=one)
    worker.start()
    assert hold.wait(20)
    op = operations._claim(datetime(2026, 6, 15, 11, tzinfo=UTC), None)
    let_go.set()
    worker.join()
    assert op is not None
    assert [row.key for row in taken] + [op.key] == ["first", "second"]
    assert Attempt.objects.get().operation_id == op.pk
