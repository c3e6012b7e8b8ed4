"""What the simulated cloud tells by itself: that a machine went on, off or away. It may be lost, and is then lost."""

import http.client
import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from servers import providers
from servers.providers.simulated import SimulatedCloud
from servers.providers.simulated.store import Store
from servers.pushes import push_rules

log = logging.getLogger(__name__)

EVERY = 0.5  # seconds
PATIENCE = 5  # seconds


def told(store: Store, place: str) -> list[bytes]:
    """The messages of `place` that were not taken yet, oldest first; each is given once."""
    with store.writing() as db:
        rows = db.execute("SELECT * FROM push WHERE place = ? ORDER BY id", (place,)).fetchall()
        db.execute("DELETE FROM push WHERE place = ?", (place,))
    return [
        json.dumps({"id": f"{row['ref']}.{row['id']}", "ref": row["ref"], "kind": row["kind"]}).encode()
        for row in rows
    ]  # fmt: skip


class Messenger:
    """Brings the messages of every simulated place to the panel at `hooks`, a URL that the place's name is added to."""

    def __init__(self, hooks: str, clock: Callable[[], datetime]) -> None:
        self.hooks, self.clock = hooks, clock
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="simulated-pushes", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        self.thread.join(PATIENCE)

    def _run(self) -> None:
        while not self.ended.wait(EVERY):
            for place, config in providers.places().items():
                if config.get("provider") == "simulated" and config.get("push_secret"):
                    self.bring(place, str(config["push_secret"]))

    def bring(self, place: str, secret: str) -> None:
        """Take what `place` has to tell, and deliver it; what nobody takes in is lost."""
        cloud = providers.get(place)
        if not isinstance(cloud, SimulatedCloud):
            return
        for raw in told(cloud.store, place):
            try:
                post(f"{self.hooks}{place}/", raw, push_rules.signature(secret, raw, self.clock()))
            except OSError as error:  # lost: the next regular look sees it
                log.info("message of %s lost: %s", place, error)


def post(url: str, raw: bytes, signature: str) -> int:
    """Deliver one message; the status of the answer. OSError where nobody answers."""
    there = urlsplit(url)
    line = http.client.HTTPConnection(there.netloc, timeout=PATIENCE)
    try:
        line.request("POST", there.path, raw, {"Content-Type": "application/json", push_rules.HEADER: signature})
        return line.getresponse().status
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        line.close()
