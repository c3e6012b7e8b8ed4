"""Changes that reach 1,000 signed-in sockets through Redis, each socket its own account's alone, against a bare server
that broadcasts every update to every socket.

The product's server is production's for sockets (uvicorn, compose.yaml), its messages are those of `live.publish`, sent
by another process. Each account has 100 updates of its five servers in a round, so that every socket is owed as much as
with the bare server. A socket is done once it has the newest value of each of its topics. Afterwards everything that
came is read: nothing of other accounts, and nothing newer followed by something older.
"""

import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from statistics import median
from typing import Any

from bench import measure, processor, seeding, stage
from tests.support import cluster, sockets
from tests.support.sockets import Tab

SOCKETS, ACCOUNTS, SERVERS, UPDATES, ROUNDS = 1000, 20, 5, 100, 5  # SERVERS: of each account; UPDATES: in a round
KEYS = 2 * SERVERS  # a socket watches its account and each server, and hears of a server under both names
LAST, EVENT = '"last":%d', "servers.server.seen"


def people() -> list[tuple[int, str]]:
    """1,000 people of 20 accounts with five servers each; the account of each and the key of their session."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from invoicing.models import Package, Subscription
    from invoicing.offering import catalogue
    from panel.accounts.middleware import ACCOUNT_IN_SESSION
    from panel.accounts.models import Account, Membership, User
    from servers.models import Server

    catalogue.install_catalogue()
    package, began = Package.objects.get(code="vps-s"), "now() - interval '60 days'"
    email, account = "'person' || n || '@customer.example'", f"1 + n %% {ACCOUNTS}"
    seeding.fill(User, SOCKETS, email=email, name="'Person ' || n", password="'!'", created_at=began,
                 confirmed_at=began)  # fmt: skip
    seeding.fill(
        Account, ACCOUNTS, reference=seeding.reference("ACC"), kind="'business'", name="'Owner ' || n",
        company="'Company ' || n", billing_email=email, created_at=began,
    )  # fmt: skip
    seeding.fill(Membership, SOCKETS, user="n", account=account, is_owner=f"n <= {ACCOUNTS}",
                 permissions="'[\"see\"]'", created_at=began)  # fmt: skip
    seeding.fill(
        Subscription, ACCOUNTS * SERVERS, reference=seeding.reference("SUB"), account=account, package=str(package.pk),
        service_kind="'vps'", interval="'month'", price_cents="590", anchor_on="current_date - 60",
        period_start="current_date - 1", period_end="current_date + 29", usage_from="current_date - 1",
        terms_version=f"'{seeding.TERMS}'", started_at=began,
    )  # fmt: skip
    seeding.fill(
        Server, ACCOUNTS * SERVERS, reference=seeding.reference("SRV"), account=account, subscription="n",
        name="'web-' || n", state="'running'", place=f"'{seeding.PLACE}'", provider_ref="'vm-' || n",
        image="'debian-12'", size="'{\"code\": \"vps-s\", \"vcpu\": 1, \"memory_mb\": 2048, \"disk_gb\": 25}'",
        ordered_at=began, ready_at=began,
    )  # fmt: skip
    store, found = import_module(settings.SESSION_ENGINE).SessionStore, []
    for user in User.objects.order_by("pk"):
        session = store()
        session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session[ACCOUNT_IN_SESSION] = 1 + user.pk % ACCOUNTS
        session.save()
        found.append((1 + user.pk % ACCOUNTS, session.session_key))
    return found


def servers_of(account: int) -> list[int]:
    return [pk for pk in range(1, ACCOUNTS * SERVERS + 1) if 1 + pk % ACCOUNTS == account]


def told(turn: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(account, server, payload) of every update of a round, in their order; the last of each server says so."""
    of = {account: servers_of(account) for account in range(1, ACCOUNTS + 1)}
    for number in range(UPDATES):
        for account, servers in of.items():
            server = servers[number % SERVERS]
            last = {"last": turn} if number >= UPDATES - SERVERS else {}
            yield account, server, {"id": server, "value": turn * UPDATES + number, **last}


def publish_by_redis(turn: int, done: Any) -> None:
    """As `servers.action_log.published` does after a commit, each message by itself."""
    from panel.core import live

    for account, server, payload in told(turn):
        topics = [f"server:{server}", f"account:{account}", "staff"]
        live.channel().send(live.encode(topics, EVENT, payload))
    done.send(time.perf_counter())


def publish_bare(port: int, turn: int, done: Any) -> None:
    """100 updates in all, of the same length as the product's."""
    teller = Tab(port, "/publish", Host="127.0.0.1")
    for number in range(UPDATES):
        last = f",{LAST % turn}" if number == UPDATES - 1 else ""
        value = turn * UPDATES + number
        teller.say(f'[{{"id":{number % SERVERS},"value":{value}{last},"topic":"server:17","event":"{EVENT}"}}]')
    done.send(time.perf_counter())
    time.sleep(1)  # what is on its way arrives before the wire is closed


