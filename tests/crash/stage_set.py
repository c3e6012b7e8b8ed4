"""What the three scenes share: who is on the stage, the bank in the next room, and the state that must come out."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings

from abuse.models import Case
from invoicing.accounting import ledger
from invoicing.gateways.fake import FakeStripe, serve
from invoicing.models import Invoice, Order, Payment, Subscription
from invoicing.offering import catalogue
from panel.accounts.models import Account, Membership, Restriction
from panel.core import operations
from panel.core.models import Operation
from servers import providers
from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.world import Customer, World

START = "2026-03-02 09:00"
SECRET = "whsec_crash"
PRINTING = "invoicing.render_pdf"  # has no part in what is decided, and takes longest


def data() -> Path:
    return Path(settings.CLAUSE_DATA)


def note(**facts: Any) -> None:
    """What `prepare` leaves for the other acts; they run in processes of their own."""
    (data() / "scene.json").write_text(json.dumps(facts))


def noted() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((data() / "scene.json").read_text())
    return facts


def world_at(hours: float = 0) -> World:
    """The scene's world, `hours` after its start: every act plays at the same instants."""
    world = World(START)
    world.now += timedelta(hours=hours)
    return world


def the_customer() -> Customer:
    membership = Membership.objects.select_related("user", "account").get(is_owner=True)
    return Customer(membership.user, membership.account)


def furnish() -> tuple[World, Customer]:
    """The catalogue and one customer."""
    world = world_at()
    catalogue.install_catalogue()
    return world, world.customer("Alice")


def work(world: World, *, without: str = PRINTING) -> None:
    """The worker, until nothing is due; a machine or a back-off that needs minutes gets them."""
    kinds = [kind for kind in operations.HANDLERS if kind not in (PRINTING, without)]
    end = world.now + timedelta(minutes=30)
    now = world.now
    while True:
        if operations.run_due(now, kinds=kinds):
            continue
        waiting = Operation.objects.filter(state="due", kind__in=kinds, due_at__lte=end).order_by("due_at").first()
        if waiting is None or waiting.due_at is None:
            return
        now = max(now, waiting.due_at)


def start_again(now: datetime) -> None:
    """What a fresh start does first: it is alone on its data, so what was running is due."""
    operations.take_back_running(now)


@contextmanager
def bank() -> Iterator[FakeStripe]:
    """The payment provider: its memory outlives every crash of the panel."""
    told = {"kind": "stripe", "api_key": "sk_test_clause", "webhook_secret": SECRET}
    opened = serve("127.0.0.1", 0, data() / "bank.sqlite3", "http://127.0.0.1:9/hooks/", SECRET)
    opened.control("deliveries", paused=True)
    opened.control("clock", set=world_at().now.timestamp())
    settings.CLAUSE_GATEWAY = {**told, "api_base": opened.base}
    try:
        yield opened
    finally:
        opened.stop()


def outcome() -> dict[str, Any]:
    """Everything that must be there once, and nothing that must not."""
    account = Account.objects.get()
    machines = Control("sim-1").refs()
    blocked = [str(ip) for server in Server.objects.exclude(provider_ref="")
               for ip in providers.get(server.place).blocked(server.provider_ref)]  # fmt: skip
    return {
        "orders": _states(Order), "payments": _states(Payment), "subscriptions": _states(Subscription),
        "machines": len(machines), "servers": _states(Server), "blocked": len(blocked),
        "documents": [[row.number, row.net_cents, row.vat_cents, row.total_cents]
                      for row in Invoice.objects.filter(account=account).order_by("pk")],
        "ledger": ledger.total(), "cases": _states(Case), "restrictions": _states(Restriction),
        "steps": [list(row) for row in _steps()],
        "open": dict(Counter(Operation.objects.exclude(kind=PRINTING).exclude(state="done")
                             .values_list("kind", flat=True))),
    }  # fmt: skip


def _states(model: Any) -> dict[str, int]:
    return dict(Counter(model.objects.values_list("state", flat=True)))


def _steps() -> Iterator[tuple[str, str, int]]:
    for case in Case.objects.all():
        for step in case.steps.order_by("pk"):
            yield step.rung, step.state, case.statements.count()
