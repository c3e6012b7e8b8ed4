"""With two hundred thousand servers the staff's fleet answers by its indexes: no list, filter or search reads a large
table from end to end, and the thousandth page asks what the first one does (SRV-3, SRV-12)."""

import pytest
from django.db import connection
from django.test import Client

from bench import seeding
from panel.core.models import Operation
from servers.models import Address, AddressHolding, Discrepancy
from tests.pages.test_lists_stay_fast import queries
from tests.support.personas import logged_in, staff
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db, pytest.mark.long]
LARGE = ["servers_server", "servers_address", "servers_addressholding", "servers_trafficmonth", "servers_meter",
         "servers_discrepancy", "core_operation", "core_event", "accounts_account"]  # fmt: skip
STUCK, DRIFT = 40, 300
LISTS = ["", "?state=running", "?state=failed", "?state=destroyed", "?trouble=1", f"?place={seeding.PLACE}",
         f"?place={seeding.PLACE}&state=stopped&before=120000"]  # fmt: skip
NUMBERED = "{}-{:08}".format
SERVER = NUMBERED("SRV", 12_345)
SEARCHES = [
    "?q=10.0.17.3",
    "?q=web-1999",
    f"?q={SERVER}",
    f"?q={NUMBERED('ACC', 17)}",
    "?q=no-such-server",
    "?q=203.0.113.9",
]


@pytest.fixture
def console() -> Client:
    """A large installation that has lived: addresses that changed hands, findings open and gone, operations that gave
    up among many that did not. And a colleague who looks at it."""
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    seeding.people()
    seeding.fleet()
    with seeding.exclusion_at_the_end(AddressHolding):
        seeding.fill(
            AddressHolding, seeding.SERVERS, id=f"{seeding.SERVERS} + n", address=f"1 + (n + 7) %% {seeding.SERVERS}",
            server="n", account=f"1 + n %% {seeding.ACCOUNTS}", is_first="true",
            ordered_with="n", since="now() - interval '200 days'", until="now() - interval '100 days'",
        )  # fmt: skip
    seeding.fill(
        Discrepancy, seeding.SERVERS, place=f"'{seeding.PLACE}'", kind="'meter'", ref="'vm-' || n", server="n",
        first_seen="now() - interval '9 days'", last_seen="now()",
        resolved_at=f"CASE WHEN n > {DRIFT} THEN now() END",
    )  # fmt: skip
    seeding.fill(
        Operation, seeding.SERVERS, id="100000 + n", kind="'servers.create'", key="'many:' || n",
        state=f"CASE WHEN n <= {STUCK} THEN 'failed' ELSE 'done' END", created_at="now()",
        subject_type="'servers.server'", subject_id="n", account_id=f"1 + n %% {seeding.ACCOUNTS}", payload="'{}'",
    )  # fmt: skip
    seeding.history()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("ANALYZE")
    return logged_in(staff(World(), "administrator"))


def scans() -> dict[str, int]:
    """How often each large table was read from end to end in this transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE relname = ANY(%s)", [LARGE])
        return dict(cursor.fetchall())


def test_the_fleet_is_asked_by_its_indexes(console: Client) -> None:
    paths = [f"/ops/servers/{asked}" for asked in (*LISTS, *SEARCHES)]
    paths += ["/ops/operations/?state=failed", "/ops/", f"/ops/servers/{SERVER}/"]
    read: dict[str, list[str]] = {}
    for path in paths:
        console.get(path)  # what is kept from page to page is asked for once
        before = scans()
        assert console.get(path).status_code == 200, path
        if whole := [table for table, times in scans().items() if times > before[table]]:
            read[path] = whole
    assert read == {}
    first, deep = (queries(console, f"/ops/servers/{asked}") for asked in ("", "?before=150000"))
    assert first == deep
    held = console.get(f"/ops/servers/?q={Address.objects.get(pk=11).ip}").content.decode()
    assert ">web-11<" in held
    assert ">web-3<" in held, "who held it before is found too"
