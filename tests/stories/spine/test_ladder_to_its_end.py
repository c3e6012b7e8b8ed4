"""Nobody ever answers: from the paid order to a machine that is gone, on the simulated cloud (ABU-2 to ABU-5, ABU-11).

The steps themselves stand in tests/stories/abuse; here is what the customer paid, read, owed and lost along the way.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from abuse.models import Case
from invoicing.accounting import ledger
from panel.core.calendars import same_paris_time_later
from servers import providers
from servers.models import Address, Server
from servers.providers.simulated.control import Control
from tests.support.desk import Desk, blocked, fees, steps
from tests.support.machines import first_ip, simulated_place
from tests.support.shop import open_shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
SWEEPS = ("abuse.escalate", "servers.watch", "servers.meter", "servers.reconcile")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def till(world: World, cloud: Control, settings: Any) -> Iterator[Till]:
    with open_till(world, open_shop(world), settings) as opened:
        yield opened


def bought(world: World, till: Till, alice: Customer) -> Server:
    """Paid at the bank, running on the simulated cloud."""
    assert till.buy(alice, name="web-1").state == "succeeded"
    for _ in range(2):
        world.advance(seconds=10)
    server = Server.objects.get(account=alice.account)
    assert server.state == "running"
    return server


def test_forty_eight_hours_seventy_two_hours_seven_days(world: World, till: Till, cloud: Control) -> None:
    desk, alice = Desk(world), world.customer("Alice")
    server = bought(world, till, alice)
    ip = first_ip(server)
    case = desk.case(server)
    assert case.t0 is not None
    (notice,) = world.mails("abuse_opened", case.account)
    for words in ("48 hours", "EUR 90.00", "72 hours", "7 days", "EUR 280.00"):
        assert words in plain(notice.content.body), words

    world.until(case.t0 + timedelta(hours=48), sweeps=SWEEPS)
    assert (steps(case), fees(case)) == ([], [])
    world.advance(seconds=1, sweeps=SWEEPS)
    assert (steps(case)[-1], blocked(server)) == (("deactivate", "effective"), {ip})
    after_step(world, case, 1, "2026-03-05 09:00:20 CET: the account is suspended (ABU-4)", "EUR 280.00")

    world.until(case.t0 + timedelta(hours=72), sweeps=SWEEPS)
    assert len(steps(case)) == 1
    world.advance(seconds=1, sweeps=SWEEPS)
    world.advance(seconds=10)
    server.refresh_from_db()
    assert (steps(case)[-1], server.state) == (("suspend", "effective"), "suspended")
    after_step(world, case, 2, "the subscription is terminated, EUR 280.00 excluding VAT are charged (ABU-5)")

    suspended = case.steps.get(rung="suspend").effective_at
    assert suspended is not None
    world.until(same_paris_time_later(suspended, 7), sweeps=SWEEPS)
    assert len(steps(case)) == 2
    world.advance(seconds=1, sweeps=SWEEPS)
    assert steps(case)[-1] == ("terminate", "effective")
    after_step(world, case, 3)
    gone(world, till, cloud, server, case)

    world.advance(days=40, sweeps=SWEEPS)
    assert fees(case) == [("ABU-3", 9000), ("ABU-5", 28000)]
    invoices = till.shop.invoices(alice)
    assert [(one.net_cents, one.vat_cents, one.total_cents) for one in invoices] == [
        (590, 118, 708), (9000, 1800, 10800), (28000, 5600, 33600),
    ]  # fmt: skip
    assert [one.number for one in invoices] == [f"F2026-00000{position}" for position in (1, 2, 3)]
    assert all(any(one.number in letter.subject for letter in mail.outbox) for one in invoices)
    assert ledger.balance(ledger.CUSTOMERS, alice.account) == 10800 + 33600
    assert ledger.total() == 0
    assert world.failed_operations() == []


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def after_step(world: World, case: Case, number: int, *following: str) -> None:
    """ABU-11: one mail a step, with its reasons and with what comes next, and none twice."""
    for _ in range(2):
        world.sweep("abuse.escalate")
    world.work()
    mails = world.mails("abuse_step", case.account)
    assert len(mails) == number
    body = plain(mails[-1].content.body)
    assert case.reference in body
    assert ("What comes next" in body) is bool(following)
    assert [words for words in following if words not in body] == []


def gone(world: World, till: Till, cloud: Control, server: Server, case: Case) -> None:
    """ABU-5: the subscription has ended, the machine is destroyed and its address rests."""
    for _ in range(3):
        world.advance(seconds=20)
    case.subscription.refresh_from_db()
    assert (case.subscription.state, case.subscription.end_rule) == ("terminated", "ABU-5")
    server.refresh_from_db()
    assert server.state == "destroyed"
    assert case.address.pk not in Address.objects.filter(state="held").values_list("pk", flat=True)
    assert providers.get(server.place).find(server.token) is None
    case.refresh_from_db()
    assert case.state == "terminated"
