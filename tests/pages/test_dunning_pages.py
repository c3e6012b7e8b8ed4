"""Staff decides on a suspension and enters a legal rate on their pages; the customer reads what comes next."""

from decimal import Decimal

import pytest
from django.test import Client

from invoicing.chasing import suspending
from invoicing.models import Invoice, LegalRate, Subscription, Suspension, Termination
from panel.accounts import restrictions
from tests.support.owing import days, owe_overage
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World("2026-03-02 09:00")
    monkeypatch.setattr("panel.core.clock.now", lambda: made.now)
    return made


@pytest.fixture
def billing(world: World) -> Client:
    return logged_in(staff(world, "billing"))


def test_suspended_on_the_page_and_told_on_the_customers(world: World, shop: Shop, billing: Client) -> None:
    alice = world.customer()
    (invoice,) = owe_overage(world, shop, alice)
    days(world, 16)
    row = Suspension.objects.get()
    assert invoice.number in billing.get("/ops/dunning/suspensions/").content.decode()
    path = f"/ops/dunning/suspensions/{row.pk}/decide/"
    assert billing.post(path, {"word": "suspend", "reason": ""}).status_code == 409
    assert billing.post(path, {"word": "suspend", "reason": "No answer."}).status_code == 302
    assert restrictions.blocking(alice.account.pk, "use_service") is not None
    page = logged_in(alice.user, alice.account).get("/billing/overdue/").content.decode()
    assert "Your services are suspended" in page
    assert "SRV-6" in page


def test_services_are_ended_on_the_page(world: World, shop: Shop, billing: Client) -> None:
    owe_overage(world, shop, world.customer())
    days(world, 16)
    suspending.confirm(Suspension.objects.get().pk, reason="unpaid", actor=world.staff("billing"), now=world.now)
    world.advance(days=31, sweeps=["invoicing.dun"])
    row, service = Termination.objects.get(), Subscription.objects.get()
    page = billing.get("/ops/dunning/suspensions/").content.decode()
    assert f'value="{service.reference}" checked' in page
    assert "Ends of unpaid services to decide" in billing.get("/ops/").content.decode()
    path = f"/ops/dunning/endings/{row.pk}/decide/"
    assert billing.post(path, {"word": "end", "reason": "No answer."}).status_code == 409
    done = billing.post(path, {"word": "end", "reason": "No answer.", "services": service.reference})
    service.refresh_from_db()
    assert (done.status_code, service.state) == (302, "terminated")


def test_spared_on_the_page(world: World, shop: Shop, billing: Client) -> None:
    owe_overage(world, shop, world.customer())
    days(world, 16)
    billing.post(
        f"/ops/dunning/suspensions/{Suspension.objects.get().pk}/decide/", {"word": "spare", "reason": "Pays Monday."}
    )
    assert Suspension.objects.get().state == "refused"
    assert Invoice.objects.filter(state="overdue").exists()


def test_a_rate_is_entered_with_its_source(world: World, billing: Client) -> None:
    world.now = World("2026-11-02 09:00").now
    page = billing.get("/ops/dunning/rates/").content.decode()
    assert "2026-2" in page
    refused = billing.post("/ops/dunning/rates/", {"half": "2026-2", "percent": "2.555", "source": "an order"})
    assert (refused.status_code, LegalRate.objects.count()) == (422, 0)
    kept = billing.post("/ops/dunning/rates/", {"half": "2026-2", "percent": "2.55", "source": "an order"})
    assert kept.status_code == 302
    assert LegalRate.objects.get().percent == Decimal("2.55")
