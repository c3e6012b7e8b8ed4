"""The simulated cloud's snapshots: late ones, doubled ones, and nobody who remembers what was asked before.

Unlike its machines they are not kept apart by token: who asks twice gets two. A snapshot is whole after some looks.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from sqlite3 import Connection, Row

from panel.core.errors import ProviderError
from servers.providers import Node, Snapshot
from servers.providers.simulated.trouble import Trouble

GB = 10**9
BLOCK = 4096


class SimulatedSnapshots(ABC):
    """Part of `SimulatedCloud`, which has what is abstract here; see the port for what each verb promises."""

    place: str
    label: str
    boot_looks: int
    trouble: Trouble

    @abstractmethod
    def _call(self, verb: str, ref: str) -> AbstractContextManager[Connection]:
        """A call that may go wrong as it was planned, with the store open for writing."""

    @abstractmethod
    def _ready(self, db: Connection, ref: str) -> Row:
        """The machine, once it is made."""

    @abstractmethod
    def _power_on(self, db: Connection, row: Row) -> None:
        """Its power comes back, and its counters begin anew."""

    @abstractmethod
    def _node(self, db: Connection, row: Row) -> Node:
        """The machine as the port tells of it."""

    def snapshot(self, ref: str, token: str) -> Snapshot:
        if (there := self.find_snapshot(token)) is not None:
            return there
        with self._call("snapshot", ref) as db:
            row = self._ready(db, ref)
            made = self._copy(db, row, token)
            if self.trouble.doubles(db, "snapshot"):
                self._copy(db, row, token)
            return made

    def _copy(self, db: Connection, row: Row, token: str) -> Snapshot:
        (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM snapshot").fetchone()
        size = 2 * GB + BLOCK * (number % 100) + len(row["content"])
        db.execute(
            "INSERT INTO snapshot (id, place, ref, token, machine, image, content, size, looks_left)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, self.place, f"snap-{number}", token, row["ref"], row["image"], row["content"], size,
             self.boot_looks),
        )  # fmt: skip
        db.execute(
            "INSERT INTO snapshot_key (snapshot, body) SELECT ?, body FROM ssh_key WHERE machine = ?",
            (number, row["id"]),
        )
        return _snapshot(self._snapshot_row(db, f"snap-{number}"))

    def find_snapshot(self, token: str) -> Snapshot | None:
        with self._call("find_snapshot", token) as db:
            row = db.execute(
                "SELECT * FROM snapshot WHERE place = ? AND token = ? ORDER BY id", (self.place, token)
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE snapshot SET looks_left = max(0, looks_left - 1) WHERE id = ?", (row["id"],))
            return _snapshot(self._snapshot_row(db, row["ref"]))

    def snapshots(self) -> Sequence[Snapshot]:
        with self._call("snapshots", "") as db:
            rows = db.execute("SELECT * FROM snapshot WHERE place = ? ORDER BY id", (self.place,)).fetchall()
        found = [_snapshot(row) for row in rows]
        return [*found, found[0]] if found and self.trouble.repeats() else found

    def delete_snapshot(self, snapshot: str) -> None:
        with self._call("delete_snapshot", snapshot) as db:
            db.execute("DELETE FROM snapshot WHERE place = ? AND ref = ?", (self.place, snapshot))

    def restore(self, ref: str, snapshot: str, mark: str) -> Node:
        with self._call("restore", ref) as db:
            row = self._ready(db, ref)
            if row["build"] != mark:
                put_on(db, row, self.whole(db, snapshot))
                db.execute("UPDATE machine SET build = ?, rescue = 0 WHERE id = ?", (mark, row["id"]))
                self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    def whole(self, db: Connection, snapshot: str) -> Row:
        """A snapshot that something can be made of."""
        row = self._snapshot_row(db, snapshot)
        if row["looks_left"]:
            raise ProviderError(f"{snapshot} is not whole yet", code="busy")
        return row

    def _snapshot_row(self, db: Connection, snapshot: str) -> Row:
        row: Row | None = db.execute(
            "SELECT * FROM snapshot WHERE place = ? AND ref = ?", (self.place, snapshot)
        ).fetchone()
        if row is None:
            raise ProviderError(f"{self.label} has no snapshot {snapshot}", permanent=True, code="no_snapshot")
        return row


def put_on(db: Connection, machine: Row, snapshot: Row) -> None:
    """The machine's disk holds what the snapshot's did, the keys of then among it."""
    db.execute(
        "UPDATE machine SET image = ?, content = ? WHERE id = ?",
        (snapshot["image"], snapshot["content"], machine["id"]),
    )
    db.execute("DELETE FROM ssh_key WHERE machine = ?", (machine["id"],))
    db.execute(
        "INSERT INTO ssh_key (machine, body) SELECT ?, body FROM snapshot_key WHERE snapshot = ?",
        (machine["id"], snapshot["id"]),
    )


def _snapshot(row: Row) -> Snapshot:
    return Snapshot(row["ref"], row["token"], row["looks_left"] == 0, row["size"])
