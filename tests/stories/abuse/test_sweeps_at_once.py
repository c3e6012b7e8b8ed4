"""Many sweeps, many copies of one report, at the same time: everything happens once (ABU-1, ABU-11)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from abuse import escalation
from abuse.models import Case, Report
from panel.core import operations
from servers.providers.simulated.control import Control
from tests.support.crowd import at_once
from tests.support.desk import Desk, fees, invoices, steps
from tests.support.machines import first_ip, server_of, simulated_place
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def place(tmp_path: Path) -> Any:
    with simulated_place(tmp_path) as control:
        yield control


def test_one_block_one_fee_from_twelve_sweeps(place: Control) -> None:
    world = World()
    desk = Desk(world)
    server = server_of(world, world.customer())
    case = desk.case(server)
    world.now += timedelta(hours=48, seconds=1)

    def sweep() -> None:
        escalation.escalate(world.now)
        operations.run_due(world.now)

    at_once(sweep, 12)
    world.work()
    assert steps(case) == [("deactivate", "effective")]
    assert fees(case) == [("ABU-3", 9000)]
    assert len(invoices(case)) == 1


def test_one_case_from_twelve_reports(place: Control) -> None:
    world = World()
    desk = Desk(world)
    server = server_of(world, world.customer())
    ip, at = first_ip(server), world.now
    at_once(lambda: desk.report(ip, at=at), 12)
    assert Case.objects.count() == 1
    assert Report.objects.filter(state="joined").count() == 12


def test_one_report_from_twelve_copies_of_one_mail(place: Control) -> None:
    world = World()
    desk = Desk(world)
    server = server_of(world, world.customer())
    raw = desk.xarf(first_ip(server))
    at_once(lambda: desk.receive(raw, desk.secret), 12)
    assert Report.objects.get().copies == 12
    assert Case.objects.count() == 1
