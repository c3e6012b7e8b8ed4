"""Pages of 200,000 servers: the customer's dashboard and the staff's fleet, pages 1 and 1,000, against a bare floor.

Served by granian under the settings of production: log-in and second factor through their forms, sessions, permissions,
every middleware. The floor (bench/floor_page.py) answers from the same tables, on the same machine, in the same run.
"""

import re
import time
from collections.abc import Iterator
from statistics import median

from bench import measure, processor, seeding, stage
from bench.load import Slice, load, request

ROUNDS = 5
SECONDS = 1.5  # of each page in each round
DEEP = 1000
CUSTOMERS = (11, 4_711, 9_999, 17_000)
NEXT = re.compile(r'<a href="([^"]+)" rel="next">')
ROW = re.compile(r'<th scope="row"><a href="/ops/servers/([^/"]+)/">')
STAFF = "staff@panel.example"


def member_of_staff() -> str:
    """A colleague of the infrastructure team; gives the secret of their second factor."""
    from allauth.account.models import EmailAddress
    from allauth.mfa.totp.internal import auth

    from panel.accounts.models import StaffRole, User
    from panel.core import clock

    now, secret = clock.now(), auth.generate_totp_secret()
    user = User.objects.create_user(STAFF, seeding.PASSWORD, name="Sam", created_at=now, confirmed_at=now)
    EmailAddress.objects.create(user=user, email=STAFF, verified=True, primary=True)
    StaffRole.objects.create(user=user, role="infrastructure")
    auth.TOTP.activate(user, secret)
    return secret


def walk(staff: stage.Browser) -> Iterator[tuple[str, list[str]]]:
    """The fleet's pages by their own links, DEEP of them: the address and the references it shows."""
    address = "/ops/servers/"
    for _ in range(DEEP):
        page = staff.get(address).body.decode()
        yield address, ROW.findall(page)
        found = NEXT.search(page)
        if found is None:
            return
        address = "/ops/servers/" + found[1].replace("&amp;", "&")


def measured(
    panel: tuple[int, int], floor: tuple[int, int], deep: str, staff: stage.Browser, customers: list[stage.Browser]
) -> dict[str, list[Slice]]:
    """Rounds of load, the order of the contenders turned round each time. `panel`, `floor`: port and process group."""
    bare = [request(f"/?{before}", Host=stage.NAME, X_Who=STAFF) for before in (2**40, 150_000)]
    contenders = {
        "floor": (floor, bare),
        "dashboard": (panel, [customer.asking("/") for customer in customers]),
        "fleet, page 1": (panel, [staff.asking("/ops/servers/")]),
        f"fleet, page {DEEP:,}": (panel, [staff.asking(deep)]),
    }
    for (port, _), asked in contenders.values():
        load(port, asked, 0.7, lambda: 0.0)
    spent = {group: processor.spent_by(group) for _, group in (panel, floor)}
    slices: dict[str, list[Slice]] = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            (port, group), asked = contenders[name]
            slices[name].append(load(port, asked, SECONDS, spent[group]))
    return slices


def main() -> None:
    started = time.monotonic()
    with stage.production():
        seeding.everything()
        secret = member_of_staff()
        checks = {"every row finds the rows it names": seeding.unbroken()}
        stage.durable()
        print(f"{seeding.SERVERS:,} servers of {seeding.ACCOUNTS:,} accounts ({time.monotonic() - started:.0f} s)\n")
        with stage.granian("panel.wsgi:application") as panel, stage.granian("bench.floor_page:application") as floor:
            staff = stage.log_in(panel[0], STAFF, seeding.PASSWORD, secret)
            customers = [stage.log_in(panel[0], f"owner{n}@customer.example", seeding.PASSWORD) for n in CUSTOMERS]
            walked = list(walk(staff))
            own = [customer.get("/").body.decode() for customer in customers]
            slices = measured(panel, floor, walked[-1][0], staff, customers)
    shown = [reference for _, references in walked for reference in references]
    checks |= {
        f"{DEEP:,} pages by their own links show {DEEP * 50:,} servers, none twice": (
            len(set(shown)) == len(shown) == DEEP * 50
        ),
        "every dashboard shows its owner's servers and nobody else's": all(
            set(re.findall(r"web-(\d+)", page)) == {str(n - 1 + seeding.ACCOUNTS * k) for k in range(4, 10)}
            for n, page in zip(CUSTOMERS, own, strict=True)
        ),
        "every answer under load was 200": not any(one.wrong for each in slices.values() for one in each),
    }
    report(slices, checks)


def report(slices: dict[str, list[Slice]], checks: dict[str, bool]) -> None:
    """The table, what was checked, and the worst page's ratio as the last line."""
    busy = {name: [one.each for one in each] for name, each in slices.items()}
    wall = {name: [one.wall for one in each] for name, each in slices.items()}
    ratios = {name: measure.ratio(each, busy["floor"]) for name, each in busy.items()}
    rows = [
        (name, f"{each[-1].size / 1000:.0f} kB", f"{median(busy[name]):.2f}", ratios[name],
         f"{1000 / median(wall[name]):,.0f}", measure.ratio(wall[name], wall["floor"]))
        for name, each in slices.items()
    ]  # fmt: skip
    measure.table(("page", "size", "processor ms", "x floor (spread)", "pages/s", "x floor by the clock"), rows)
    *_, first, deep = busy
    print(f"\npage {DEEP:,} / page 1: {measure.ratio(busy[deep], busy[first])}\n")
    measure.verdict(checks)
    measure.conclude("bench_page", max(each.middle for name, each in ratios.items() if name != "floor"))


if __name__ == "__main__":
    main()
