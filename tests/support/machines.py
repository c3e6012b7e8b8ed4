"""Servers for stories: a place of the story's own, a package, and a paid subscription that becomes a machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import transaction
from django.test import override_settings

from invoicing.models import Family, Package, Subscription
from invoicing.subscribing import kinds
from panel import terms
from panel.core import calendars, references
from servers.addressing import holdings
from servers.models import Server
from servers.providers.simulated.control import Control
from tests.support.world import Customer, World

GB = 10**9


@contextmanager
def simulated_place(folder: Path, **config: Any) -> Iterator[Control]:
    """`sim-1`, empty, remembering itself under `folder`; machines are ready at the first look."""
    place = {
        "provider": "simulated",
        "label": "Simulated cloud",
        "file": str(folder / "cloud.sqlite3"),
        "boot_looks": 1,
    }
    with override_settings(CLAUSE_PLACES={"sim-1": place | config}):
        yield Control("sim-1")


def package(code: str = "vps-s", **spec: Any) -> Package:
    """A VPS package of 100 GB a month unless `spec` says otherwise."""
    family, _ = Family.objects.get_or_create(code="vps", defaults={"name": "VPS", "name_fr": "VPS"})
    values = {"vcpu": 1, "memory_mb": 1024, "disk_gb": 20, "included_bytes": 100 * GB} | spec
    found, _ = Package.objects.get_or_create(
        code=code,
        defaults={"family": family, "name": "VPS S", "name_fr": "VPS S", "service_kind": "vps", "spec": values},
    )
    return found


def subscribe(
    world: World, customer: Customer, *, name: str = "web-1", keys: list[int] | None = None, **options: Any
) -> Subscription:
    """A subscription whose first payment is confirmed at the world's now: its server is ordered, not yet made."""
    bought, kind = package(), kinds.get("vps")
    today = calendars.paris_date(world.now)
    with transaction.atomic():
        subscription = Subscription.objects.create(
            reference=references.new("SUB"), account=customer.account, package=bought, service_kind="vps",
            interval="month", price_cents=900, anchor_on=today,
            settings=kind.validate(bought, {"name": name, "keys": keys or [], **options}),
            period_start=today, period_end=calendars.add_months(today, 1), usage_from=today,
            terms_version=terms.current(world.now).name, started_at=world.now,
        )  # fmt: skip
        kind.provision(subscription, now=world.now)
    return subscription


def server_of(world: World, customer: Customer, **wishes: Any) -> Server:
    """A running server of the customer's."""
    subscription = subscribe(world, customer, **wishes)
    world.advance(seconds=10)
    world.advance(seconds=10)
    server = Server.objects.get(subscription=subscription)
    assert server.state == "running", (server.state, world.failed_operations())
    return server


def first_ip(server: Server) -> str:
    """The address that came with a server."""
    return str(server.holdings.get(is_first=True, until=None).address.ip)


def holder_names(ip: str, world: World) -> list[str]:
    """Who holds `ip` at the world's now."""
    return [str(holding.account) for holding in holdings.holders_between(ip, world.now, world.now)]
