"""The same functions under Celery: a commit in one process wakes a worker and moves a page in others."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from websockets.asyncio.client import connect

from panel import env
from tests.runtime.test_live_socket import PEOPLE, heard
from tests.runtime.test_one_process import wait_for
from tests.support.cluster import free_port
from tests.support.crashing import own_copy, url_of
from tests.support.program import ROOT

pytestmark = [pytest.mark.crash, pytest.mark.postgres, pytest.mark.redis]

ENQUEUE = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from django.db import transaction
from panel.core import clock, operations
with transaction.atomic():
    operations.enqueue("test.nobody-knows", key=os.environ["KEY"], now=clock.now())
"""
PUBLISH = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from panel.core import live
live.publish([os.environ["TOPIC"]], "changed", {"id": 3})
"""


class Site:
    """The processes of production on this machine."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database, self.port = folder, database, free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "CLAUSE_PRODUCTION": "1", "CLAUSE_SECRET_KEY": "k" * 60,
            "CLAUSE_SECRET_KEYS": "", "CLAUSE_HOSTS": "127.0.0.1",
            "CLAUSE_BASE_URL": f"http://127.0.0.1:{self.port}", "CLAUSE_DATABASE_URL": database,
            "CLAUSE_REDIS_URL": settings.CLAUSE_REDIS_URL, "CLAUSE_STRIPE_KEY": "sk_test_x",
            "CLAUSE_STRIPE_WEBHOOK_SECRET": "whsec_x", "CLAUSE_SSL_REDIRECT": "0", "CLAUSE_DATA": str(folder),
        }  # fmt: skip
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, *words: str, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *words: str) -> None:
        with (self.folder / "output.txt").open("ab") as output:
            command = [str(Path(sys.executable).parent / words[0]), *words[1:]]
            self._processes.append(
                subprocess.Popen(
                    command, cwd=ROOT, env=self.environment, stdout=output, stderr=output, start_new_session=True
                )
            )

    def said(self) -> str:
        return (self.folder / "output.txt").read_text(errors="replace")

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.database) as connection:
            return connection.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]

    def stop(self) -> None:
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        database = stack.enter_context(own_copy(settings.DATABASES["default"], "production"))
        site = Site(tmp_path_factory.mktemp("site"), database)
        stack.callback(site.stop)
        site.run("manage.py", "migrate", "--no-input", "-v0")
        site.run("manage.py", "collectstatic", "--no-input", "-v0")
        site.start(
            "celery", "-A", "panel.celery", "worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "INFO"
        )
        port = str(site.port)
        site.start("uvicorn", "panel.asgi:application", "--port", port, "--lifespan", "off", "--no-access-log")
        wait_for(lambda: " ready." in site.said() and "Uvicorn running" in site.said(), 90, f"the site:\n{site.said()}")
        yield site


def test_a_commit_wakes_a_worker(site: Site) -> None:
    site.run("-c", ENQUEUE, KEY="woken")
    taken = "SELECT state FROM core_operation WHERE key = 'woken' AND state = 'failed'"
    wait_for(lambda: bool(site.rows(taken)), 60, "the operation taken, though no beat runs")


def test_a_message_crosses_from_any_process_to_the_owners_page(site: Site) -> None:
    people = json.loads(site.run("-c", PEOPLE))

    async def story() -> None:
        address = f"ws://127.0.0.1:{site.port}/ws/live/"
        headers = {"Cookie": f"sessionid={people['owner']['cookie']}"}
        async with connect(
            address, additional_headers=headers, origin=site.environment["CLAUSE_BASE_URL"], proxy=None
        ) as page:
            topic = f"account:{people['owner']['account']}"
            await page.send(json.dumps({"watch": [topic]}))
            await heard(page, 1)  # "refresh", once the process has subscribed
            await asyncio.to_thread(site.run, "-c", PUBLISH, TOPIC=topic)
            assert await heard(page, 2) == [{"id": 3, "topic": topic, "event": "changed"}]

    asyncio.run(asyncio.wait_for(story(), 120))


def test_beat_runs_the_clock(site: Site) -> None:
    site.start("celery", "-A", "panel.celery", "beat", "--schedule", str(site.folder / "beat"))
    ticked = "SELECT name FROM core_tick WHERE name IN ('clock', 'core.seal')"
    wait_for(lambda: len(site.rows(ticked)) == 2, 90, f"two ticks:\n{site.said()[-2000:]}")
    wait_for(
        lambda: bool(site.rows("SELECT holder FROM core_runtimelease WHERE holder LIKE 'celery@%'")),
        60,
        "the worker's heartbeat",
    )


def test_the_url_of_the_tests_own_database_is_read_back() -> None:
    own = settings.DATABASES["default"]
    read = env.postgresql(url_of(own))
    assert [read[word] for word in ("NAME", "HOST", "USER")] == [own[word] for word in ("NAME", "HOST", "USER")]
