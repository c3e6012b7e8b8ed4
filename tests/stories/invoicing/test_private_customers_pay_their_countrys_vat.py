"""As a private customer elsewhere in the EU I pay my own country's VAT, and the provider can prove where I am
(INV-10)."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from invoicing import rules
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.models import Invoice, Payment, Subscription
from invoicing.renewing import upcoming
from invoicing.rules import Wanted
from invoicing.taxing import ip_countries, vat_rates
from panel import terms
from panel.accounts import terms_in_force
from panel.core.actors import SYSTEM
from panel.core.calendars import start_of_paris_day
from panel.core.errors import RuleViolation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
UNDER_THRESHOLD = override_settings(CLAUSE_SELLER={**settings.CLAUSE_SELLER, "uses_oss": False})


def private(world: World, country: str = "DE", **data: Any) -> Customer:
    fields = {"kind": "consumer", "company": "", "country": country, "phone": "+49 40 123456"}
    return world.customer("Greta", **{**fields, **data})


def bought(shop: Shop, customer: Customer) -> Invoice:
    customer.account.refresh_from_db()
    shop.buy(customer)
    invoice = Invoice.objects.filter(account=customer.account).order_by("pk").last()
    assert invoice is not None
    return invoice


def test_two_pieces_of_evidence_are_kept_with_the_invoice(world: World, shop: Shop) -> None:
    invoice = bought(shop, private(world))
    assert invoice.lines.get().vat_rate == Decimal(19)
    assert invoice.vat_evidence["location"] == [
        {"kind": "address", "country": "DE"}, {"kind": "telephone", "country": "DE"},
    ]  # fmt: skip
    assert invoice.vat_evidence["located"] is True


def test_what_contradicts_is_kept_too_and_marked(world: World, shop: Shop) -> None:
    invoice = bought(shop, private(world, phone="+33 1 23 45 67 89"))
    assert invoice.vat_evidence["located"] is False
    assert {"kind": "telephone", "country": "FR"} in invoice.vat_evidence["location"]


def test_the_connection_is_the_third_piece(world: World, shop: Shop, tmp_path: Path) -> None:
    table = tmp_path / "countries.csv"
    table.write_text("192.0.2.0,192.0.2.255,DE\n198.51.100.0,198.51.100.255,FR\n2001:db8::,2001:db8::ffff,IT\n")
    with override_settings(CLAUSE_IP_COUNTRIES=str(table)):
        assert [ip_countries.of(ip) for ip in ("192.0.2.7", "192.0.3.1", "2001:db8::1", "1.1.1.1", None)] == [
            "DE", "", "IT", "", "",
        ]  # fmt: skip
        invoice = bought(shop, private(world, phone="040 123456"))
    assert {"kind": "connection", "country": "DE"} in invoice.vat_evidence["location"]
    assert invoice.vat_evidence["located"] is True


def test_the_card_that_paid_is_a_piece_too(world: World, shop: Shop) -> None:
    """The country of the bank that issued it (Reg. 282/2011 art. 24f); the first sale was made before it was known."""
    greta = private(world, phone="040 123456")
    assert bought(shop, greta).vat_evidence["located"] is False
    Payment.objects.update(card_country="DE")
    second = bought(shop, greta)
    assert {"kind": "card", "country": "DE"} in second.vat_evidence["location"]
    assert second.vat_evidence["located"] is True


def test_a_new_rate_counts_from_its_day_on_and_changes_nothing_issued(world: World, shop: Shop) -> None:
    greta, staff = private(world), world.staff("billing")
    first = bought(shop, greta)
    vat_rates.enter("DE", Decimal("20.5"), date(2026, 3, 4), source="BGBl. 2026 I", actor=staff, now=world.now)
    assert bought(shop, greta).lines.get().vat_rate == Decimal(19)
    world.advance(days=2)
    second = bought(shop, greta)
    assert (second.lines.get().vat_rate, second.vat_cents) == (Decimal("20.5"), 121)
    first.refresh_from_db()
    assert (first.vat_cents, first.document["vat_cents"]) == (112, 112)
    row = vat_rates.VatRate.objects.get()
    vat_rates.withdraw(row.pk, actor=staff, now=world.now)
    assert bought(shop, greta).lines.get().vat_rate == Decimal(19)
    second.refresh_from_db()
    assert second.vat_cents == 121


@pytest.mark.parametrize(
    ("country", "source", "field"), [("CH", "law", "country"), ("DE", "  ", "source"), ("DE", "law", "since")]
)
def test_a_rate_that_cannot_be_is_refused(world: World, country: str, source: str, field: str) -> None:
    staff = world.staff("billing")
    if field == "since":
        vat_rates.enter("DE", Decimal(20), date(2027, 1, 1), source="law", actor=staff, now=world.now)
    with pytest.raises(RuleViolation) as refused:
        vat_rates.enter(country, Decimal(20), date(2027, 1, 1), source=source, actor=staff, now=world.now)
    assert refused.value.field == field


def test_a_rate_overseas_is_entered_too_and_may_be_low(world: World) -> None:
    """CGI art. 296: 8.5 % comes with the program."""
    staff, account = world.staff("billing"), world.customer("Zoé", kind="consumer", country="RE").account
    vat_rates.enter("RE", Decimal("9.5"), date(2026, 3, 4), source="a new act", actor=staff, now=world.now)
    rates = []
    for _day in range(3):
        rates.append(parties.vat_treatment(account, terms.current(world.now), now=world.now).rate)
        world.advance(days=1)
    assert rates == [Decimal("8.5"), Decimal("8.5"), Decimal("9.5")]
    with pytest.raises(RuleViolation, match="below 15"):
        vat_rates.enter("DE", Decimal("9.5"), date(2026, 3, 4), source="a new act", actor=staff, now=world.now)


def sell(world: World, customer: Customer, net_cents: int) -> None:
    """An invoice over any amount."""
    version = terms_in_force.at(customer.account, world.now)
    treatment = parties.vat_treatment(customer.account, version, now=world.now)
    line = rules.priced(Wanted("work", "Migration of a whole platform", net_cents), treatment)
    invoices.issue(
        customer.account, [Billed(line)], once=f"story:{net_cents}", terms_version=version.name, treatment=treatment,
        now=world.now, actor=SYSTEM,
    )  # fmt: skip


def test_up_to_10000_a_year_the_seller_may_keep_french_vat(world: World, shop: Shop) -> None:
    greta = private(world)
    with UNDER_THRESHOLD:
        invoice = bought(shop, greta)
        assert (invoice.lines.get().vat_rate, invoice.vat_evidence["reason"]) == (Decimal(20), "below_threshold")
        sell(world, greta, 1_000_000 - 2 * 590)
        assert bought(shop, greta).vat_evidence["reason"] == "below_threshold", "at 10 000 is not beyond it"
        assert vat_rates.sold_to_consumers(2026) == 1_000_000
        crossing = bought(shop, greta)
        assert crossing.vat_evidence["reason"] == "oss", "the sale that goes beyond it is the first one taxed abroad"
        assert (crossing.lines.get().vat_rate, crossing.vat_cents) == (Decimal(19), 112)
        world.now = world.now.replace(year=2027)
        assert bought(shop, greta).vat_evidence["reason"] == "oss", "last year's sales count too"
        world.now = world.now.replace(year=2028)
        assert bought(shop, greta).vat_evidence["reason"] == "below_threshold"


def test_the_renewal_that_goes_beyond_the_threshold_is_taxed_abroad_as_its_preview_said(
    world: World, shop: Shop
) -> None:
    """By one cent: 10 000.00 were sold with the renewal before, and this one is 5.90 (art. 59c, from that sale on)."""
    greta = private(world)
    with UNDER_THRESHOLD:
        row = shop.buy(greta)
        sell(world, greta, 1_000_000 - 590 - 589)
        world.until(start_of_paris_day(row.period_end))
        said = upcoming.next_invoice(Subscription.objects.get(pk=row.pk), now=world.now)
        world.sweep("invoicing.renew")
        renewal = Invoice.objects.latest("pk")
    assert renewal.vat_evidence["reason"] == "oss"
    assert (renewal.net_cents, renewal.vat_cents) == (590, 112)
    assert said is not None
    assert said.total_cents == renewal.total_cents


def test_a_credit_note_takes_the_sale_out_of_the_threshold_again(world: World, shop: Shop) -> None:
    invoice = bought(shop, private(world))
    invoices.credit(invoice, None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    assert vat_rates.sold_to_consumers(2026) == 0
