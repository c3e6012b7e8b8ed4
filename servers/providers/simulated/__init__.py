"""A cloud that exists in one SQLite file, labelled so wherever it shows. Strict like a real one, and nasty on demand.

Machines are PENDING for some looks before they run, answers get lost after the effect, calls fail now and then,
listings repeat a machine, capacity runs out: by seed (`trouble` in the place's configuration) or by plan (`control`).
It has no clock of its own: time enters with `counters(now=...)` alone, so that a demo world can walk through the past.
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from panel.core.errors import ProviderError
from servers.networking import firewall_rules
from servers.networking.firewall_rules import Policy
from servers.providers import Capabilities, Counters, Filtering, Node, NodeSpec, Size
from servers.providers.simulated import snapshots, traffic, vitals
from servers.providers.simulated.snapshots import SimulatedSnapshots
from servers.providers.simulated.store import Store
from servers.providers.simulated.trouble import Trouble, error_of
from servers.rules import Power
from servers.watching.vitals_rules import Reading

LINK_BPS = 1_000_000_000
PANEL = "192.0.2.254"  # where connections of the panel come from, as these machines see it


@cache
def _store(path: Path) -> Store:
    return Store(path)


def connect(place: str, config: Mapping[str, Any]) -> "SimulatedCloud":
    """`config`: label, file, boot_looks, latency_ms, capacity, seed, trouble {lost, transient, duplicate: 0..1}, and
    gives_addresses (a network) for a cloud that chooses its addresses itself."""
    return SimulatedCloud(place, config)


class SimulatedCloud(SimulatedSnapshots):
    """See the port for what each verb promises."""

    def __init__(self, place: str, config: Mapping[str, Any]) -> None:
        self.place = place
        self.store = _store(Path(str(config.get("file") or Path(settings.CLAUSE_DATA) / "simulated-cloud.sqlite3")))
        self.label = str(config.get("label") or "Simulated cloud")
        self.boot_looks = int(config.get("boot_looks", 2))
        self.latency = float(config.get("latency_ms", 0)) / 1000
        given = config.get("gives_addresses")
        self.network = ip_network(str(given)) if given else None
        self.capacity = int(config.get("capacity", 100_000))
        self.trouble = Trouble(place, config)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            label=self.label, simulated=True, start_stop=True, reboot=True, block_address=True, counters=True,
            vitals=True, host_key=True, keys=True, extra_addresses=True, resize=True, soft_stop=True, rename=True,
            rebuild=True, rescue=True, first_boot=True, firewall=Filtering(), snapshots=True, restore=True,
            chooses_address=self.network is not None, ipv6=True, any_block=self.network is None,
            counters_at_once=True, firewalls_at_once=True,
        )  # fmt: skip

    # ------------------------------------------------------------ life

    def create(self, spec: NodeSpec) -> Node:
        with self._call("create", spec.token) as db:
            row = self._by_token(db, spec.token)
            if row is None:
                (many,) = db.execute("SELECT count(*) FROM machine WHERE place = ?", (self.place,)).fetchone()
                if many >= self.capacity:
                    raise ProviderError(f"{self.label} is out of capacity", code="out_of_capacity")
                row = self._insert(db, spec)
            return self._node(db, row)

    def _insert(self, db: Connection, spec: NodeSpec) -> Row:
        address = spec.address or self._free_address(db)
        ref = "sim-" + hashlib.sha256(f"{self.place}:{spec.token}".encode()).hexdigest()[:10]
        power = Power.PENDING if self.boot_looks else Power.ON
        db.execute(
            "INSERT INTO machine (place, ref, token, name, image, size, power, looks_left, bytes_a_day, first_boot)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.place, ref, spec.token, spec.name, spec.image, spec.size.code, power, self.boot_looks,
             traffic.usual(ref), spec.first_boot),
        )  # fmt: skip
        row = self._existing(db, ref)
        vitals.sized(db, row["id"], spec.size)
        if spec.snapshot:
            snapshots.put_on(db, row, self.whole(db, spec.snapshot))
        db.execute("INSERT INTO address (machine, ip, first) VALUES (?, ?, 1)", (row["id"], address))
        self._let_in(db, row, spec.keys)
        return row

    def _let_in(self, db: Connection, row: Row, keys: tuple[str, ...]) -> None:
        db.executemany(
            "INSERT OR IGNORE INTO ssh_key (machine, body) VALUES (?, ?)", [(row["id"], body(key)) for key in keys]
        )

    def _free_address(self, db: Connection) -> str:
        if self.network is None:
            raise ProviderError("this cloud gives no addresses of its own", permanent=True, code="refused")
        taken = {ip for (ip,) in db.execute("SELECT ip FROM address").fetchall()}
        for ip in self.network.hosts():
            if str(ip) not in taken:
                return str(ip)
        raise ProviderError(f"{self.label} has no address left", code="out_of_capacity")

    def find(self, token: str) -> Node | None:
        with self._call("find", token) as db:
            return self._looked_at(db, self._by_token(db, token))

    def get(self, ref: str) -> Node | None:
        with self._call("get", ref) as db:
            return self._looked_at(db, self._by_ref(db, ref))

    def list(self) -> list[Node]:
        with self._call("list", "") as db:
            rows = db.execute("SELECT * FROM machine WHERE place = ? ORDER BY id", (self.place,)).fetchall()
            nodes = [self._node(db, row) for row in rows]
        if nodes and self.trouble.repeats():
            nodes.append(nodes[0])
        return nodes

    def start(self, ref: str) -> Node:
        with self._call("start", ref) as db:
            row = self._ready(db, ref)
            if row["power"] == Power.OFF:
                self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    def stop(self, ref: str) -> Node:
        with self._call("stop", ref) as db:
            row = self._ready(db, ref)
            db.execute("UPDATE machine SET power = ? WHERE id = ?", (Power.OFF, row["id"]))
            return self._node(db, self._ready(db, ref))

    def shut_down(self, ref: str) -> None:
        with self._call("shut_down", ref) as db:
            row = self._ready(db, ref)
            if not row["deaf"]:
                db.execute("UPDATE machine SET power = ? WHERE id = ?", (Power.OFF, row["id"]))

    def reboot(self, ref: str) -> Node:
        with self._call("reboot", ref) as db:
            row = self._ready(db, ref)
            if row["power"] != Power.ON:
                raise ProviderError("a machine that is off cannot be rebooted", permanent=True, code="wrong_state")
            self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    def destroy(self, ref: str) -> None:
        with self._call("destroy", ref) as db:
            db.execute("DELETE FROM machine WHERE place = ? AND ref = ?", (self.place, ref))

    def resize(self, ref: str, size: Size) -> Node:
        with self._call("resize", ref) as db:
            row = self._ready(db, ref)
            if row["size"] != size.code:
                db.execute("UPDATE machine SET size = ? WHERE id = ?", (size.code, row["id"]))
                vitals.sized(db, row["id"], size)
                if row["power"] == Power.ON:
                    self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    def rename(self, ref: str, name: str) -> None:
        with self._call("rename", ref) as db:
            db.execute("UPDATE machine SET name = ? WHERE id = ?", (name, self._ready(db, ref)["id"]))

    def rebuild(self, ref: str, spec: NodeSpec, mark: str) -> Node:
        with self._call("rebuild", ref) as db:
            row = self._ready(db, ref)
            if row["build"] != mark:
                db.execute(
                    "UPDATE machine SET image = ?, first_boot = ?, build = ?, disk = ?, content = '', deaf = 0,"
                    " rescue = 0 WHERE id = ?",
                    (spec.image, spec.first_boot, mark, mark, row["id"]),
                )
                db.execute("DELETE FROM ssh_key WHERE machine = ?", (row["id"],))
                self._let_in(db, row, spec.keys)
                self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    def rescue(self, ref: str, keys: tuple[str, ...]) -> Node:
        return self._boot_into("rescue", ref, 1)

    def leave_rescue(self, ref: str) -> Node:
        return self._boot_into("leave_rescue", ref, 0)

    def _boot_into(self, verb: str, ref: str, rescue: int) -> Node:
        with self._call(verb, ref) as db:
            row = self._ready(db, ref)
            if row["rescue"] != rescue:
                db.execute("UPDATE machine SET rescue = ? WHERE id = ?", (rescue, row["id"]))
                self._power_on(db, row)
            return self._node(db, self._ready(db, ref))

    # ------------------------------------------------------------ addresses

    def block_address(self, ref: str, ip: str) -> None:
        self._set_block("block_address", ref, ip, 1)

    def unblock_address(self, ref: str, ip: str) -> None:
        self._set_block("unblock_address", ref, ip, 0)

    def _set_block(self, verb: str, ref: str, ip: str, value: int) -> None:
        with self._call(verb, ref) as db:
            row = self._existing(db, ref)
            found = db.execute("UPDATE address SET blocked = ? WHERE machine = ? AND ip = ?", (value, row["id"], ip))
            if not found.rowcount:
                raise ProviderError(f"{ip} is not an address of {ref}", permanent=True, code="refused")

    def blocked(self, ref: str) -> set[str]:
        with self._call("blocked", ref) as db:
            row = self._existing(db, ref)
            found = db.execute("SELECT ip FROM address WHERE machine = ? AND blocked = 1", (row["id"],)).fetchall()
        return {ip for (ip,) in found}

    def attach_address(self, ref: str, ip: str) -> None:
        with self._call("attach_address", ref) as db:
            row = self._ready(db, ref)
            taken = "SELECT 1 FROM address JOIN machine ON machine = id WHERE place = ? AND ip = ? AND machine <> ?"
            if db.execute(taken, (self.place, ip, row["id"])).fetchone():
                raise ProviderError(f"{ip} is on another machine", permanent=True, code="refused")
            db.execute("INSERT OR IGNORE INTO address (machine, ip, first) VALUES (?, ?, 0)", (row["id"], ip))

    def detach_address(self, ref: str, ip: str) -> None:
        with self._call("detach_address", ref) as db:
            row = self._ready(db, ref)
            db.execute("DELETE FROM address WHERE machine = ? AND ip = ? AND first = 0", (row["id"], ip))

    # ------------------------------------------------------------ firewall

    def set_firewall(self, ref: str, policy: Policy) -> None:
        with self._call("set_firewall", ref) as db:
            row = self._ready(db, ref)
            kept = json.dumps(firewall_rules.as_json(policy.canonical()))
            db.execute("UPDATE machine SET firewall = ? WHERE id = ?", (kept, row["id"]))

    def firewall(self, ref: str) -> Policy:
        with self._call("firewall", ref) as db:
            return firewall_rules.of_json(json.loads(self._existing(db, ref)["firewall"] or "{}"))

    def firewalls_of(self, refs: Sequence[str]) -> Mapping[str, Policy]:
        with self._call("firewall", "") as db:
            rows = _among(db, self.place, refs)
        return {row["ref"]: firewall_rules.of_json(json.loads(row["firewall"] or "{}")) for row in rows}

    # ------------------------------------------------------------ counters and keys

    def counters(self, ref: str, *, now: datetime) -> Counters:
        with self._call("counters", ref) as db:
            return _counted(db, self._existing(db, ref), now)

    def counters_of(self, refs: Sequence[str], *, now: datetime) -> Mapping[str, Counters]:
        with self._call("counters", "") as db:
            return {row["ref"]: _counted(db, row, now) for row in _among(db, self.place, refs)}

    def vitals(self, ref: str, *, now: datetime) -> Reading | None:
        with self._call("vitals", ref) as db:
            row = self._existing(db, ref)
            return vitals.read(db, row, now) if row["power"] == Power.ON else None

    def host_key(self, ref: str) -> str:
        with self._call("host_key", ref) as db:
            row = self._existing(db, ref)
        disk = ["rescue"] if row["rescue"] else [part for part in (row["disk"], row["host_keys"]) if part]
        words = " ".join(map(str, [f"host key of {ref}", *disk]))
        secret = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(words.encode()).digest())
        return secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def add_key(self, ref: str, key: str) -> None:
        with self._call("add_key", ref) as db:
            row = self._ready(db, ref)
            db.execute("INSERT OR IGNORE INTO ssh_key (machine, body) VALUES (?, ?)", (row["id"], body(key)))

    def remove_key(self, ref: str, key: str) -> None:
        with self._call("remove_key", ref) as db:
            row = self._ready(db, ref)
            db.execute("DELETE FROM ssh_key WHERE machine = ? AND body = ?", (row["id"], body(key)))

    def answers_ssh(self, ref: str) -> bool:
        """Whether the machine's SSH would answer: on, at least its first address open, and not silenced."""
        with self.store.reading() as db:
            row = self._by_ref(db, ref)
            if row is None or row["power"] != Power.ON or not row["answers"]:
                return False
            (open_ones,) = db.execute(
                "SELECT count(*) FROM address WHERE machine = ? AND first = 1 AND blocked = 0", (row["id"],)
            ).fetchone()
        return bool(open_ones)

    def met_at(self, ref: str, ip: str, port: int) -> str:
        """What a connection to `port` would meet: only SSH listens on these machines."""
        listens = port == firewall_rules.SSH and self.answers_ssh(ref)
        with self.store.reading() as db:
            row = self._by_ref(db, ref)
            on = row is not None and row["power"] == Power.ON
            found = db.execute(
                "SELECT count(*) FROM address WHERE machine = ? AND ip = ? AND blocked = 0",
                (row["id"] if row else 0, ip),
            ).fetchone()
            policy = firewall_rules.of_json(json.loads((row["firewall"] if row else "") or "{}"))
        asked = (firewall_rules.Direction.IN, firewall_rules.Protocol.TCP, port, PANEL)
        if not on or not found[0] or policy.verdict(*asked) is firewall_rules.Verdict.DROP:
            return "filtered"
        return "open" if listens else "closed"

    # ------------------------------------------------------------ reverse names

    def publish(self, ip: str, name: str) -> None:
        with self._call("publish", ip) as db:
            db.execute("DELETE FROM reverse WHERE place = ? AND ip = ?", (self.place, ip))
            if name:
                db.execute("INSERT INTO reverse (place, ip, name) VALUES (?, ?, ?)", (self.place, ip, name))

    def published(self, ip: str) -> str:
        with self._call("published", ip) as db:
            row = db.execute("SELECT name FROM reverse WHERE place = ? AND ip = ?", (self.place, ip)).fetchone()
        return str(row["name"]) if row else ""

    # ------------------------------------------------------------ inside

    @contextmanager
    def _call(self, verb: str, ref: str) -> Iterator[Connection]:
        """One call to the cloud, one transaction of its file; trouble comes before it or, a lost answer, after it."""
        if self.latency:
            time.sleep(self.latency)
        lost = False
        with self.store.writing() as db:
            number, fault = self.trouble.before(db, verb, ref)
            if fault is None:
                yield db
                lost = self.trouble.after(db, verb, number)
        if fault:
            raise error_of(fault, verb)
        if lost:
            raise error_of("lost", verb)

    def _by_token(self, db: Connection, token: str) -> Row | None:
        row: Row | None = db.execute(
            "SELECT * FROM machine WHERE place = ? AND token = ?", (self.place, token)
        ).fetchone()
        return row

    def _by_ref(self, db: Connection, ref: str) -> Row | None:
        row: Row | None = db.execute("SELECT * FROM machine WHERE place = ? AND ref = ?", (self.place, ref)).fetchone()
        return row

    def _existing(self, db: Connection, ref: str) -> Row:
        row = self._by_ref(db, ref)
        if row is None:
            raise ProviderError(f"no machine {ref}", permanent=True, code="not_found")
        return row

    def _ready(self, db: Connection, ref: str) -> Row:
        row = self._existing(db, ref)
        if row["power"] == Power.PENDING:
            raise ProviderError(f"{ref} is still being made", code="busy")
        return row

    def _power_on(self, db: Connection, row: Row) -> None:
        """A power cycle makes a new interface: its counters begin anew, at zero."""
        db.execute(
            "UPDATE machine SET power = ?, epoch = epoch + 1, rx = 0, tx = 0, counted_until = NULL WHERE id = ?",
            (Power.ON, row["id"]),
        )

    def _looked_at(self, db: Connection, row: Row | None) -> Node | None:
        """Machines come up while they are being looked at."""
        if row is None:
            return None
        if row["power"] == Power.PENDING:
            left = row["looks_left"] - 1
            power = Power.PENDING if left > 0 else Power.ON
            db.execute("UPDATE machine SET looks_left = ?, power = ? WHERE id = ?", (left, power, row["id"]))
            row = self._existing(db, row["ref"])
        return self._node(db, row)

    def _node(self, db: Connection, row: Row) -> Node:
        ips = db.execute("SELECT ip FROM address WHERE machine = ? ORDER BY first DESC, ip", (row["id"],)).fetchall()
        return Node(
            ref=row["ref"], token=row["token"], name=row["name"], power=Power(row["power"]), place=self.place,
            addresses=tuple(ip for (ip,) in ips), size=row["size"], build=row["build"], rescue=bool(row["rescue"]),
        )  # fmt: skip


