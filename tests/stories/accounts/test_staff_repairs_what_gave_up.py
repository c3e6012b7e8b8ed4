"""As staff I see what gave up, try it again or discard it with a reason; and the journal can be checked."""

from datetime import datetime
from typing import Any, ClassVar

import pytest
from django.db import connection, transaction

from panel.accounts import approvals
from panel.accounts.models import Approval
from panel.core import due, operations
from panel.core.actors import SYSTEM
from panel.core.errors import ProviderError
from panel.core.models import Event, Operation
from tests.support.personas import logged_in, staff
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def failed(world: World) -> Operation:
    with transaction.atomic():
        op = operations.enqueue("core.deliver", key="gave-up", now=world.now)
    Operation.objects.filter(pk=op.pk).update(state="failed", last_error="the cloud is gone", due_at=None)
    return op


def test_what_gave_up_is_tried_again(world: World, failed: Operation) -> None:
    browser = logged_in(staff(world, "infrastructure"))
    assert "the cloud is gone" in browser.get("/ops/").content.decode()
    assert browser.post(f"/ops/operations/{failed.pk}/retry/").status_code == 302
    failed.refresh_from_db()
    assert (failed.state, failed.failures) == ("due", 0)
    assert Event.objects.get(kind="core.operation.retried").subject_id == failed.pk


def test_discarding_needs_a_reason_and_holds(world: World, failed: Operation) -> None:
    browser = logged_in(staff(world, "infrastructure"))
    assert browser.post(f"/ops/operations/{failed.pk}/discard/", {"reason": " "}).status_code == 409
    failed.refresh_from_db()
    assert failed.state == "failed"
    browser.post(f"/ops/operations/{failed.pk}/discard/", {"reason": "made by hand"})
    failed.refresh_from_db()
    assert (failed.state, failed.last_error) == ("cancelled", "discarded: made by hand")
    assert browser.post(f"/ops/operations/{failed.pk}/retry/").status_code == 409


def test_what_is_discarded_is_told_to_its_handler_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(operations.Handler):
        kind, label, max_attempts = "story.deed", "A deed", 1
        heard: ClassVar[list[str]] = []

        def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
            raise ProviderError("no")

        def gave_up(self, op: Operation, error: str, *, now: datetime) -> None:
            self.heard.append(f"{op.key} {error}")

    monkeypatch.setitem(operations.HANDLERS, Handler.kind, Handler())

    def deed(key: str) -> int:
        with transaction.atomic():
            return operations.enqueue(Handler.kind, key=key, now=world.now).pk

    def discard(pk: int) -> None:
        for _ in range(2):
            operations.discard(pk, reason="x", now=world.now)

    discard(deed("waiting"))
    tried = deed("tried")
    world.work()
    discard(tried)
    again = deed("again")
    world.work()
    operations.retry(again, now=world.now)
    discard(again)
    assert Handler.heard == ["waiting discarded: x", "tried no", "again no"]


def test_an_approval_needs_two_persons_and_a_refusal_a_reason(world: World) -> None:
    for key in ("a", "b"):
        approvals.ask("test", key=key, summary=key, needed=2, now=world.now, actor=SYSTEM)
    first, second = Approval.objects.order_by("pk")
    one, two = logged_in(staff(world, "abuse")), logged_in(staff(world, "billing"))
    assert one.post(f"/ops/approvals/{first.pk}/vote/", {"word": "yes"}).status_code == 302
    assert one.post(f"/ops/approvals/{first.pk}/vote/", {"word": "yes"}).status_code == 409
    first.refresh_from_db()
    assert first.state == "open"
    two.post(f"/ops/approvals/{first.pk}/vote/", {"word": "yes"})
    first.refresh_from_db()
    assert first.state == "granted"
    assert two.post(f"/ops/approvals/{second.pk}/vote/", {"word": "no"}).status_code == 409
    two.post(f"/ops/approvals/{second.pk}/vote/", {"word": "no", "reason": "not convinced"})
    second.refresh_from_db()
    assert second.state == "refused"


def test_a_journal_that_was_altered_is_found(world: World) -> None:
    world.customer()
    due.SWEEPS["core.seal"].run(world.now)
    browser = logged_in(staff(world, "administrator"))
    browser.post("/ops/audit/verify/")
    assert "The chain holds" in browser.get("/ops/audit/").content.decode()
    tampering = "UPDATE core_event SET rule = 'ABU-9' WHERE kind = 'accounts.account.opened'"
    with connection.cursor() as cursor:
        from panel.core import triggers

        triggers.drop(connection)
        try:
            cursor.execute(tampering)
        finally:
            triggers.install(connection)
    browser.post("/ops/audit/verify/")
    assert "was altered" in browser.get("/ops/audit/").content.decode()
