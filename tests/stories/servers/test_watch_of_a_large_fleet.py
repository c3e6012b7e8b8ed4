"""As the provider I watch twenty thousand machines as I watch twenty: in parts, by the key, and none of them whole."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import seeding
from invoicing.models import Package, Subscription
from invoicing.offering import catalogue
from panel.accounts.models import Account
from servers import monitoring
from servers.models import Server, Vitals
from servers.providers.simulated.control import Control
from servers.watching import vitals
from tests.support.world import World

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
MANY = 20_000
LARGE = {"servers_server", "servers_vitals"}


@pytest.fixture
def world(cloud: Control) -> World:
    """With many servers at a place that says nothing just now, and that are known to be so."""
    world = World()
    catalogue.install_catalogue()
    package, account = Package.objects.get(code="vps-s"), world.customer().account.pk
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    at = f"timestamptz '{world.now.isoformat()}'"
    seeding.fill(
        Subscription, MANY, reference=seeding.reference("SUB"), account=str(account), package=str(package.pk),
        service_kind="'vps'", interval="'month'", price_cents="590", anchor_on="current_date",
        period_start="current_date", period_end="current_date + 30", usage_from="current_date",
        terms_version=f"'{seeding.TERMS}'", started_at=at,
    )  # fmt: skip
    seeding.fill(
        Server, MANY, reference=seeding.reference("SRV"), account=str(account), subscription="n", name="'web-' || n",
        state="'running'", place="'away'", provider_ref="'vm-' || n", image="'debian-12'", ordered_at=at, ready_at=at,
        size="'{\"code\": \"vps-s\", \"vcpu\": 1, \"memory_mb\": 2048, \"disk_gb\": 25}'",
    )  # fmt: skip
    seeding.fill(
        Vitals, MANY, server="n", account=str(account), read_at=f"{at} - n * interval '1 second'",
        next_at=f"{at} + n * interval '1 second'",
        watched_until=f"CASE WHEN n %% 2000 = 0 THEN {at} + interval '1 minute' END",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = origin")
        for table in ("accounts_account", "invoicing_subscription", *sorted(LARGE)):
            cursor.execute(f"ANALYZE {table}")
    assert Account.objects.count() == 1
    return world


def read_whole(asked: list[dict[str, Any]]) -> set[str]:
    """Which of the large tables the plans of these questions read from end to end; each kind of question once."""
    found: set[str] = set()

    def look(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            found.add(node["Relation Name"])
        for below in node.get("Plans", ()):
            look(below)

    kinds = {re.sub(r"\d+(, \d+)*", "", each["sql"]): each["sql"] for each in asked}
    with connection.cursor() as cursor:
        for sql in kinds.values():
            if sql.startswith(("SELECT", "UPDATE")):
                cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"), ())
                plans = cursor.fetchone()[0]
                for plan in json.loads(plans) if isinstance(plans, str) else plans:
                    look(plan["Plan"])
    return found


def test_every_machine_is_looked_at_in_parts_by_the_key(world: World) -> None:
    with CaptureQueriesContext(connection) as captured:
        report = monitoring.watch(world.now)
    assert [one.partition(":")[0] for one in report.failed] == ["away"]
    assert Server.objects.filter(checked_at=world.now).count() == MANY
    parts = MANY // monitoring.PART
    assert len(captured) < 8 * parts
    whole = [each for each in captured.captured_queries if 'FROM "servers_server"' in each["sql"]]
    assert all(re.search(rf'LIMIT {monitoring.PART}|"id" IN \(', each["sql"]) for each in whole), "a part, or by key"
    assert read_whole(captured.captured_queries) == set()


def test_who_is_watched_and_who_is_due_is_found_by_an_index(world: World) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert len(vitals.watched(world.now)) == 10
        assert vitals.read_due(world.now + timedelta(minutes=2)).failed == []
    assert Vitals.objects.filter(next_at__gt=world.now + timedelta(hours=20)).count() == 120  # it does not tell
    assert read_whole(captured.captured_queries) == set()
