"""Customers who owe: invoices that nobody pays, overage among them, and money that arrives by transfer."""

from django.db import transaction

from invoicing.accounting import ledger
from invoicing.models import Invoice, Payment
from invoicing.paying import disputes, settlement
from tests.support.shop import Shop
from tests.support.world import Customer, World

SWEEPS = ("invoicing.renew", "invoicing.dun")
GB_OVER = 10


def days(world: World, count: int) -> None:
    """Live `count` days, each with what happens by itself."""
    for _ in range(count):
        world.advance(days=1, sweeps=SWEEPS)


def owe_overage(world: World, shop: Shop, *customers: Customer) -> list[Invoice]:
    """Each buys a server, uses 10 GB beyond its traffic (EUR 13.00) and leaves the invoice of a month later unpaid."""
    for customer in customers:
        bought = shop.buy(customer)
        shop.service.used[bought.usage_from] = bought.package.spec["included_bytes"] + GB_OVER * 10**9
    world.advance(days=31, sweeps=SWEEPS)
    return [Invoice.objects.filter(account=customer.account).latest("pk") for customer in customers]


@transaction.atomic
def transfer(world: World, invoice: Invoice, cents: int | None = None) -> None:
    """Money arrives at the bank for an invoice: all that is due, or `cents` of it."""
    sum_of_it = invoice.due_cents if cents is None else cents
    entry = ledger.post(
        "transfer", f"bank:{invoice.number}:{invoice.settlements.count()}",
        [ledger.debit(ledger.BANK, sum_of_it), ledger.credit(ledger.CUSTOMERS, sum_of_it)],
        now=world.now, account=invoice.account,
    )  # fmt: skip
    assert entry is not None
    settlement.pay(invoice.pk, sum_of_it, means="transfer", entry=entry, now=world.now)


@transaction.atomic
def collect(world: World, invoice: Invoice) -> Payment:
    """All that is due is collected through the provider."""
    payment = Payment.objects.create(
        reference=f"PAY-{invoice.number}", account=invoice.account, invoice=invoice, key=f"story:{invoice.number}",
        state="succeeded", amount_cents=invoice.due_cents, provider="story", created_at=world.now,
    )  # fmt: skip
    entry = settlement.received(payment, now=world.now)
    settlement.pay(invoice.pk, payment.amount_cents, means="card", entry=entry, now=world.now)
    return payment


def take_back(world: World, payment: Payment) -> None:
    """The payer's bank takes all of it back, for good."""
    told = {"ref": f"dp:{payment.reference}", "state": "lost", "amount_cents": payment.amount_cents, "reason": "",
            "at": world.now.isoformat(), "respond_by": ""}  # fmt: skip
    disputes.conclude(payment.pk, [told], now=world.now)
