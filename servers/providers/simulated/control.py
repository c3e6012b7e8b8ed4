"""The back door of the simulated cloud: what a demo world or a test does to it that no customer can."""

from typing import Any

from servers import providers
from servers.providers.simulated import SimulatedCloud, pushing
from servers.providers.simulated.trouble import FAULTS
from servers.rules import Power


class Control:
    """For the simulated place `place`; TypeError for any other."""

    def __init__(self, place: str) -> None:
        cloud = providers.get(place)
        if not isinstance(cloud, SimulatedCloud):
            raise TypeError(f"{place} is not simulated")
        self.place, self.store = place, cloud.store

    def plan(self, verb: str, fault: str, *, times: int = 1) -> None:
        """The next `times` calls of `verb` ("*": any) meet `fault`: lost (after the effect), transient, refused, or
        are done twice (double; snapshots)."""
        if fault not in FAULTS:
            raise ValueError(fault)
        with self.store.writing() as db:
            db.execute(
                "INSERT INTO planned_fault (place, verb, fault, times) VALUES (?, ?, ?, ?)",
                (self.place, verb, fault, times),
            )

    def carry(self, ref: str, *, bytes_a_day: int) -> None:
        """From now on the machine carries so much a day, both directions together, on the average."""
        self._set(ref, "bytes_a_day = ?", bytes_a_day)

    def cut_power(self, ref: str) -> None:
        """The machine goes off without the panel having asked."""
        self._set(ref, "power = ?", Power.OFF)

    def silence(self, ref: str, *, silent: bool = True) -> None:
        """The machine is on, but its SSH does not answer."""
        self._set(ref, "answers = ?", int(not silent))

    def deafen(self, ref: str) -> None:
        """From now on the machine does not shut down when it is asked to."""
        self._set(ref, "deaf = ?", 1)

    def swap_host_key(self, ref: str) -> None:
        """The machine shows another host key, and nobody asked for it."""
        self._set(ref, "host_keys = host_keys + ?", 1)

    def machine(self, ref: str) -> dict[str, Any]:
        """What the cloud keeps of a machine: name, image, power, rescue, first_boot..."""
        with self.store.reading() as db:
            return dict(db.execute("SELECT * FROM machine WHERE place = ? AND ref = ?", (self.place, ref)).fetchone())

    def vanish(self, ref: str) -> None:
        """The machine is gone."""
        with self.store.writing() as db:
            db.execute("DELETE FROM machine WHERE place = ? AND ref = ?", (self.place, ref))

    def twin(self, ref: str) -> str:
        """The place has a second machine of the same order; its ref."""
        one = self.machine(ref)
        with self.store.writing() as db:
            db.execute(
                "INSERT INTO machine (place, ref, token, name, image, size, power, looks_left, bytes_a_day)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
                (
                    self.place,
                    f"{ref}-2",
                    providers.mark(one["token"]),
                    one["name"],
                    one["image"],
                    one["size"],
                    one["power"],
                ),
            )
        return f"{ref}-2"

    def write(self, ref: str, text: str) -> None:
        """What the machine's disk holds from now on."""
        self._set(ref, "content = ?", text)

    def fill_disk(self, ref: str, percent: int) -> None:
        """So much of the machine's disk is used from now on."""
        self._set(ref, "filled = ?", percent)

    def disk(self, ref: str) -> str:
        """What the machine's disk holds."""
        return str(self.machine(ref)["content"])

    def tokens_of_snapshots(self) -> list[str]:
        """The token of every snapshot of the place, oldest first."""
        with self.store.reading() as db:
            rows = db.execute("SELECT token FROM snapshot WHERE place = ? ORDER BY id", (self.place,)).fetchall()
        return [token for (token,) in rows]

    def lose_snapshot(self, ref: str) -> None:
        """A snapshot is gone."""
        with self.store.writing() as db:
            db.execute("DELETE FROM snapshot WHERE place = ? AND ref = ?", (self.place, ref))

    def forget_firewall(self, ref: str) -> None:
        """Its rules disappear behind the panel's back."""
        self._set(ref, "firewall = ?", "")

    def open_address(self, ref: str, ip: str) -> None:
        """A block disappears behind the panel's back."""
        with self.store.writing() as db:
            db.execute(
                "UPDATE address SET blocked = 0 WHERE ip = ? AND machine = (SELECT id FROM machine WHERE ref = ?)",
                (ip, ref),
            )

    def put_address(self, ref: str, ip: str, *, there: bool) -> None:
        """An address comes to a machine, or goes, behind the panel's back."""
        with self.store.writing() as db:
            (machine,) = db.execute("SELECT id FROM machine WHERE place = ? AND ref = ?", (self.place, ref)).fetchone()
            db.execute("DELETE FROM address WHERE machine = ? AND ip = ?", (machine, ip))
            if there:
                db.execute("INSERT INTO address (machine, ip, first) VALUES (?, ?, 0)", (machine, ip))

    def refs(self) -> list[str]:
        """Every machine of the place."""
        with self.store.reading() as db:
            rows = db.execute("SELECT ref FROM machine WHERE place = ? ORDER BY id", (self.place,)).fetchall()
        return [ref for (ref,) in rows]

    def keys(self, ref: str) -> set[str]:
        """The keys installed on a machine, without their comments."""
        with self.store.reading() as db:
            rows = db.execute(
                "SELECT body FROM ssh_key WHERE machine = (SELECT id FROM machine WHERE ref = ?)", (ref,)
            ).fetchall()
        return {text for (text,) in rows}

    def pushes(self) -> list[bytes]:
        """What the cloud has to tell of changed machines since it was asked last, oldest first."""
        return pushing.told(self.store, self.place)

    def calls(self, verb: str) -> list[str]:
        """The outcome of every call of `verb` so far: ok, lost, transient, refused."""
        with self.store.reading() as db:
            rows = db.execute(
                "SELECT outcome FROM call WHERE place = ? AND verb = ? ORDER BY id", (self.place, verb)
            ).fetchall()
        return [outcome for (outcome,) in rows]

    def _set(self, ref: str, change: str, value: object) -> None:
        with self.store.writing() as db:
            db.execute(f"UPDATE machine SET {change} WHERE place = ? AND ref = ?", (value, self.place, ref))  # noqa: S608
