"""What goes wrong with clouds, by seed or by plan: calls that fail, answers that get lost after the effect, repeats."""

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any
from zlib import crc32

from panel.core.errors import ProviderError

FAULTS = ("lost", "transient", "refused", "double")
WITH_EFFECT = frozenset({
    "create", "start", "stop", "shut_down", "reboot", "rename", "rebuild", "rescue", "leave_rescue", "destroy",
    "block_address", "unblock_address", "attach_address", "detach_address", "add_key", "remove_key",
    "set_firewall", "publish", "snapshot", "delete_snapshot", "restore",
})  # fmt: skip
KEPT_CALLS = 10_000


def error_of(fault: str, verb: str) -> ProviderError:
    """How the panel gets to see a fault."""
    match fault:
        case "lost":
            return ProviderError(
                f"{verb}: the connection broke before the answer came", code="unreachable", unknown=True
            )
        case "transient":
            return ProviderError(f"{verb}: the cloud's API is unavailable for the moment", code="unavailable")
        case _:
            return ProviderError(f"{verb}: the cloud refuses", permanent=True, code="refused")


class Trouble:
    """`seed` with the odds of `config["trouble"]` decides call by call; planned faults come first."""

    def __init__(self, place: str, config: Mapping[str, Any]) -> None:
        self.place = place
        self.seed = config.get("seed", 0)
        odds = config.get("trouble") or {}
        self.lost, self.transient, self.duplicate = (
            float(odds.get(name, 0)) for name in ("lost", "transient", "duplicate")
        )
        self._listings = 0

    def before(self, db: Connection, verb: str, ref: str) -> tuple[int, str | None]:
        """Writes the call down; (its number, the fault that stops it before it has any effect)."""
        number = (
            db.execute(
                "INSERT INTO call (place, verb, ref, outcome) VALUES (?, ?, ?, 'ok')", (self.place, verb, ref)
            ).lastrowid
            or 0
        )
        fault = self._planned(db, verb, ("transient", "refused"))
        if fault is None and self._draw("before", number) < self.transient:
            fault = "transient"
        if fault:
            db.execute("UPDATE call SET outcome = ? WHERE id = ?", (fault, number))
        if number % 1000 == 0:
            db.execute("DELETE FROM call WHERE id < ?", (number - KEPT_CALLS,))
        return number, fault

    def after(self, db: Connection, verb: str, number: int) -> bool:
        """Whether the answer of a call that has had its effect gets lost."""
        if verb not in WITH_EFFECT:
            return False
        lost = self._planned(db, verb, ("lost",)) is not None or self._draw("after", number) < self.lost
        if lost:
            db.execute("UPDATE call SET outcome = 'lost' WHERE id = ?", (number,))
        return lost

    def doubles(self, db: Connection, verb: str) -> bool:
        """Whether the cloud does what it was asked twice."""
        return self._planned(db, verb, ("double",)) is not None

    def repeats(self) -> bool:
        """Whether this listing names a machine twice."""
        self._listings += 1
        return self._draw("list", self._listings) < self.duplicate

    def _planned(self, db: Connection, verb: str, faults: tuple[str, ...]) -> str | None:
        row = db.execute(
            "SELECT id, fault FROM planned_fault WHERE place = ? AND verb IN (?, '*') AND times > 0"
            " AND fault IN (?, ?) ORDER BY id LIMIT 1",
            (self.place, verb, faults[0], faults[-1]),
        ).fetchone()
        if row is None:
            return None
        db.execute("UPDATE planned_fault SET times = times - 1 WHERE id = ?", (row["id"],))
        return str(row["fault"])

    def _draw(self, *key: object) -> float:
        return crc32(":".join(map(str, (self.seed, self.place, *key))).encode()) / 2**32
