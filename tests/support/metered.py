"""A line of an invoice that charges what a meter counted, a promotional code, and a billing run."""

from decimal import Decimal

from invoicing.issuing import invoices, parties
from invoicing.models import BillingRun, Consumption, CustomerGroup, InvoiceLine, PromotionCode
from invoicing.renewing import drawing
from invoicing.subscribing import kinds
from invoicing.subscribing.period_rules import Period
from panel import terms
from panel.core.actors import SYSTEM
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


def a_run(made: Scene) -> BillingRun:
    """A billing run with nothing to do."""
    return BillingRun.objects.create(key="scene", as_of=made.world.now, created_at=made.world.now, state="done")
