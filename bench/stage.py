"""Production on this machine for a benchmark: services of its own, the real settings, granian on loopback."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from bench.load import Answer, Connection, request
from tests.support import cluster

ROOT = Path(__file__).resolve().parents[1]
NAME = "panel.example"
WORKERS = 2
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@contextlib.contextmanager
def production() -> Iterator[None]:
    """This process under the settings of production, on an empty, migrated database that is dropped afterwards."""
    with cluster.services() as services, tempfile.TemporaryDirectory(prefix="clause-bench-") as folder:
        os.environ.update(
            services, CLAUSE_PRODUCTION="1", CLAUSE_SECRET_KEY="bench-" + os.urandom(24).hex(), CLAUSE_SECRET_KEYS="",
            CLAUSE_HOSTS=NAME, CLAUSE_BASE_URL=f"https://{NAME}", CLAUSE_STRIPE_KEY="sk_test_bench",
            CLAUSE_STRIPE_WEBHOOK_SECRET="whsec_bench", CLAUSE_DATA=folder, CLAUSE_LOG_LEVEL="WARNING",
            DJANGO_SETTINGS_MODULE="panel.settings",
        )  # fmt: skip
        import django
        from django.core.management import call_command
        from django.db import connections

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        try:
            yield
        finally:
            connections.close_all()


def durable() -> None:
    """A throw-away PostgreSQL was started careless for speed; from here on it writes as one that holds real books."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW fsync")
        if cursor.fetchone() == ("off",):
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                cursor.execute(f"ALTER SYSTEM SET {name} = on")
            cursor.execute("CHECKPOINT")
            cursor.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def granian(application: str) -> Iterator[tuple[int, int]]:
    """`application` served as the pages of production are (compose.yaml); gives its port and its process group."""
    port = cluster.free_port()
    command = [
        str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(WORKERS), "--blocking-threads", "1", "--no-access-log", "--log-level", "warning", application,
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{application} did not start")
            time.sleep(0.1)
        yield port, server.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


@contextlib.contextmanager
def uvicorn(application: str) -> Iterator[tuple[int, int]]:
    """`application` served as the sockets and hooks of production are (compose.yaml); its port and process group."""
    port = cluster.free_port()
    command = [
        str(Path(sys.executable).parent / "uvicorn"), application, "--host", "127.0.0.1", "--port", str(port),
        "--lifespan", "off", "--no-access-log", "--ws-per-message-deflate", "false", "--log-level", "warning",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        await_port(port, server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def await_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Until `server` listens there; RuntimeError if it ends, or takes a minute."""
    deadline = time.monotonic() + 60
    while not _listens(port):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.args!r} did not start")
        time.sleep(0.1)


def _listens(port: int) -> bool:
    try:
        Connection(port).wire.close()
    except OSError:
        return False
    return True


class Browser:
    """Somebody's browser: keeps cookies, fills in forms."""

    def __init__(self, port: int) -> None:
        self.connection = Connection(port)
        self.cookies: dict[str, str] = {}

    def headers(self) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"Host": NAME, "Cookie": kept, "User_Agent": "bench", "Referer": f"https://{NAME}/"}

    def asking(self, path: str) -> bytes:
        """The bytes that ask for a page as this person."""
        return request(path, **self.headers())

    def get(self, path: str) -> Answer:
        return self._answer(self.asking(path))

    def submit(self, path: str, **fields: str) -> Answer:
        """Opens the page with the form and sends it filled in."""
        found = TOKEN.search(self.get(path).body.decode())
        if found is None:
            raise RuntimeError(f"{path} shows no form")
        body = urlencode({"csrfmiddlewaretoken": found[1], **fields}).encode()
        return self._answer(request(path, method="POST", body=body, **self.headers()))

    def _answer(self, asked: bytes) -> Answer:
        answer = self.connection.answer(asked)
        for line in answer.all("set-cookie"):
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer


def log_in(port: int, email: str, password: str, secret: str = "") -> Browser:
    """Logged in through the form; with the second factor, whose `secret` it is, where one is asked for."""
    from allauth.mfa.totp.internal import auth

    browser = Browser(port)
    answer = browser.submit("/account/login/", login=email, password=password)
    for place in answer.all("location"):
        if secret and place != "/":
            code = auth.format_hotp_value(auth.hotp_value(secret, next(auth.yield_hotp_counters_from_time())))
            answer = browser.submit(place, code=code)
    if answer.status != 302 or "sessionid" not in browser.cookies:
        raise RuntimeError(f"{email} could not log in: {answer.status} {answer.body.decode()[:2000]}")
    return browser
