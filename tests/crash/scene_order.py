"""An order is placed and paid at the bank's page, and the bank's message comes in (SUB-2, SUB-3, INV-1, INV-12)."""

from typing import Any

from invoicing.models import Subscription
from invoicing.paying import payments, webhooks
from invoicing.subscribing import ordering
from panel.accounts import terms_in_force
from panel.core import crash
from tests.crash import stage_set
from tests.support.bank import type_card


def prepare() -> None:
    stage_set.furnish()


def act() -> None:
    """The customer's browser and the bank do their part; pressed again with the same key nothing comes twice."""
    world, customer = stage_set.world_at(), stage_set.the_customer()
    with stage_set.bank() as bank:
        order = ordering.place(
            customer.account, "vps-s", "month", {"name": "web-1", "options": {}}, ip="192.0.2.7",
            accepted=terms_in_force.at(customer.account, world.now).order_documents, actor=customer.actor,
            key="press-1", now=world.now,
        )  # fmt: skip
        crash.point("order:placed")
        if order.state == "awaiting_payment":
            payment = payments.pay_order(
                order, return_url="http://testserver/", keep=False, key="pay-1", actor=customer.actor, now=world.now
            )
            stage_set.work(world, without="servers.create")
            payment.refresh_from_db()
            if payment.state == "waiting" and not bank.store.where("charge"):
                page = f"{bank.base}/c/{payment.checkout_ref}"  # its port is another after each start
                type_card(page, "4242 4242 4242 4242")
                crash.point("order:card_typed")
        for parcel in bank.parcels():
            webhooks.receive(parcel.body, {"Stripe-Signature": parcel.signature}, now=world.now)
            crash.point("webhook:kept")
        stage_set.work(world, without="servers.create")


def resume() -> None:
    stage_set.start_again(stage_set.world_at().now)
    act()


def verify() -> dict[str, Any]:
    with stage_set.bank() as bank:
        charges = [row["amount_captured"] for row in bank.store.where("charge")]
    return {**stage_set.outcome(), "charges": charges, "sold": Subscription.objects.count()}
