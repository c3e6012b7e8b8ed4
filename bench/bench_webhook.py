"""The payment provider's messages over 64 connections, every tenth a repeat, against a bare handler on the same server.

The server is production's for sockets and hooks (uvicorn, compose.yaml). Every message that was answered with 200 is
looked up in the table afterwards, with its bytes and with the operation that acts upon it, each exactly once.
"""

import hashlib
import hmac
import json
import selectors
import time
from dataclasses import dataclass, field
from itertools import count
from statistics import median

from bench import floor_webhook, measure, processor, stage
from bench.load import Connection, request

CONNECTIONS, ROUNDS, MESSAGES = 64, 5, 3000  # messages in a round
REPEAT = 10  # every tenth message is one that was sent before
PATH = "/hooks/stripe/"
_numbers = count(1)


@dataclass
class Stretch:
    """What a stretch of load came to: messages answered, the ids that were acknowledged, other answers."""

    taken: int = 0
    wrong: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    acknowledged: set[str] = field(default_factory=set)


def message(number: int) -> tuple[str, bytes]:
    """The id of a message, and the request that brings it, signed just now."""
    name, now = f"evt_bench_{number:09d}", int(time.time())
    body = json.dumps({
        "id": name, "object": "event", "api_version": "2025-03-31", "created": now, "type": "payment_intent.created",
        "livemode": False, "pending_webhooks": 1, "request": {"id": "req_1", "idempotency_key": f"key-{number}"},
        "data": {"object": {
            "id": f"pi_{number}", "object": "payment_intent", "amount": 708, "currency": "eur", "status": "succeeded",
            "customer": "cus_1", "description": "Order " * 20, "metadata": {"payment": f"PAY-{number:08d}"},
        }},
    }).encode()  # fmt: skip
    signed = hmac.new(floor_webhook.SECRET, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    sent = request(PATH, method="POST", body=body, Host=stage.NAME, Stripe_Signature=f"t={now},v1={signed}")
    return name, sent.replace(b"application/x-www-form-urlencoded", b"application/json")


def made(count_: int) -> list[tuple[str, bytes]]:
    """Messages in the order they are sent, each tenth one that was sent before it."""
    found: list[tuple[str, bytes]] = []
    for place in range(count_):
        repeat = place % REPEAT == REPEAT - 1
        found.append(found[place - REPEAT // 2] if repeat else message(next(_numbers)))
    return found


def load(port: int, sent: list[tuple[str, bytes]], spent: processor.Spent) -> Stretch:
    """Sends all of them, CONNECTIONS at a time."""
    chooser, waiting, result = selectors.DefaultSelector(), iter(sent), Stretch()
    asked: dict[Connection, str] = {}
    for name, raw in (next(waiting) for _ in range(CONNECTIONS)):
        connection = Connection(port)
        chooser.register(connection.wire, selectors.EVENT_READ, connection)
        asked[connection] = name
        connection.ask(raw)
    before, started = spent(), time.perf_counter()
    while asked:
        for key, _ in chooser.select(5):
            connection = key.data
            if not connection.read():
                continue
            name = asked.pop(connection)
            result.taken += 1
            if connection.good:
                result.acknowledged.add(name)
            else:
                result.wrong += 1
            for name, raw in [one for one in [next(waiting, None)] if one]:
                asked[connection] = name
                connection.ask(raw)
    result.seconds, result.busy = time.perf_counter() - started, spent() - before
    for key in list(chooser.get_map().values()):
        key.data.wire.close()
    return result


def kept(acknowledged: set[str], bare: set[str]) -> dict[str, bool]:
    """Whether each 200 told the truth."""
    from django.db import connection

    from invoicing.models import WebhookEvent
    from invoicing.paying.payment_models import WebhookBody
    from panel.core.models import Operation

    names = list(WebhookEvent.objects.values_list("event_id", flat=True))
    owed = list(Operation.objects.filter(kind="payments.told").values_list("key", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM floor_message")
        floor = {name for (name,) in cursor.fetchall()}
    return {
        f"every one of {len(acknowledged):,} messages that got a 200 is in the table": acknowledged <= set(names),
        "none is there twice, and none that was not sent": len(names) == len(set(names)) and set(names) <= acknowledged,
        "each has its bytes": WebhookBody.objects.count() == len(names),
        "each is acted upon once": sorted(owed) == sorted(f"told:stripe:{name}" for name in names),
        "the floor kept its own": bare <= floor,
    }


def main() -> None:
    with stage.production():
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(floor_webhook.TABLE)
        stage.durable()
        with (
            stage.uvicorn("panel.asgi:application") as panel,
            stage.uvicorn("bench.floor_webhook:application") as floor,
        ):
            contenders = {"floor": floor, "product": panel}
            for port, _group in contenders.values():
                first = load(port, made(300), lambda: 0.0)
            acknowledged = {"floor": set[str](), "product": set(first.acknowledged)}
            spent = {name: processor.spent_by(group) for name, (_port, group) in contenders.items()}
            stretches: dict[str, list[Stretch]] = {name: [] for name in contenders}
            for turn in range(ROUNDS):
                for name in list(contenders)[:: -1 if turn % 2 else 1]:
                    one = load(contenders[name][0], made(MESSAGES), spent[name])
                    acknowledged[name] |= one.acknowledged
                    stretches[name].append(one)
        checks = kept(acknowledged["product"], acknowledged["floor"])
    checks["every answer was 200"] = not any(one.wrong for each in stretches.values() for one in each)
    report(stretches, checks)


def report(stretches: dict[str, list[Stretch]], checks: dict[str, bool]) -> None:
    wall = {name: [one.seconds for one in each] for name, each in stretches.items()}
    busy = {name: [one.busy for one in each] for name, each in stretches.items()}
    rows = [
        (name, f"{MESSAGES / median(wall[name]):,.0f}", measure.ratio(wall[name], wall["floor"]),
         measure.ratio(busy[name], busy["floor"]))
        for name in stretches
    ]  # fmt: skip
    measure.table(("messages, 64 connections", "a second", "x floor by the clock", "x floor, processor"), rows)
    measure.verdict(checks)
    measure.conclude("bench_webhook", measure.ratio(wall["product"], wall["floor"]).middle)


if __name__ == "__main__":
    main()
