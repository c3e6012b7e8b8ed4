"""What the database itself refuses holds on both engines, after each migrate and after each flush."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from panel.core import clock, events, triggers
from panel.core.actors import SYSTEM
from panel.core.models import Event


def an_event() -> Event:
    with transaction.atomic():
        return events.record("test.kind", now=clock.now(), actor=SYSTEM)


def refused() -> None:
    event = an_event()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(kind="other")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Event.objects.filter(pk=event.pk)._raw_delete(using="default")
    if connection.vendor == "postgresql":  # SQLite has no such statement
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE core_event CASCADE")
    assert Event.objects.get(pk=event.pk).kind == "test.kind"


@pytest.mark.django_db
def test_a_migrated_database_has_every_trigger() -> None:
    assert len(triggers.declared()) > 5
    assert triggers.missing(connection) == []
    refused()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", [1, 2])
def test_a_flush_empties_append_only_tables_and_leaves_them_guarded(time: int) -> None:
    assert not Event.objects.exists(), "the flush after the first time"
    refused()


@pytest.mark.django_db(transaction=True)
def test_migrate_puts_back_what_somebody_dropped() -> None:
    triggers.drop(connection)
    on_this_engine = [one for one in triggers.declared() if one.statements(connection.vendor)]
    assert len(triggers.missing(connection)) == len(on_this_engine)
    assert [warning.id for warning in triggers.check_triggers(["default"])] == ["core.W001"]
    call_command("migrate", verbosity=0, skip_checks=True)
    assert triggers.missing(connection) == []
    assert triggers.check_triggers(["default"]) == []
    refused()


def test_two_different_triggers_cannot_have_one_name() -> None:
    first = triggers.declared()[0]
    triggers.declare(first)
    with pytest.raises(ValueError, match=first.name):
        triggers.declare(triggers.Trigger(first.name, "elsewhere", "BEFORE DELETE", "", ""))
