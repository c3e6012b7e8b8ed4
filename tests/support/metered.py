"""More for a scene: a line of an invoice that charges what a meter counted, a promotional code, a prepaid pack, a
billing run, maintenance."""

from datetime import timedelta
from decimal import Decimal

from invoicing.issuing import invoices, parties
from invoicing.models import (
    ONCE,
    PACK,
    BillingRun,
    Consumption,
    CustomerGroup,
    Family,
    InvoiceLine,
    Pack,
    Package,
    Payment,
    PaymentState,
    Payout,
    Price,
    PromotionCode,
    ServiceTransfer,
)
from invoicing.renewing import drawing
from invoicing.subscribing import kinds, ordering
from invoicing.subscribing.period_rules import Period
from panel import terms
from panel.accounts import terms_in_force
from panel.core.actors import SYSTEM
from servers.maintaining import interruptions
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind
from servers.models import Discrepancy, Interruption
from tests.support.personas import Scene


def overage(made: Scene) -> InvoiceLine:
    """A line of traffic beyond the included volume, with its rating, beside what `scene` has."""
    world, owner, subscription = made.world, made.owner, made.subscription
    month, version = Period(subscription.anchor_on, subscription.period_end), terms.current(world.now)
    used = kinds.UsageLine("traffic", Decimal(1010), "GB", Decimal(1000))
    treatment = parties.vat_treatment(owner.account, version, now=world.now)
    line = drawing.overage_line(subscription, month, used, version, treatment, "en")
    assert line is not None
    invoice = invoices.issue(
        owner.account, [invoices.Billed(line, subscription)], once="scene:overage", terms_version=version.name,
        treatment=treatment, now=world.now, actor=SYSTEM,
    )  # fmt: skip
    Consumption.objects.create(
        subscription=subscription, account=owner.account, meter="traffic", start=month.start, end=month.end,
        quantity=used.quantity, allowance=used.allowance, unit="GB", terms_version=version.name, net_cents=line.net,
        invoice=invoice,
    )  # fmt: skip
    return InvoiceLine.objects.get(invoice=invoice)


def a_code(made: Scene) -> PromotionCode:
    """A promotional code."""
    return PromotionCode.objects.create(
        code="SCENE", name="scene", percent=10, valid_from=made.world.now, created_at=made.world.now
    )


def a_group(made: Scene) -> CustomerGroup:
    """A customer group."""
    return CustomerGroup.objects.create(code="scene", name="scene", created_at=made.world.now)


def a_pack(made: Scene) -> Pack:
    """A prepaid pack of the scene's owner, and on sale."""
    package = Package.objects.create(
        code="scene-pack", name="Pack", name_fr="Pack", family=Family.objects.all()[0], service_kind=PACK,
        spec={"meter": "mails", "unit": "mails", "units": "500"},
    )  # fmt: skip
    Price.objects.create(package=package, interval=ONCE, amount_cents=500, valid_from=made.world.now)
    account = made.owner.account
    accepted = terms_in_force.at(account, made.world.now).order_documents
    order = ordering.place(
        account, package.code, ONCE, {}, accepted=accepted, actor=made.owner.actor, key="scene-pack", now=made.world.now
    )
    payment = Payment.objects.create(
        reference="PAY-SCENEPACK", account=account, order=order, key="scene-pack", state=PaymentState.SUCCEEDED,
        amount_cents=order.total_cents, provider="scene", created_at=made.world.now,
    )  # fmt: skip
    ordering.paid(order, payment, now=made.world.now)
    return Pack.objects.get(order=order)


def a_transfer(made: Scene) -> ServiceTransfer:
    """A service that is offered to the stranger."""
    return ServiceTransfer.objects.create(
        reference="TRF-SCENE", subscription=made.subscription, account=made.owner.account,
        receiver=made.stranger.account, addressed_to=made.stranger.account.reference, reason="scene",
        terms_version=made.subscription.terms_version, offered_at=made.world.now,
        expires_at=made.world.now + timedelta(days=9_999),
    )  # fmt: skip


def a_payout(made: Scene) -> Payout:
    """One that the provider has just begun."""
    return Payout.objects.create(
        provider="stripe", provider_ref="po_scene", amount_cents=672, made_at=made.world.now,
        arrives_on=made.world.now.date(),
    )  # fmt: skip


def a_run(made: Scene) -> BillingRun:
    """A billing run with nothing to do."""
    return BillingRun.objects.create(key="scene", as_of=made.world.now, created_at=made.world.now, state="done")


def an_interruption(made: Scene) -> Interruption:
    """Maintenance that was announced."""
    begins = made.world.now + timedelta(days=9_999)
    plan = Plan(Kind.PLANNED, made.server.place, Words("scene"), Words("scene"), begins, begins + timedelta(hours=2))
    return interruptions.announce(plan, actor=SYSTEM, now=made.world.now)


def a_finding(made: Scene) -> Discrepancy:
    """The machine of the owner's server is missing at its place."""
    return Discrepancy.objects.create(
        place=made.server.place, kind="missing", ref="sim-lost", server=made.server, detail="it is gone",
        first_seen=made.world.now, last_seen=made.world.now,
    )  # fmt: skip
