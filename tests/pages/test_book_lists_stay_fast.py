"""The lists of VAT and of the books cost the same number of queries with thirty rows as with three."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from invoicing.models import EReport, Invoice, Transmission
from invoicing.subscribing import kinds
from invoicing.taxing import vat_checks, vat_rates
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.personas import logged_in, staff
from tests.support.shop import open_shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(staff(world, "administrator"))


def test_vat_rates(world: World, console: Client) -> None:
    staff_member = world.staff("billing")

    def more(number: int) -> None:
        vat_rates.enter("DE", Decimal(20), date(2027, 1, 1 + number), source="law", actor=staff_member, now=world.now)

    same_cost(console, "/ops/books/rates/", more)


def test_answers_about_a_vat_number(world: World, console: Client) -> None:
    account = world.customer("Lukas", country="DE", vat_number="DE136695976").account
    same_cost(
        console, f"/ops/vat/{account.reference}/",
        lambda number: vat_checks.heard(account.pk, "DE136695976", "valid", now=world.now),
    )  # fmt: skip


def test_what_leaves_through_the_platform(world: World, console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", shop.service)

    def more(number: int) -> None:
        shop.buy(world.customer(f"Buyer{number}"))
        invoice = Invoice.objects.latest("pk")
        Transmission.objects.get_or_create(
            invoice=invoice, defaults={"account_id": invoice.account_id, "created_at": world.now}
        )
        EReport.objects.create(kind="sales", start=date(2026, 1, 1 + number), end=date(2026, 1, 2 + number),
                               created_at=world.now)  # fmt: skip

    same_cost(console, "/ops/books/platform/", more)
