"""Delivering events to the merchant: signed, at least once, with back-off, and as badly as the weather says."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import random
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from invoicing.gateways.fake import balance, intents, refunds, sessions
from invoicing.gateways.fake.store import Store, public

GIVE_UP_AFTER = 3 * 24 * 3600
LONGEST_WAIT = 3600.0
ANSWER_WITHIN = 10
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parcel:
    """One delivery: the bytes and the signature header that the merchant gets."""

    delivery: int
    event: str
    body: bytes
    signature: str


def sign(body: bytes, secret: str, at: float) -> str:
    stamp = str(int(at))
    mac = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


def wrap(store: Store, delivery: int, ref: str, secret: str) -> Parcel:
    body = json.dumps(public(store.get("event", ref)), indent=2).encode()
    return Parcel(delivery, ref, body, sign(body, secret, store.now()))


class Courier:
    """Delivers what is due, in its own thread once started."""

    def __init__(self, store: Store, secret: str, *, first_wait: float = 5.0) -> None:
        self.store = store
        self.secret = secret
        self.first_wait = first_wait
        self._stop = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fake-stripe-webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.store.changed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=ANSWER_WITHIN)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.store.changed.wait(timeout=0.25)
            self.store.changed.clear()
            if self._stop.is_set():
                return
            try:
                tick(self.store)
                if not self.store.setting("paused", None):
                    self.deliver_due()
            except Exception:
                logger.exception("the simulated payment provider could not deliver its webhooks")
                time.sleep(1)

    def due(self) -> list[Parcel]:
        """What should be delivered now, in the order of the weather."""
        rows = self.store.sql(
            "SELECT seq, event FROM deliveries WHERE state = 'pending' AND due <= ? ORDER BY due, seq", self.store.now()
        )
        weather = self.store.setting("weather", {})
        if weather.get("shuffle"):
            random.Random(f"{weather.get('seed', 0)}:{len(rows)}").shuffle(rows)  # noqa: S311 - a simulation
        return [wrap(self.store, row["seq"], row["event"], self.secret) for row in rows]

    def deliver_due(self) -> int:
        """Deliver everything due; the number that the merchant accepted."""
        with self._one_at_a_time:
            accepted = 0
            for parcel in self.due():
                if self._stop.is_set():
                    break
                status = self._post(parcel)
                self.settle(parcel, status)
                accepted += 200 <= status < 300
            return accepted

    def settle(self, parcel: Parcel, status: int) -> None:
        """Write down the merchant's answer; anything but 2xx is tried again, longer and longer apart."""
        with self.store.lock:
            row = self.store.sql("SELECT attempts FROM deliveries WHERE seq = ?", parcel.delivery)
            if not row:
                return
            attempts = row[0]["attempts"] + 1
            event = self.store.get("event", parcel.event)
            if 200 <= status < 300:
                state, due = "done", self.store.now()
                event["pending_webhooks"] = 0
                self.store.put(event)
            else:
                due = self.store.now() + min(self.first_wait * 2 ** (attempts - 1), LONGEST_WAIT)
                state = "pending" if due < event["created"] + GIVE_UP_AFTER else "failed"
            self.store.sql(
                "UPDATE deliveries SET attempts = ?, state = ?, status = ?, due = ? WHERE seq = ?",
                attempts,
                state,
                status,
                due,
                parcel.delivery,
            )

    def _post(self, parcel: Parcel) -> int:
        target = urlsplit(self.store.webhook_url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(target.hostname or "", target.port, timeout=ANSWER_WITHIN)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": parcel.signature,
            "User-Agent": "Stripe/1.0 (simulated)",
        }
        try:
            connection.request("POST", target.path or "/", parcel.body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def tick(store: Store) -> None:
    """What time alone does: sessions expire, direct debits settle, some refunds come back, payouts arrive."""
    with store.lock:
        now = store.now()
        waiting: list[Any] = store.sql(
            "SELECT 1 FROM objects WHERE (kind = 'checkout.session' AND json_extract(body, '$.status') = 'open' AND "
            "json_extract(body, '$.expires_at') <= ?) OR (kind = 'payment_intent' AND json_extract(body, '$.status') = "
            "'processing' AND json_extract(body, '$._settles_at') <= ?) OR (kind = 'refund' AND "
            "json_extract(body, '$.status') = 'pending' AND json_extract(body, '$._fails_at') <= ?) OR "
            "(kind = 'payout' AND "
            "json_extract(body, '$.status') = 'in_transit' AND json_extract(body, '$.arrival_date') <= ?) LIMIT 1",
            now,
            now,
            now,
            now,
        )
        if waiting:
            with store.transaction():
                sessions.expire_due(store)
                intents.settle_due(store)
                refunds.fail_due(store)
                balance.arrive_due(store)