def body(key: str) -> str:
    """The part of an OpenSSH key line that counts: kind and key, without the comment. ProviderError if it is none."""
    words = key.split()
    try:
        base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError) as error:
        raise ProviderError("not an OpenSSH public key", permanent=True, code="refused") from error
    return " ".join(words[:2])


def _among(db: Connection, place: str, refs: Sequence[str]) -> list[Row]:
    asked = "SELECT * FROM machine WHERE place = ? AND ref IN (SELECT value FROM json_each(?))"
    return db.execute(asked, (place, json.dumps(list(refs)))).fetchall()


def _counted(db: Connection, row: Row, now: datetime) -> Counters:
    """The machine's counters, which ran on until `now` where it is on."""
    rx, tx = row["rx"], row["tx"]
    since = datetime.fromisoformat(row["counted_until"]) if row["counted_until"] else None
    if row["power"] == Power.ON and (since is None or since < now):
        if since is not None:
            more_rx, more_tx = traffic.between(row["ref"], since, now, row["bytes_a_day"])
            rx, tx = rx + more_rx, tx + more_tx
        db.execute(
            "UPDATE machine SET rx = ?, tx = ?, counted_until = ? WHERE id = ?",
            (rx, tx, now.astimezone(UTC).isoformat(), row["id"]),
        )
        vitals.up_since(db, row, now)
    return Counters(epoch=f"{row['ref']}/{row['epoch']}", rx_bytes=rx, tx_bytes=tx, at=now, link_bps=LINK_BPS)
