"""Two copies on one PostgreSQL: one of them runs worker and clock, and the other takes over when that one is gone."""

import time
from pathlib import Path

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
                wait_for(lambda: len(effects(tmp_path / "one")) == 6, 15, "the first copy does all of it")
                assert effects(tmp_path / "two") == []
                one.kill()
                begun = time.monotonic()
                two.manage(script=_more())
                wait_for(lambda: len(effects(tmp_path / "two")) == 3, 30, "the second copy takes over")
                assert time.monotonic() - begun < lease.SILENCE.total_seconds() - 2, (
                    "a dead process of this machine is noticed without waiting its silence out"
                )
        assert len(set(effects(tmp_path / "one") + effects(tmp_path / "two"))) == 9


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
