"""The shop's till: a bank whose clock is the story's, and a postman who brings its messages when the story says so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.test import Client

from invoicing.accounting import ledger
from invoicing.gateways.fake import FakeStripe, disputes, serve
from invoicing.gateways.fake.server import Parcel
from invoicing.models import Order, Payment
from invoicing.paying import payments, webhooks
from tests.support import bank as person
from tests.support import truths
from tests.support.shop import Shop
from tests.support.world import Customer, World

SECRET = "whsec_story"
ORDER_PAGE = "http://testserver/services/orders/1/"


@dataclass
class Till:
    world: World
    shop: Shop
    bank: FakeStripe

    def sync(self) -> None:
        """The bank's clock shows the story's time."""
        self.bank.control("clock", set=self.world.now.timestamp())

    def start(self, order: Order, customer: Customer, *, keep: bool = False, key: str = "") -> Payment:
        """The customer presses "Pay"; the provider's page is open when the worker has been."""
        self.sync()
        payment = payments.pay_order(
            order, return_url=ORDER_PAGE, keep=keep, key=key or f"pay:{order.reference}", actor=customer.actor,
            now=self.world.now,
        )  # fmt: skip
        self.world.work(kinds=[payments.OPEN])
        payment.refresh_from_db()
        return payment

    def pay(self, payment: Payment, number: str = person.GOOD, **address: str) -> str:
        """The customer types a card at the page (and authorises it where the bank asks)."""
        self.sync()
        target = person.type_card(payment.action_url, number, **address)
        return person.answer_challenge(target) if "/3ds/" in target else target

    def buy(self, customer: Customer, number: str = person.GOOD, *, keep: bool = False, **order: Any) -> Payment:
        """Ordered, paid at the page, and told by the provider."""
        payment = self.start(self.shop.order(customer, **order), customer, keep=keep)
        self.pay(payment, number)
        self.deliver()
        self.world.work()
        payment.refresh_from_db()
        return payment

    def parcels(self) -> list[Parcel]:
        """What the provider would deliver now, signed now."""
        self.sync()
        return self.bank.parcels()

    def deliver(self, *, drop: int = 0) -> int:
        """The postman brings everything that is due, except the first `drop`."""
        brought = self.parcels()
        for parcel in brought[drop:]:
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=self.world.now)
        for parcel in brought:
            self.bank.courier.settle(parcel, 200)
        return len(brought) - drop

    def booked(self) -> int:
        """What the books say is on its way from the provider: what was collected there, to the cent (INV-11). The
        letters of the accounting entries say what settled what."""
        truths.letters_settle()
        charges = self.bank.store.where("charge")
        collected = sum(row["amount_captured"] - row["amount_refunded"] for row in charges)
        collected -= disputes.withdrawn(self.bank.store)
        assert ledger.balance(ledger.CLEARING) == collected
        assert ledger.total() == 0
        return int(collected)

    def pay_out(self) -> str:
        """The provider pays out what was collected before these last two days; the bank has it two days later. Nobody
        has been told yet."""
        self.sync()
        ref = str(self.bank.control("payout")["payout"])
        self.world.advance(days=2)
        self.sync()
        return ref

    @staticmethod
    def post(body: bytes, signature: str) -> int:
        """Deliver over HTTP to the panel's own door; its status."""
        answer = Client().post(
            "/hooks/stripe/", body, content_type="application/json", headers={"Stripe-Signature": signature}
        )
        return answer.status_code


@contextmanager
def open_till(world: World, shop: Shop, settings: Any, *, door: str = "") -> Iterator[Till]:
    """`door`: where the provider's own courier delivers at once; without one the story plays the postman."""
    bank = serve("127.0.0.1", 0, None, door or "http://127.0.0.1:9/hooks/", SECRET)
    bank.control("deliveries", paused=not door)
    settings.CLAUSE_GATEWAY = {
        "kind": "stripe", "api_key": bank.api_key, "webhook_secret": SECRET, "api_base": bank.base,
    }  # fmt: skip
    till = Till(world, shop, bank)
    till.sync()
    try:
        yield till
    finally:
        bank.stop()
