"""What every test stands on: the database as it is after a migration, and the services that are really there."""

import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from invoicing.documents import InvoiceDocument
from invoicing.issuing import printing
from invoicing.platforms.simulated import running as platform_office
from invoicing.subscribing import kinds
from invoicing.vies.simulated import running as vat_office
from panel.core import triggers
from tests.support import migrated, presence
from tests.support.shop import Shop, open_shop
from tests.support.world import World

_left_out: Counter[str] = Counter()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests whose service is missing are skipped with the reason, or fail if services are required. Files with a long
    test begin first, so that no worker is left alone with one at the end."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)
    for item in items:
        if "pages" in item.path.parts:
            item.add_marker("page")
        for mark in presence.MARKS:
            if item.get_closest_marker(mark) and (reason := presence.missing(mark)):
                item.add_marker(pytest.mark.wants(reason))


def pytest_configure(config: pytest.Config) -> None:
    hypothesis_settings.register_profile(  # a busy machine is no defect of what is tested; the gate asks the same twice
        "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=presence.required()
    )
    hypothesis_settings.load_profile("busy")
    config.addinivalue_line("markers", "wants(reason): set by the suite on a test whose service is missing")
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # or every request is told that it is not there
    _own_cache(os.environ.get("PYTEST_XDIST_WORKER", ""))


def _own_cache(worker: str) -> None:
    """Tests clear the cache: each worker (gw0, gw1 ...) has a Redis database of its own, below the one of the run."""
    url = urlsplit(settings.CLAUSE_REDIS_URL)
    if worker and url.netloc:
        number = int(url.path.lstrip("/") or 0) - 1 - int(worker.removeprefix("gw"))
        assert number >= 0, "CLAUSE_TEST_REDIS_URL must name a database with a number no smaller than the workers"
        settings.CACHES["default"]["LOCATION"] = url._replace(path=f"/{number}").geturl()


def pytest_collection_finish() -> None:
    """What is loaded stays to the end: it need not be looked through for rubbish again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_unconfigure() -> None:
    """Each run, and each of its workers, has a data directory of its own."""
    data = settings.CLAUSE_DATA
    if data.name.startswith("clause-test-") and data.parent == Path(tempfile.gettempdir()).resolve():
        shutil.rmtree(data, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if mark := item.get_closest_marker("wants"):
        if presence.required():
            pytest.fail(f"needs {mark.args[0]}", pytrace=False)
        pytest.skip(f"needs {mark.args[0]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With services required, no marked test gets away with a skip of its own either."""
    outcome: Any = yield
    report = outcome.get_result()
    marked = any(item.get_closest_marker(mark) for mark in presence.MARKS)
    if report.skipped and marked and presence.required():
        report.outcome, report.longrepr = "failed", f"skipped, though services are required: {report.longrepr}"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and "needs " in report.longrepr[2]:
        _left_out[report.longrepr[2].removeprefix("Skipped: ")] += 1


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for reason, count in sorted(_left_out.items()):
        terminalreporter.write_line(f"not run: {count} tests, {reason}", yellow=True)


def _is_embedded() -> bool:
    return settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The database starts as a copy of a migrated one."""
    if _is_embedded():
        migrated.copy_to(Path(settings.DATABASES["default"]["TEST"]["NAME"]))
    else:
        connection.settings_dict["TEST"]["TEMPLATE"] = os.environ.get("CLAUSE_TEST_TEMPLATE")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """What lies there is used; it goes with the data directory of the run."""
    return _is_embedded()


@pytest.fixture
def world() -> World:
    return World("2026-03-02 09:00")


@pytest.fixture
def shop(db: None, world: World, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Something on sale, of a service that only notes what it was asked."""
    opened = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", opened.service)
    return opened


@pytest.fixture(autouse=True)
def _plain_paper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a document looks like is seldom a story's subject; one that reads it is marked `paper`."""
    if "stories" in request.path.parts and not request.node.get_closest_marker("paper"):
        monkeypatch.setattr(printing, "files_of", _plain)


def _plain(document: InvoiceDocument) -> printing.Files:
    words = f"{document.number} plain".encode()
    return printing.Files(b"%PDF-1.7 " + words, *([words, words] if document.process else []))


@pytest.fixture(autouse=True)
def _english_until_asked() -> Iterator[None]:
    """A request leaves its reader's language behind in the thread."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _offices_forget() -> None:
    """What earlier tests handed in at the simulated offices was rolled back here, and its keys come again."""
    for office in (platform_office, vat_office):
        if office.cache_info().currsize:
            office().calm()


@pytest.fixture(scope="session", autouse=True)
def _flush_keeps_the_law() -> Iterator[None]:
    """A flush empties append-only tables, which triggers refuse, and rows constraints lean on, which must return."""
    operations = type(connection.ops)
    plain = operations.execute_sql_flush

    def flush(self: Any, sql_list: list[str]) -> None:
        if self.connection.vendor == "sqlite":
            triggers.drop(self.connection)
        else:
            sql_list = ["SET session_replication_role = replica", *sql_list, "RESET session_replication_role"]
        plain(self, sql_list)
        triggers.install(self.connection)

    operations.execute_sql_flush = flush  # type: ignore[method-assign]
    yield
    operations.execute_sql_flush = plain  # type: ignore[method-assign]