def round_of(
    tabs: list[Tab], publisher: Callable[..., None], arguments: tuple[Any, ...], wanted: int
) -> tuple[float, float]:
    """Seconds from the first update until every socket is done, and until 99 of 100 are after the last update."""
    marker = (LAST % arguments[-1]).encode()
    for tab in tabs:
        tab.got.clear()
    hears, says = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=publisher, args=(*arguments, says))
    started = time.perf_counter()
    process.start()
    ended = sorted(sockets.gather(tabs, lambda tab: tab.got.count(marker) >= wanted).values())
    sent = hears.recv()
    process.join()
    return ended[-1] - started, max(0.0, ended[len(ended) * 99 // 100 - 1] - sent)


def right(tab: Tab, account: int, turn: int) -> bool:
    """Whether a socket heard of its own servers alone, each name's values in their order and the newest last."""
    newest: dict[tuple[str, int], int] = {}
    own = {f"account:{account}", *(f"server:{server}" for server in servers_of(account))}
    for message in tab.messages():
        key = (message["topic"], message["id"])
        if message["topic"] not in own or message["value"] <= newest.get(key, -1):
            return False
        newest[key] = message["value"]
    wanted = {server: payload["value"] for of, server, payload in told(turn) if of == account}
    return newest == {
        (topic, pk): value for pk, value in wanted.items() for topic in (f"server:{pk}", f"account:{account}")
    }


def signed_in(port: int, people_: list[tuple[int, str]]) -> list[Tab]:
    """A socket for each, watching their account and its servers, and refused another account."""
    tabs = []
    for account, key in people_:
        tab = Tab(port, "/ws/live/", Host=stage.NAME, Origin=f"https://{stage.NAME}", Cookie=f"sessionid={key}",
                  X_Forwarded_Proto="https")  # fmt: skip
        own = [f"account:{account}", *(f"server:{pk}" for pk in servers_of(account))]
        tab.say(json.dumps({"watch": [*own, f"account:{account % ACCOUNTS + 1}"], "since": 1}))
        tabs.append(tab)
    sockets.gather(tabs, lambda tab: tab.got.count(b'"missed"') == len(own) and tab.got.count(b'"refused"') == 1)
    return tabs


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """The floor's server: its port and its process group."""
    port = cluster.free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.floor_fanout", str(port)], cwd=stage.ROOT, start_new_session=True
    )
    try:
        stage.await_port(port, server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    sockets.room_for(SOCKETS)
    with stage.production():
        from django.conf import settings
        from django.db import connections

        from panel.core import live
        from panel.core.live.redis_channel import RedisChannel

        known = people()
        connections.close_all()
        live.use(RedisChannel(settings.CLAUSE_REDIS_URL))
        with stage.uvicorn("panel.asgi:application") as panel, bare() as floor:
            held = {"floor": [Tab(floor[0], "/", Host="127.0.0.1") for _ in range(SOCKETS)]}
            sockets.gather(held["floor"], lambda tab: b"[]" in tab.got)
            held["product"] = signed_in(panel[0], known)
            spent = {"floor": processor.spent_by(floor[1]), "product": processor.spent_by(panel[1])}
            wall, busy, late = ({name: list[float]() for name in held} for _ in range(3))
            good = sane = True
            for turn in range(1, ROUNDS + 1):
                for name in list(held)[:: -1 if turn % 2 else 1]:
                    before = spent[name]()
                    how = (publish_bare, (floor[0], turn), 1) if name == "floor" else (publish_by_redis, (turn,), KEYS)
                    seconds, behind = round_of(held[name], *how)
                    busy[name].append(spent[name]() - before)
                    wall[name].append(seconds)
                    late[name].append(behind)
                good &= all(right(tab, account, turn) for tab, (account, _) in zip(held["product"], known, strict=True))
                sane &= all(sum(1 for _ in tab.frames()) == UPDATES for tab in held["floor"])
    report(wall, busy, late, {
        "every socket ends with the newest value of each of its topics, in order, and nothing of other accounts": good,
        "the floor sent every update to every socket": sane,
    })  # fmt: skip


def report(
    wall: dict[str, list[float]], busy: dict[str, list[float]], late: dict[str, list[float]], checks: dict[str, bool]
) -> None:
    rows = [
        (name, f"{SOCKETS * UPDATES / median(wall[name]):,.0f}", f"{median(late[name]) * 1000:,.0f} ms",
         measure.ratio(wall[name], wall["floor"]), measure.ratio(busy[name], busy["floor"]))
        for name in wall
    ]  # fmt: skip
    head = ("1,000 sockets, 100 updates", "updates a second", "99 of 100 after the last", "x floor by the clock",
            "x floor, processor")  # fmt: skip
    measure.table(head, rows)
    measure.verdict(checks)
    measure.conclude("bench_fanout", measure.ratio(wall["product"], wall["floor"]).middle)


if __name__ == "__main__":
    main()
