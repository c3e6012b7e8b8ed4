"""The simulated cloud's own memory: one SQLite file, each change one transaction, so that kill -9 loses nothing."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS machine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    place TEXT NOT NULL,
    ref TEXT NOT NULL UNIQUE,
    token TEXT NOT NULL,
    name TEXT NOT NULL,
    image TEXT NOT NULL,
    size TEXT NOT NULL,
    power TEXT NOT NULL,
    looks_left INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 1,
    rx INTEGER NOT NULL DEFAULT 0,
    tx INTEGER NOT NULL DEFAULT 0,
    counted_until TEXT,
    bytes_a_day INTEGER NOT NULL,
    answers INTEGER NOT NULL DEFAULT 1,
    deaf INTEGER NOT NULL DEFAULT 0,
    rescue INTEGER NOT NULL DEFAULT 0,
    build TEXT NOT NULL DEFAULT '',
    first_boot TEXT NOT NULL DEFAULT '',
    host_keys INTEGER NOT NULL DEFAULT 0,
    firewall TEXT NOT NULL DEFAULT '',
    disk TEXT NOT NULL DEFAULT '',
    content TEXT NOT NULL DEFAULT '',
    vcpu INTEGER NOT NULL DEFAULT 1,
    memory_mb INTEGER NOT NULL DEFAULT 1024,
    disk_gb INTEGER NOT NULL DEFAULT 20,
    filled INTEGER NOT NULL DEFAULT -1,
    up_since TEXT NOT NULL DEFAULT '',
    UNIQUE (place, token)
);
CREATE TABLE IF NOT EXISTS snapshot (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL,
    ref TEXT NOT NULL UNIQUE, token TEXT NOT NULL, machine TEXT NOT NULL, image TEXT NOT NULL, content TEXT NOT NULL,
    size INTEGER NOT NULL, looks_left INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS address (machine INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE, ip TEXT NOT NULL,
    first INTEGER NOT NULL, blocked INTEGER NOT NULL DEFAULT 0, UNIQUE (machine, ip));
CREATE TABLE IF NOT EXISTS ssh_key (machine INTEGER NOT NULL REFERENCES machine ON DELETE CASCADE, body TEXT NOT NULL,
    UNIQUE (machine, body));
CREATE TABLE IF NOT EXISTS snapshot_key (snapshot INTEGER NOT NULL REFERENCES snapshot ON DELETE CASCADE,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reverse (place TEXT NOT NULL, ip TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (place, ip));
CREATE TABLE IF NOT EXISTS push (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL, ref TEXT NOT NULL,
    kind TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS push_power AFTER UPDATE OF power ON machine WHEN OLD.power <> NEW.power BEGIN
    INSERT INTO push (place, ref, kind) VALUES (NEW.place, NEW.ref, 'machine.' || NEW.power);
    DELETE FROM push WHERE id < (SELECT max(id) FROM push) - 1000;
END;
CREATE TRIGGER IF NOT EXISTS push_gone AFTER DELETE ON machine BEGIN
    INSERT INTO push (place, ref, kind) VALUES (OLD.place, OLD.ref, 'machine.gone');
END;
CREATE TABLE IF NOT EXISTS call (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL, verb TEXT NOT NULL,
    ref TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS planned_fault (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL,
    verb TEXT NOT NULL, fault TEXT NOT NULL, times INTEGER NOT NULL);
"""


class Store:
    """Opens the file anew for each call: any number of threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(SCHEMA)
        with self.writing() as db:
            self._grow(db)

    @staticmethod
    def _grow(db: sqlite3.Connection) -> None:
        """A file of an earlier version gets the columns it lacks."""
        known = {row["name"] for row in db.execute("PRAGMA table_info(machine)")}
        for line in SCHEMA.partition(");")[0].splitlines():
            words = line.split()
            if "DEFAULT" in words and words[0] not in known:
                db.execute(f"ALTER TABLE machine ADD COLUMN {line.strip().rstrip(',')}")
        if "disk" not in known:  # until then a rebuilt machine's host key followed from its build
            db.execute("UPDATE machine SET disk = build")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for looking."""
        db = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys=ON")
            db.execute("PRAGMA synchronous=NORMAL")
            yield db
        finally:
            db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, all or nothing."""
        with self.reading() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
