"""Rows that are made, read and written by the hundreds hold what one by one would have held."""

import json
import threading
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panel.core import bulk, canonical, hands
from panel.core.models import Attempt, Operation

NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
TELLING = {"\\": "\\N", "\t": "\n\r", '"': "{}", "é": "NULL,\u2028'"}


def operation(key: str, **changes: Any) -> Operation:
    return bulk.new(Operation, kind="many", key=key, created_at=NOW, **changes)


def held(row: Operation) -> dict[str, Any]:
    return {**Operation.objects.filter(pk=row.pk).values().get()}


@pytest.mark.django_db
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(said=st.lists(st.tuples(TEXTS, OBJECTS, st.none() | st.integers(-(2**40), 2**40)), min_size=1, max_size=4))
def test_what_is_written_at_once_is_what_was_given(said: list[tuple[str, dict[str, Any], int | None]]) -> None:
    with transaction.atomic():
        rows = [
            operation(f"{place}", last_error=text, payload=given, account_id=number, due_at=NOW if number else None)
            for place, (text, given, number) in enumerate(said)
        ]
        bulk.number(rows)
        bulk.insert(rows)
        for place, (row, (text, given, number)) in enumerate(zip(rows, said, strict=True)):
            alone = Operation.objects.create(
                kind="many", key=f"alone {place}", created_at=NOW, last_error=text, payload=given, account_id=number,
                due_at=NOW if number else None,
            )  # fmt: skip
            assert held(row) | {"id": 0, "key": ""} == held(alone) | {"id": 0, "key": ""}
        for row, (text, given, _number) in zip(rows, reversed(said), strict=True):
            row.last_error, row.payload = text, given
        bulk.update(rows, ["last_error", "payload", "due_at"])
        assert [(held(row)["last_error"], held(row)["payload"]) for row in rows] == [
            (text, given) for text, given, _number in reversed(said)
        ]
        transaction.set_rollback(True)


@pytest.mark.django_db
def test_signs_that_the_wire_uses_itself_arrive() -> None:
    rows = [operation(f"{key} {place}", payload=TELLING, last_error=key) for place, key in enumerate(TELLING)]
    bulk.insert(rows)
    assert set(Operation.objects.values_list("last_error", flat=True)) == set(TELLING)
    assert [row.payload for row in Operation.objects.all()] == [TELLING] * len(rows)
    asked = Operation.objects.filter(last_error__in=bulk.among(TELLING))
    assert asked.count() == len(rows)
    assert set(Operation.objects.filter(pk__in=bulk.among(row.pk for row in asked))) == set(asked)
    for field in ("pk", "last_error"):
        assert not Operation.objects.filter(**{f"{field}__in": bulk.among([])}).exists()


def test_a_new_row_is_what_its_model_makes() -> None:
    made, usual = operation("a"), Operation(kind="many", key="a", created_at=NOW)
    for field in Operation._meta.concrete_fields:
        assert getattr(made, field.attname) == getattr(usual, field.attname)
    assert made.payload is not operation("b").payload
    with pytest.raises(TypeError, match="unheard"):
        operation("c", unheard=1)


@pytest.mark.django_db
def test_a_row_that_was_read_in_part_fetches_the_rest() -> None:
    bulk.insert([operation("a", last_error="why")])
    (row,) = bulk.read(Operation.objects.all(), "id", "key")
    assert "last_error" not in row.__dict__
    assert row.last_error == "why"
    row.attempts = 3
    row.save(update_fields=["attempts"])
    assert [one.attempts for one in bulk.read(Operation.objects.all())] == [3]


@pytest.mark.django_db
def test_rows_that_follow_from_others_are_written_once() -> None:
    bulk.insert([operation("a", attempts=1), operation("b", attempts=2)])
    for _again in range(2):
        bulk.insert_from(
            Attempt, Operation.objects.filter(kind="many").order_by("-key"), operation_id=F("pk"),
            number=F("attempts"), started_at=Value(NOW), ended_at=F("due_at"),
        )  # fmt: skip
    told = Attempt.objects.order_by("pk").values_list("operation__key", "number", "started_at", "ended_at", "outcome")
    assert list(told) == [("b", 2, NOW, None, ""), ("a", 1, NOW, None, "")]


@given(values=OBJECTS)
def test_one_text_for_one_object(values: dict[str, Any]) -> None:
    """Chains that exist were hashed over this text."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    written = canonical.Written(text)
    assert canonical.text_of(values) == canonical.text_of(written) == text
    assert written.values() == values


def open_ones(backends: set[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)", [list(backends)])
        return int(cursor.fetchone()[0])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_hands_write_at_once_and_leave_no_connection() -> None:
    met = threading.Barrier(hands.HANDS, timeout=20)

    def work(number: int) -> tuple[int, int]:
        with transaction.atomic(), connection.cursor() as cursor:
            bulk.insert([operation(f"{number}")])
            if number < hands.HANDS:
                met.wait()  # both are in the middle of a transaction
            cursor.execute("SELECT pg_backend_pid()")
            return number, cursor.fetchone()[0]

    done = hands.side_by_side(work, range(7))
    assert [number for number, _backend in done] == list(range(7))
    backends = {backend for _number, backend in done}
    assert len(backends) == hands.HANDS
    deadline = time.monotonic() + 10
    while open_ones(backends) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_ones(backends) == 0
    assert Operation.objects.count() == 7


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_error_of_one_hand_is_told_after_the_other_has_finished() -> None:
    def work(day: date) -> None:
        if day.day == 1:
            raise ValueError("the first")
        bulk.insert([operation(f"{day}")])

    with pytest.raises(ValueError, match="the first"):
        hands.side_by_side(work, [date(2026, 1, day) for day in range(1, 6)])
    assert Operation.objects.count() == 4


@pytest.mark.django_db
def test_inside_a_transaction_there_is_one_hand() -> None:
    here = threading.get_ident()
    assert hands.side_by_side(lambda _number: threading.get_ident(), range(3)) == [here] * 3
