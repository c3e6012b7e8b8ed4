"""What the fake remembers: one SQLite file (or memory), one lock, one transaction per request.

The effect of a request, its events, its planned webhook deliveries and its idempotency record are committed together,
so that a process killed at any moment has either all of them or none.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import string
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from invoicing.gateways.fake import weather
from invoicing.gateways.fake.faults import Fault, missing

API_VERSION = "2026-10-28.endive"
CALLS_KEPT = 5000
RESET = (
    "DELETE FROM objects",
    "DELETE FROM answers",
    "DELETE FROM deliveries",
    "DELETE FROM calls",
    "DELETE FROM settings",
)
ALPHABET = string.ascii_letters + string.digits
Object = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, status INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE TABLE IF NOT EXISTS calls (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, method TEXT NOT NULL,
    path TEXT NOT NULL, key TEXT NOT NULL, status INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class Store:
    def __init__(self, path: Path | None, *, webhook_url: str = "", own_base: str = "", mounted_at: str = "") -> None:
        self.webhook_url = webhook_url
        self.own_base = own_base
        self.mounted_at = mounted_at
        self.lock = threading.RLock()
        self.changed = threading.Event()
        self.request: dict[str, str | None] = {"id": None, "idempotency_key": None}
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        with self.lock:
            self._db.close()

    @contextmanager
    def transaction(self, request_id: str | None = None, key: str | None = None) -> Iterator[None]:
        """Everything inside is committed together, or nothing is. Its events name the request that caused them."""
        with self.lock:
            self.request = {"id": request_id, "idempotency_key": key}
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        self.changed.set()

    def sql(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        with self.lock:
            return self._db.execute(statement, values).fetchall()

    def page_base(self, return_url: str) -> str:
        """Where the pages that a person sees are found.

        On its own the fake serves them on its own port. Mounted in the panel, they stand under the host that the
        panel's own return address names, so that they open from wherever the panel does.
        """
        if not self.mounted_at:
            return self.own_base
        parts = urlsplit(return_url)
        return f"{parts.scheme}://{parts.netloc}{self.mounted_at}"

    # clock -----------------------------------------------------------------------------------------------------------
    def now(self) -> float:
        """Seconds since the epoch: the machine's clock plus an offset, or the instant it was frozen at."""
        frozen: float | None = self.setting("frozen_at", None)
        offset: float = self.setting("offset", 0)
        return float(frozen) if frozen is not None else time.time() + offset

    def setting(self, name: str, default: Any) -> Any:
        rows = self.sql("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(rows[0]["value"]) if rows else default

    def set(self, name: str, value: Any) -> None:
        self.sql(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            json.dumps(value),
        )

    # objects ---------------------------------------------------------------------------------------------------------
    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{''.join(secrets.choice(ALPHABET) for _ in range(24))}"

    def put(self, thing: Object) -> Object:
        self.sql(
            "INSERT INTO objects (id, kind, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            thing["id"],
            thing["object"],
            json.dumps(thing),
        )
        return thing

    def get(self, kind: str, ref: str, *, param: str = "id") -> Object:
        """The object, or the Fault Stripe gives for one that does not exist."""
        rows = self.sql("SELECT body FROM objects WHERE id = ? AND kind = ?", ref, kind)
        if not rows:
            raise missing(kind, ref, param)
        found: Object = json.loads(rows[0]["body"])
        return found

    def any(self, ref: str) -> Object | None:
        rows = self.sql("SELECT body FROM objects WHERE id = ?", ref)
        return json.loads(rows[0]["body"]) if rows else None

    def where(self, kind: str, **equal: Any) -> list[Object]:
        """Objects of a kind, newest first, whose top-level fields equal what is given."""
        rows = self.sql(
            "SELECT body FROM objects WHERE kind = ? AND NOT EXISTS (SELECT 1 FROM json_each(?) AS wanted WHERE "
            "json_extract(body, '$.' || wanted.key) IS NOT wanted.value) ORDER BY seq DESC",
            kind,
            json.dumps(equal),
        )
        return [json.loads(row["body"]) for row in rows]

    def emit(self, kind: str, thing: Object) -> None:
        """Record an event with a snapshot of the object, and plan its delivery."""
        event = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "context": None,
            "created": int(self.now()),
            "data": {"object": public(thing)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": dict(self.request),
            "type": kind,
        }
        self.put(event)
        if self.webhook_url:
            number = self.sql("SELECT seq FROM objects WHERE id = ?", event["id"])[0]["seq"]
            for delay in weather.delays(self.setting("weather", {}), number):
                self.sql(
                    "INSERT INTO deliveries (event, due, state) VALUES (?, ?, 'pending')",
                    event["id"],
                    self.now() + delay,
                )

    def log_call(self, method: str, path: str, key: str, status: int) -> None:
        with self.lock:
            self.sql(
                "INSERT INTO calls (at, method, path, key, status) VALUES (?, ?, ?, ?, ?)",
                self.now(),
                method,
                path,
                key,
                status,
            )
            self.sql("DELETE FROM calls WHERE seq <= (SELECT MAX(seq) FROM calls) - ?", CALLS_KEPT)

    def take_mischief(self, kind: str, path: str) -> Any:
        """What the control API asked to go wrong next for this path, once; None when nothing was asked."""
        with self.lock:
            waiting = self.setting("mischief", [])
            for one in waiting:
                if one["kind"] == kind and path.startswith(one["path"]):
                    one["times"] -= 1
                    self.set("mischief", [other for other in waiting if other["times"] > 0])
                    return one["value"]
        return None

    def reset(self) -> None:
        with self.transaction():
            for statement in RESET:
                self.sql(statement)


def public(thing: Object) -> Object:
    """The object as the outside sees it: without our private fields."""
    return {key: value for key, value in thing.items() if not key.startswith("_")}


def page(rows: list[Object], query: dict[str, Any], url: str) -> Object:
    """A list answer with Stripe's cursors. `rows` are newest first."""
    created = query.get("created", {})
    tests = {
        "gt": lambda at, edge: at > edge,
        "gte": lambda at, edge: at >= edge,
        "lt": lambda at, edge: at < edge,
        "lte": lambda at, edge: at <= edge,
    }
    rows = [row for row in rows if all(tests[name](row["created"], edge) for name, edge in created.items())]
    ids = [row["id"] for row in rows]
    limit = query.get("limit", 10)
    for cursor in ("starting_after", "ending_before"):
        if cursor in query and query[cursor] not in ids:
            raise Fault(f"No such object: '{query[cursor]}'", code="resource_missing", param=cursor)
    if "ending_before" in query:
        rows = rows[: ids.index(query["ending_before"])]
        return {
            "object": "list",
            "data": [public(row) for row in rows[-limit:]],
            "has_more": len(rows) > limit,
            "url": url,
        }
    if "starting_after" in query:
        rows = rows[ids.index(query["starting_after"]) + 1 :]
    return {"object": "list", "data": [public(row) for row in rows[:limit]], "has_more": len(rows) > limit, "url": url}
