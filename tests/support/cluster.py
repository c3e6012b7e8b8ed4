"""Runs a command with a PostgreSQL and a Redis: `python tests/support/cluster.py pytest -q`.

Those named by CLAUSE_TEST_DATABASE_URL and CLAUSE_TEST_REDIS_URL are used. Without them throw-away ones are started,
which are faster and nobody else's; and where no binary is installed, what runs on this machine's usual ports. In a
PostgreSQL that others may use databases of this run's own are made, and dropped afterwards; in Redis each worker has a
database below the one named (15, and so 11 to 14, unless said otherwise) for its cache. The panel's tables are migrated
once: CLAUSE_TEST_TEMPLATE names the database that every other is a copy of.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
WAIT = 30.0  # seconds until a service must have come up
MEMORY, ROOM = "/dev/shm", 4 << 30  # what is thrown away need not touch a disk, where this many bytes are free
ABSENT = 69  # the exit code when a service can neither be found nor started (EX_UNAVAILABLE)


class Missing(Exception):
    """A service is neither running nor installed."""


def program(name: str) -> str | None:
    """A binary from the PATH, or from where Debian hides PostgreSQL's."""
    hidden = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(hidden[0]) if hidden else shutil.which(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def other_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def answers(url: str) -> bool:
    """Whether a PostgreSQL at `url` lets us in and lets us make databases."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
            return bool((row.fetchone() or (False,))[0])
    except psycopg.Error:
        return False


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database."""
    named = os.environ.get("CLAUSE_TEST_DATABASE_URL", "")
    initdb, postgres = program("initdb"), program("postgres")
    if named or not (initdb and postgres):
        running = named or "postgresql://postgres@127.0.0.1:5432/postgres"
        if not answers(running):
            raise Missing(
                "PostgreSQL: " + ("the one named does not let us in" if named else "neither installed nor running")
            )
        with own_database(running) as url:
            yield url
        return
    port, user = free_port(), other_user()
    make = [
        str(initdb),
        "-D",
        f"{folder}/db",
        "-A",
        "trust",
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    subprocess.run(make, cwd=folder, check=True, stdout=subprocess.DEVNULL, **user)
    settings = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
    with Path(f"{folder}/db/postgresql.conf").open("a") as file:  # what is said here can be changed while it runs
        file.writelines(f"{setting}\n" for setting in settings)
    start = [str(postgres), "-D", f"{folder}/db", "-k", str(folder), "-h", "127.0.0.1", "-p", str(port)]
    log = (folder / "postgresql.log").open("w")
    server = subprocess.Popen(start, cwd=folder, stdout=log, stderr=log, start_new_session=True, **user)
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?host={folder}"  # by its socket, half as far as by TCP
        wait_until(lambda: answers(url), "PostgreSQL")
        with own_database(url) as own:
            yield own
    finally:
        server.send_signal(signal.SIGINT)  # its fast shutdown
        server.wait(20)
        log.close()


@contextlib.contextmanager
def own_database(url: str) -> Iterator[str]:
    """A database of this run alone in a server others may use; it and what tests made of it are dropped afterwards."""
    import psycopg

    name = f"clause_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            made = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%{name}%"]).fetchall()
            for (each,) in made:
                connection.execute(f'DROP DATABASE IF EXISTS "{each}" WITH (FORCE)')


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis."""
    named, binary = os.environ.get("CLAUSE_TEST_REDIS_URL", ""), program("redis-server")
    if named or not binary:
        running = named or "redis://127.0.0.1:6379/15"
        if not redis_answers(running):
            raise Missing("Redis: " + ("the one named does not answer" if named else "neither installed nor running"))
        yield running
        return
    port = free_port()
    start = [
        binary,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    server = subprocess.Popen(start, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True, **other_user())
    try:
        wait_until(lambda: redis_answers(f"redis://127.0.0.1:{port}/0"), "Redis")
        yield f"redis://127.0.0.1:{port}/15"
    finally:
        server.terminate()
        server.wait(20)


def redis_answers(url: str) -> bool:
    import redis as client

    try:
        return bool(client.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1).ping())
    except (client.RedisError, OSError):
        return False


def wait_until(up: Callable[[], bool], name: str) -> None:
    end = time.monotonic() + WAIT
    while not up():
        if time.monotonic() > end:
            raise Missing(f"{name}: it was started, but does not answer")
        time.sleep(0.1)


@contextlib.contextmanager
def services() -> Iterator[dict[str, str]]:
    """The environment that points the panel at both services."""
    roomy = Path(MEMORY).is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="clause-services-", dir=MEMORY if roomy else None))
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    try:
        with postgresql(folder) as database, redis(folder) as cache:
            template = migrated(database, folder / "data")
            yield {"CLAUSE_DATABASE_URL": database, "CLAUSE_REDIS_URL": cache, "CLAUSE_TEST_TEMPLATE": template}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def migrated(url: str, data: Path) -> str:
    """The name of a database beside the one at `url`, as it is after every migration; nobody stays connected to it."""
    import psycopg

    name = f"{urlsplit(url).path.lstrip('/')}_migrated"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    own = urlsplit(url)._replace(path=f"/{name}").geturl()
    subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity", "0", "--skip-checks"], check=True, cwd=ROOT,
        env={**os.environ, "CLAUSE_DATABASE_URL": own, "CLAUSE_REDIS_URL": "", "CLAUSE_DATA": str(data)},
    )  # fmt: skip
    return name


def main() -> int:
    try:
        with services() as environment:
            return subprocess.run(sys.argv[1:], env={**os.environ, **environment}, check=False).returncode
    except Missing as missing:
        print(f"no second pass for want of {missing}", file=sys.stderr)
        return ABSENT


if __name__ == "__main__":
    sys.exit(main())
