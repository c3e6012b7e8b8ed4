"""As staff I read in my work what happens by itself and fails at every run, since when and why; it goes when it
succeeds again."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from invoicing.models import Order, OrderState
from invoicing.subscribing import ordering
from panel.accounts.models import User
from panel.console import work
from panel.core import due, ticking
from tests.support.personas import logged_in
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
EXPIRE = "invoicing.expire"


def rows(world: World, role: str = "billing") -> list[work.Row]:
    found = [queue for queue in work.queues(world.staff(role), now=world.now) if queue.title == "Sweeps that fail"]
    return [row for queue in found for row in queue.rows]


def test_one_row_that_fails_at_every_run(
    world: World, shop: Shop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    alice = world.customer()
    stuck, other = shop.order(alice), shop.order(alice)
    world.now += timedelta(days=4)
    real = ordering.cancel

    def cancel(order: Order, *args: Any, **named: Any) -> Order:
        if order.pk == stuck.pk:
            raise RuntimeError("its promotion is gone")
        return real(order, *args, **named)

    monkeypatch.setattr(ordering, "cancel", cancel)
    begun = world.now
    for _ in range(3):
        ticking.run(EXPIRE, now=world.now)
        world.now += timedelta(minutes=5)
    other.refresh_from_db()
    assert other.state == OrderState.CANCELLED
    (row,) = rows(world)
    assert (row.title, row.since, row.note) == (EXPIRE, begun, f"{stuck.pk}: RuntimeError: its promotion is gone")
    monkeypatch.setattr("panel.core.clock.now", lambda: world.now)
    console: Client = logged_in(User.objects.get(pk=world.staff("billing").user_id))
    page = console.get("/ops/").content.decode()
    assert EXPIRE in page
    assert "its promotion is gone" in page

    monkeypatch.setattr(ordering, "cancel", real)
    ticking.run(EXPIRE, now=world.now)
    assert rows(world) == []
    monkeypatch.setattr(ordering, "cancel", cancel)
    Order.objects.filter(pk=stuck.pk).update(state=OrderState.AWAITING_PAYMENT, cancelled_at=None, cancel_reason="")
    ticking.run(EXPIRE, now=world.now)
    assert [row.since for row in rows(world)] == [world.now], "it had succeeded in between"


def test_one_that_breaks_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(now: Any, *, dry_run: bool = False) -> due.SweepReport:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setitem(due.SWEEPS, "story.breaks", due.Sweep("story.breaks", timedelta(minutes=1), breaks))
    ticking.run("story.breaks", now=world.now)
    assert [(row.title, row.note) for row in rows(world)] == [
        ("story.breaks", "ZeroDivisionError: nothing to divide by")
    ]
    assert rows(world, "support") == []
