"""A shop to tell money stories in: the real catalogue, and a service that only writes down what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from django.db import transaction

from invoicing.models import ONCE, Invoice, Order, Pack, Package, Payment, PaymentState, Subscription
from invoicing.offering import catalogue
from invoicing.subscribing import kinds, ordering
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core import references
from panel.core.errors import NotYet
from tests.support.world import Customer, World

_keys = count(1)
GB = Decimal(10**9)


@dataclass
class NotedService:
    """The service kind `vps` of a story: `done` tells what it was asked, `used` what its meter says for each month."""

    done: list[tuple[str, str]] = field(default_factory=list)
    used: dict[date, int] = field(default_factory=dict)
    sold_out: bool = False
    unread: bool = False
    cannot_become: str = ""
    cannot_carry_out: str = ""
    cannot_rest: str = ""
    cannot_go: str = ""
    package_numbers: tuple[str, ...] = ("vcpu", "memory_mb", "disk_gb", "included_bytes", "network_mbps")

    def questions(self, package: Package, account: Account) -> Sequence[kinds.Question]:
        return (kinds.Question("name", "Name"),)

    def validate(self, package: Package, options: Mapping[str, Any]) -> dict[str, Any]:
        return {"name": str(options.get("name") or "web-1"), "options": dict(options.get("options") or {})}

    def available(self, package: Package, options: Mapping[str, Any]) -> bool:
        return not self.sold_out

    def why_not_offered(self, option: str) -> str:
        return self.cannot_carry_out

    def provision(self, subscription: Subscription, *, now: datetime) -> None:
        self.done.append(("provision", subscription.reference))

    def suspend(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        self.done.append(("suspend", subscription.reference))

    def resume(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        self.done.append(("resume", subscription.reference))

    def terminate(self, subscription: Subscription, *, because: str, now: datetime) -> None:
        self.done.append(("terminate", subscription.reference))

    def refusal_to_pause(self, subscription: Subscription) -> str:
        return self.cannot_rest

    def refusal_to_change(self, subscription: Subscription, package: Package, options: Mapping[str, int]) -> str:
        return "It cannot become that." if package.code == self.cannot_become else ""

    def change(self, subscription: Subscription, *, now: datetime) -> None:
        self.done.append(("change", subscription.package.code))

    def refusal_to_transfer(self, subscription: Subscription) -> str:
        return self.cannot_go

    def hand_over(self, subscription: Subscription, *, now: datetime) -> None:
        self.done.append(("hand over", subscription.reference))

    def usage(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        if self.unread:
            raise NotYet(60, "the meter was not read yet")
        return self.usage_so_far(subscription, period)

    def usage_so_far(self, subscription: Subscription, period: kinds.UsagePeriod) -> list[kinds.UsageLine]:
        counted = self.used.get(period.start, 0)
        included = subscription.package.spec["included_bytes"]
        evidence = {"bytes": counted, "included": included}
        return [kinds.UsageLine("traffic", counted / GB, "GB", included / GB, evidence)]

    def usage_of(self, asked: Sequence[tuple[Subscription, kinds.UsagePeriod]]) -> list[list[kinds.UsageLine] | None]:
        return [None if self.unread else self.usage_so_far(row, period) for row, period in asked]

    def describe_each(self, asked: Sequence[tuple[Subscription, str]]) -> list[str]:
        return [self.describe(row, language) for row, language in asked]

    def readings(
        self, subscription: Subscription, meter: str, period: kinds.UsagePeriod, account_id: int
    ) -> list[kinds.ReadDay]:  # fmt: skip
        return [kinds.ReadDay(period.start, self.used.get(period.start, 0) / GB, 1)]

    def progress(self, subscription: Subscription) -> kinds.Progress:
        return kinds.Progress("/servers/", ({"title": "Being made", "state": "running"},))

    def delivered(self, asked: Sequence[Subscription]) -> set[int]:
        return {row.pk for row in asked if self.progress(row).ready}

    def describe(self, subscription: Subscription, language: str) -> str:
        return f"{subscription.package.named(language)} - {subscription.settings['name']}"


@dataclass
class Shop:
    """Orders, payments and their outcome, without a payment provider."""

    world: World
    service: NotedService

    def order(
        self, customer: Customer, package: str = "vps-s", interval: str = "month", *, addresses: int = 0,
        key: str = "", ip: str = "192.0.2.7", promotion: str = "", order_number: str = "", **options: Any,
    ) -> Order:  # fmt: skip
        wanted = {**options, "options": {"vps-address": addresses} if addresses else {}}
        accepted = terms_in_force.at(customer.account, self.world.now).order_documents
        return ordering.place(
            customer.account, package, interval, wanted, accepted=accepted, ip=ip, actor=customer.actor,
            key=key or f"story-{next(_keys)}", now=self.world.now, promotion=promotion,
            order_number=order_number,
        )  # fmt: skip

    def payment(self, order: Order) -> Payment:
        """A payment of the order that the provider confirmed."""
        return Payment.objects.create(
            reference=references.new("PAY"), account=order.account, order=order, key=f"story-pay-{next(_keys)}",
            state=PaymentState.SUCCEEDED, amount_cents=order.total_cents, provider="story", created_at=self.world.now,
        )  # fmt: skip

    def buy(self, customer: Customer, package: str = "vps-s", interval: str = "month", **options: Any) -> Subscription:
        """Ordered and paid."""
        order = self.order(customer, package, interval, **options)
        with transaction.atomic():
            subscription = ordering.paid(order, self.payment(order), now=self.world.now)
        assert isinstance(subscription, Subscription)
        return subscription

    def buy_pack(self, customer: Customer, code: str, *, key: str = "") -> Pack:
        """A prepaid pack, ordered and paid."""
        order = self.order(customer, code, ONCE, key=key)
        with transaction.atomic():
            pack = ordering.paid(order, self.payment(order), now=self.world.now)
        assert isinstance(pack, Pack)
        return pack

    def invoices(self, customer: Customer) -> list[Invoice]:
        """Every document of a customer, oldest first."""
        return list(Invoice.objects.filter(account=customer.account).order_by("pk"))


def open_shop(world: World) -> Shop:
    """A shop with the catalogue; the caller registers the service."""
    catalogue.install_catalogue()
    return Shop(world, NotedService())
