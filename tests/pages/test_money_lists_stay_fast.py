"""The lists of suspensions, of the catalogue, of postings and of the API cost the same number of queries with twelve
rows as with three."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client

from invoicing.accounting import ledger
from invoicing.funding import funds
from invoicing.issuing import charging
from invoicing.models import Option, Package, Price, Suspension
from invoicing.offering import catalogue
from invoicing.paying import settlement
from invoicing.selling_by_hand import manual_sales
from invoicing.subscribing import kinds
from panel import terms
from panel.accounts import tokens
from panel.accounts.models import Membership
from panel.core import clock
from panel.core.calendars import paris_date
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.personas import logged_in, staff
from tests.support.shop import open_shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(staff(world, "administrator"))


def program(person: Customer) -> Client:
    """A client with a token of the person."""
    cache.clear()
    membership = Membership.objects.get(user=person.user)
    _row, token = tokens.issue(
        membership, name="x", scopes=sorted(membership.granted()), lives=None, actor=person.actor, now=clock.now()
    )
    return Client(headers={"Authorization": f"Bearer {token}"})


def test_suspensions(world: World, console: Client) -> None:
    version = terms.current(world.now)

    def more(number: int) -> None:
        customer = world.customer(f"Customer{number}")
        for state in ("proposed", "withdrawn"):
            made = charging.charge(
                customer.account, 9000, description_key="address_blocklisted", because=customer.account, rule="ABU-7",
                once=f"fee-{number}-{state}", terms_version=version.name, now=world.now,
            )  # fmt: skip
            Suspension.objects.create(
                account=customer.account, key=f"SRV-6:{number}:{state}", rule="SRV-6", invoice=made.invoice,
                due_on=paris_date(world.now), terms_version=version.name, proposed_at=world.now, state=state,
            )  # fmt: skip

    same_cost(console, "/ops/dunning/suspensions/", more)


def test_catalogue(world: World, console: Client) -> None:
    family = catalogue.install_catalogue()

    def more(number: int) -> None:
        for model, extra in ((Package, {"spec": {}}), (Option, {"maximum": 1})):
            item = model.objects.create(
                family=family, code=f"{model.__name__.lower()}-{number}", name=f"Item {number}", service_kind="vps",
                position=number + 10, **extra,
            )  # fmt: skip
            Price.objects.create(
                **{model.__name__.lower(): item}, interval="month", amount_cents=100, valid_from=catalogue.FIRST_PRICES
            )

    same_cost(console, "/ops/catalogue/", more)


def test_postings_of_every_kind(world: World, console: Client) -> None:
    """Entries are shown under the names people know, which are looked up for the whole page."""
    alice, sam = world.customer(), world.staff("billing")

    def more(number: int) -> None:
        manual_sales.record_payment(
            alice.account, 1_000, means="transfer", reference=f"VIR {number}", received_on=paris_date(world.now),
            invoice=None, now=world.now, actor=sam,
        )  # fmt: skip
        with transaction.atomic():
            account = settlement.lock_account(alice.account.pk)
            funds.take_out(account, 10, to=ledger.CLEARING, kind="refund", ref=str(number + 1), now=world.now)

    same_cost(console, "/ops/ledger/accounts/419100/", more)
    page = console.get("/ops/ledger/accounts/419100/").content.decode()
    assert "VIR 3" in page
    assert "manual_payment:" not in page


def test_api_lists(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", shop.service)
    alice = world.customer()
    client = program(alice)

    def more(number: int) -> None:
        world.now += timedelta(days=1)  # many orders of one day are looked at first (SUB-4)
        shop.buy(alice, addresses=1, name=f"web-{number}")

    same_cost(client, "/api/v1/subscriptions", more)
    same_cost(client, "/api/v1/invoices", more)
