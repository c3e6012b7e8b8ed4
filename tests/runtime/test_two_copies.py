"""Two copies on one PostgreSQL: one of them runs worker and clock, and the other takes over when that one is gone."""

from datetime import datetime
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from panel.core import lease
from tests.runtime.test_one_process import SLOW, effects, enqueue, wait_for
from tests.support.crashing import own_copy
from tests.support.program import Program

pytestmark = [pytest.mark.crash, pytest.mark.postgres]


def test_the_second_copy_waits_and_takes_over(tmp_path: Path) -> None:
    with own_copy(settings.DATABASES["default"], "two_copies") as url:
        environment = {"CLAUSE_DATABASE_URL": url, "CLAUSE_REDIS_URL": ""}
        with Program(tmp_path / "one", command=SLOW, environment=environment) as one:
            with Program(tmp_path / "two", command=SLOW, environment=environment) as two:
                enqueue(two, 6, 0.2)
                wait_for(lambda: len(effects(tmp_path / "one")) == 6, 60, "the first copy does all of it")
                assert effects(tmp_path / "two") == []
                one.kill()
                ((dead, last),) = lease_on(url)
                wait_for(lambda: [each for each, _at in lease_on(url)] not in ([], [dead]), 60, "another holder")
                ((_holder, first),) = lease_on(url)
                assert first - last < lease.SILENCE, (
                    "a dead process of this machine is noticed without waiting its silence out"
                )
                two.manage(script=_more())
                wait_for(lambda: len(effects(tmp_path / "two")) == 3, 60, "the second copy takes over")
        assert len(set(effects(tmp_path / "one") + effects(tmp_path / "two"))) == 9


def lease_on(url: str) -> list[tuple[str, datetime]]:
    """Who holds the lease, and the last sign of life."""
    with psycopg.connect(url) as connection:
        return [(holder, at) for holder, at in connection.execute("SELECT holder, heartbeat_at FROM core_runtimelease")]


def _more() -> str:
    return """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from django.db import transaction
from panel.core import clock, operations
with transaction.atomic():
    for n in range(100, 103):
        operations.enqueue("test.slow", key=f"job-{n}", now=clock.now(), payload={"seconds": 0.1})
"""
