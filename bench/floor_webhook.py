"""The floor of bench_webhook: the least that taking a signed message in and keeping it costs on this machine.

No framework: HMAC over the bytes, one table with a unique key, and all that came while the last commit was under way
goes into the next by one INSERT; only then is it answered. On the same server as the product.
"""

import asyncio
import hashlib
import hmac
import json
import os
from typing import Any

import psycopg

SECRET = b"whsec_bench"
TABLE = (
    "CREATE TABLE IF NOT EXISTS floor_message (provider text, event_id text, raw bytea, UNIQUE (provider, event_id))"
)
KEEP = (
    "INSERT INTO floor_message SELECT 'stripe', e, r FROM unnest(%s::text[], %s::bytea[]) u (e, r)"
    " ON CONFLICT DO NOTHING"
)
_waiting: list[tuple[str, bytes, asyncio.Future[None]]] = []
_open: list[psycopg.AsyncConnection[Any]] = []
_tasks: list[asyncio.Task[None]] = []


async def keep() -> None:
    if not _open:
        _open.append(await psycopg.AsyncConnection.connect(os.environ["CLAUSE_DATABASE_URL"], autocommit=True))
    while _waiting:
        some = _waiting[:]
        del _waiting[:]
        await _open[0].execute(KEEP, [[one[0] for one in some], [one[1] for one in some]])
        for *_, done in some:
            done.set_result(None)


async def application(scope: Any, receive: Any, send: Any) -> None:
    raw, more = b"", True
    while more:
        message = await receive()
        raw, more = raw + message.get("body", b""), message.get("more_body", False)
    status, given = 400, dict(scope["headers"]).get(b"stripe-signature", b"").decode()
    parts = dict(part.split("=", 1) for part in given.split(",") if "=" in part)
    told = hmac.new(SECRET, parts.get("t", "").encode() + b"." + raw, hashlib.sha256).hexdigest()
    if hmac.compare_digest(told, parts.get("v1", "")):
        done = asyncio.get_running_loop().create_future()
        _waiting.append((json.loads(raw)["id"], raw, done))
        if not _tasks or _tasks[-1].done():
            _tasks[:] = [asyncio.create_task(keep())]
        await done
        status = 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})
