"""The pages of services and billing: who may open them, what they say, and that a form carries the whole order."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from invoicing.models import Family, Invoice, Option, Order, Package, Price, Subscription
from invoicing.subscribing import ordering
from panel.accounts.models import User
from panel.core import operations
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World("2026-03-02 09:00")
    monkeypatch.setattr("panel.core.clock.now", lambda: made.now)
    return made


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def browser(customer: Customer) -> Client:
    client = Client()
    client.force_login(customer.user)
    return client


def staff_browser(world: World, *roles: str) -> Client:
    actor = world.staff(*roles)
    client = Client()
    client.force_login(User.objects.get(pk=actor.user_id))
    return client


def order_data(page: str, **changes: str) -> dict[str, str]:
    key = page.partition('name="key" value="')[2].partition('"')[0]
    return {"key": key, "interval": "month", "name": "web-1", "option-vps-address": "1", "accept": "on", **changes}


def test_the_catalogue_shows_three_packages_with_price_and_rate(alice: Customer) -> None:
    """SUB-1."""
    page = browser(alice).get(reverse("invoicing:catalogue")).content.decode()
    assert all(name in page for name in ("VPS S", "VPS M", "VPS L", "EUR\u00a05.90", "20 %", "1\u00a0TB"))


def test_the_price_follows_the_choice(alice: Customer) -> None:
    """SUB-2: the panel alone, for htmx."""
    url = reverse("invoicing:order_price", args=["vps-s"])
    page = browser(alice).get(url, {"interval": "year", "option-vps-address": "2"}).content.decode()
    assert "EUR\u00a099.00" in page
    assert "EUR\u00a0118.80" in page
    assert "<html" not in page


def test_without_javascript_the_price_comes_by_a_button(alice: Customer) -> None:
    client, url = browser(alice), reverse("invoicing:order_new", args=["vps-s"])
    first = client.get(url).content.decode()
    page = client.post(url, order_data(first, preview="1", accept="")).content.decode()
    assert "EUR\u00a09.48" in page
    assert not Order.objects.exists()


def test_a_whole_order_by_forms(world: World, shop: Shop, alice: Customer) -> None:
    client, url = browser(alice), reverse("invoicing:order_new", args=["vps-s"])
    data = order_data(client.get(url).content.decode())
    answer = client.post(url, data)
    again = client.post(url, data)
    order = Order.objects.get()
    assert answer.url == again.url == reverse("invoicing:order_detail", args=[order.reference])  # type: ignore[attr-defined]
    assert order.settings["options"] == {"vps-address": 1}
    page = client.get(answer.url).content.decode()  # type: ignore[attr-defined]
    assert "EUR\u00a09.48" in page
    answer = client.post(reverse("invoicing:order_pay", args=[order.reference]), {"keep": "1"})
    assert order.payments.get().keep_method
    assert client.get(answer.url).status_code == 200  # type: ignore[attr-defined]
    assert client.get(reverse("invoicing:order_status", args=[order.reference]) + "?go=1").status_code == 200


def test_an_order_that_is_not_accepted_keeps_what_was_typed(alice: Customer) -> None:
    client, url = browser(alice), reverse("invoicing:order_new", args=["vps-s"])
    data = order_data(client.get(url).content.decode(), name="my-server")
    del data["accept"]
    answer = client.post(url, data)
    assert answer.status_code == 422
    assert "my-server" in answer.content.decode()
    assert not Order.objects.exists()


def test_the_pro_forma_is_no_invoice(shop: Shop, alice: Customer) -> None:
    order = shop.order(alice)
    answer = browser(alice).get(reverse("invoicing:order_pro_forma", args=[order.reference]))
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert not Invoice.objects.exists()


def customer_urls(alice: Customer) -> Iterator[str]:
    order, subscription = Order.objects.first(), Subscription.objects.get()
    invoice = Invoice.objects.get()
    assert order is not None
    yield reverse("invoicing:catalogue")
    yield reverse("invoicing:order_new", args=["vps-l"])
    yield reverse("invoicing:order_detail", args=[order.reference])
    yield reverse("invoicing:order_status", args=[order.reference])
    yield reverse("invoicing:subscription_list")
    yield reverse("invoicing:subscription_detail", args=[subscription.reference])
    yield reverse("invoicing:billing")
    yield reverse("invoicing:invoice_list")
    yield reverse("invoicing:invoice_list") + "?q=VPS&state=paid"
    yield reverse("invoicing:invoice_detail", args=[invoice.number])
    yield reverse("invoicing:invoice_detail", args=[invoice.number]) + "?part=payment"
    yield reverse("invoicing:invoice_detail", args=[invoice.number]) + "?part=state"
    yield reverse("invoicing:invoice_pdf", args=[invoice.number])
    yield reverse("invoicing:means_list")
    yield reverse("invoicing:means_list") + "?part=means"


def test_every_page_opens_for_its_owner_and_for_nobody_else(world: World, shop: Shop, alice: Customer) -> None:
    shop.buy(alice, addresses=1)
    world.work()
    urls = list(customer_urls(alice))
    mallory = world.customer("Mallory")
    blind = world.contact(alice, ["tickets"])
    for url in urls:
        assert browser(alice).get(url).status_code == 200, url
        assert Client().get(url).status_code == 302, url
    for url in urls[2:4] + urls[5:6] + urls[9:13]:
        assert browser(mallory).get(url).status_code == 404, url
    for url in urls[1:]:
        assert browser(blind).get(url).status_code == 403, url


def test_staff_sees_and_credits_an_invoice(world: World, shop: Shop, alice: Customer, settings: Any) -> None:
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    shop.buy(alice)
    world.work()
    invoice, order = Invoice.objects.get(), Order.objects.get()
    client = staff_browser(world, "billing")
    for url in (
        reverse("invoicing_staff:invoice_list") + "?q=F2026",
        reverse("invoicing_staff:order_list") + "?state=paid",
        reverse("invoicing_staff:order_detail", args=[order.reference]),
        reverse("invoicing_staff:invoice_detail", args=[invoice.number]),
        reverse("invoicing_staff:invoice_pdf", args=[invoice.number]),
        reverse("invoicing_staff:invoice_credit", args=[invoice.number]),
    ):
        assert client.get(url).status_code == 200, url
        assert browser(alice).get(url).status_code == 403, url
    url = reverse("invoicing_staff:invoice_credit", args=[invoice.number])
    assert client.post(url, {"line-0": "2.00", "reason": "", "key": "k"}).status_code == 422
    for _ in range(2):
        client.post(url, {"line-0": "2.00", "reason": "A gesture", "key": "k"})
    note = Invoice.objects.get(kind="credit_note")
    assert (note.net_cents, note.total_cents) == (200, 240)
    assert staff_browser(world, "support").get(url).status_code == 403


def test_ending_asks_for_the_reference(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-6, with the ladder of confirmations."""
    subscription = shop.buy(alice)
    client, url = browser(alice), reverse("invoicing:subscription_end", args=[subscription.reference])
    assert client.post(url, {"when": "now", "confirm": "yes"}).status_code == 422
    assert client.post(url, {"when": "now", "confirm": subscription.reference}).status_code == 302
    subscription.refresh_from_db()
    assert subscription.state == "terminated"


def test_an_unconfirmed_customer_reads_why_before_typing(shop: Shop, alice: Customer) -> None:
    """ACC-2."""
    alice.user.confirmed_at = None
    alice.user.save(update_fields=["confirmed_at"])
    page = browser(alice).get(reverse("invoicing:order_new", args=["vps-s"])).content.decode()
    assert str(ordering.REFUSALS["mail_unconfirmed"][1]) in page


def test_a_card_is_kept_at_the_providers_page(world: World, alice: Customer) -> None:
    client = browser(alice)
    page = client.get(reverse("invoicing:means_list")).content.decode()
    key = page.partition('name="key" value="')[2].partition('"')[0]
    for _ in range(2):
        assert client.post(reverse("invoicing:means_add"), {"key": key}).status_code == 302
    assert operations.Operation.objects.filter(kind="payments.open_setup").count() == 1
    assert "being opened" in client.get(reverse("invoicing:means_list")).content.decode()


def test_staff_keeps_the_catalogue(world: World, shop: Shop, alice: Customer, settings: Any) -> None:
    """A wrong price has its clear error and loses nothing of what was typed."""
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    client = staff_browser(world, "billing")
    new = reverse("invoicing_staff:catalogue_new", args=["package"])
    data = {
        "family": str(Family.objects.get().pk), "code": "vps-xl", "name": "VPS XL", "name_fr": "VPS XL",
        "service_kind": "vps", "position": "3", "on_sale": "on", "vcpu": "8", "memory_mb": "16384", "disk_gb": "320",
        "included_gb": "8000", "network_mbps": "1000",
    }  # fmt: skip
    assert client.post(new, data | {"vcpu": "-1"}).status_code == 422
    assert client.post(new, data).status_code == 302
    package = Package.objects.get(code="vps-xl")
    assert package.spec["included_bytes"] == 8 * 10**12
    price = reverse("invoicing_staff:catalogue_price", args=["package", "vps-xl"])
    for amount, sentence in (("47.905", "at most two decimals"), ("-1", "not negative"), ("x", "number")):
        answer = client.post(price, {"interval": "month", "amount": amount})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
        assert f'value="{amount}"' in answer.content.decode()
    assert not package.prices.exists()
    assert client.post(price, {"interval": "month", "amount": "47.90"}).status_code == 302
    assert package.prices.get().amount_cents == 4790
    item = reverse("invoicing_staff:catalogue_item", args=["package", "vps-xl"])
    client.post(item, data | {"on_sale": "", "name": "VPS XXL"})
    package.refresh_from_db()
    assert (package.name, package.on_sale) == ("VPS XXL", False)
    assert "VPS XXL" in client.get(reverse("invoicing_staff:catalogue_list")).content.decode()
    assert staff_browser(world, "support").get(item).status_code == 403


def test_a_package_is_on_sale_once_it_has_a_price(world: World, shop: Shop, alice: Customer, settings: Any) -> None:
    """Nobody orders what has no price yet; what is sold by the year alone shows no monthly price (SUB-1)."""
    data = {"name": "VPS XL", "name_fr": "VPS XL", "service_kind": "vps", "spec": {}}
    package = Package.objects.create(family=Family.objects.get(), code="vps-xl", **data)
    client = browser(alice)
    page, order = reverse("invoicing:catalogue"), reverse("invoicing:order_new", args=["vps-xl"])
    assert "VPS XL" not in client.get(page).content.decode()
    assert "not on sale" in client.get(order).content.decode()
    package.prices.create(interval="year", amount_cents=47_900, valid_from=world.now)
    shown = client.get(page).content.decode()
    assert "VPS XL" in shown
    assert "EUR\u00a0479.00</strong>" in shown
    shown = client.get(order).content.decode()
    assert ('value="year" checked' in shown, 'value="month"' in shown) == (True, False)


def test_a_package_asks_for_the_numbers_of_its_kind(world: World, shop: Shop, settings: Any) -> None:
    """What is no server has no processors: such a package is made and edited without (SUB-1)."""
    settings.CLAUSE_REQUIRE_STAFF_MFA = False
    client, new = staff_browser(world, "billing"), reverse("invoicing_staff:catalogue_new", args=["package"])
    page = client.get(new).content.decode()
    assert 'name="vcpu"' in page
    data = {
        "family": str(Family.objects.get().pk), "code": "relay", "name": "Mail relay", "name_fr": "Relais",
        "service_kind": "metered", "position": "9", "on_sale": "on",
    }  # fmt: skip
    assert client.post(new, data | {"service_kind": "vps"}).status_code == 422
    assert not Package.objects.filter(code="relay").exists()
    assert client.post(new, data).status_code == 302
    package = Package.objects.get(code="relay")
    assert package.spec == {}
    Package.objects.filter(pk=package.pk).update(spec={"meters": ["mail"]})
    item = reverse("invoicing_staff:catalogue_item", args=["package", "relay"])
    assert 'name="vcpu"' not in client.get(item).content.decode()
    assert client.post(item, data | {"name": "Mail out"}).status_code == 302
    package.refresh_from_db()
    assert (package.name, package.spec) == ("Mail out", {"meters": ["mail"]})


def test_a_change_by_forms_shows_its_price_first(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-12: the same figures in the panel and on the invoice; taken back by a button."""
    row = shop.buy(alice)
    client, url = browser(alice), reverse("invoicing:subscription_change", args=[row.reference])
    key = client.get(url).content.decode().partition('name="key" value="')[2].partition('"')[0]
    data = {"key": key, "package": "vps-m", "interval": "month", "option-vps-address": "1"}
    price = reverse("invoicing:subscription_change_price", args=[row.reference])
    shown = client.get(price, data).content.decode()
    assert "EUR\u00a09.60" in shown
    assert "<html" not in shown
    assert client.post(url, data | {"option-vps-address": "9"}).status_code == 422
    assert client.post(url, data).status_code == 302
    assert Invoice.objects.order_by("pk").last().total_cents == 960  # type: ignore[union-attr]
    undo = reverse("invoicing:subscription_change_undo", args=[row.reference])
    assert client.post(undo, {"change": str(row.changes.get().pk)}).status_code == 302
    assert Invoice.objects.filter(kind="credit_note").count() == 1
    end = reverse("invoicing:subscription_end", args=[row.reference])
    assert client.post(end, {"when": "term"}).status_code == 302
    keep = reverse("invoicing:subscription_keep", args=[row.reference])
    assert client.post(keep).status_code == 302
    row.refresh_from_db()
    assert row.ends_on is None


def test_who_has_a_package_that_is_sold_no_more_keeps_it(world: World, shop: Shop, alice: Customer) -> None:
    """Changing something else does not cost them their package, and it stands there at what they pay (SUB-12)."""
    row = shop.buy(alice)
    Package.objects.filter(pk=row.package_id).update(on_sale=False)
    Price.objects.filter(package=row.package_id).update(amount_cents=999)
    client, url = browser(alice), reverse("invoicing:subscription_change", args=[row.reference])
    page = client.get(url).content.decode()
    assert 'value="vps-s" checked' in page
    assert "EUR\u00a05.90" in page
    assert "9.99" not in page
    client.post(url, order_data(page, package="vps-s"))
    row.refresh_from_db()
    assert (row.package.code, [one.quantity for one in row.options.all()]) == ("vps-s", [1])


def test_a_change_offers_only_what_is_sold(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-12: an interval that no package is sold by, and what cannot be had until the renewal, stand nowhere."""
    row = shop.buy(alice)
    url = reverse("invoicing:subscription_change", args=[row.reference])
    assert 'name="interval" value="year"' in browser(alice).get(url).content.decode()
    Price.objects.filter(interval="year").delete()
    Price.objects.filter(package__code="vps-l").update(interval="year")
    Price.objects.filter(option__code="vps-address").update(interval="year")
    page = browser(alice).get(url).content.decode()
    assert [code for code in ("vps-s", "vps-m", "vps-l", "vps-address") if code in page] == ["vps-s", "vps-m"]
    assert 'name="interval" value="month" checked' in page
    assert 'name="interval" value="year"' not in page
    assert browser(alice).post(url, order_data(page, package="vps-s", interval="year")).status_code == 422


def test_led_there_for_one_more_of_an_option_its_price_stands_there_already(
    world: World, shop: Shop, alice: Customer
) -> None:
    row = shop.buy(alice, addresses=1)
    client, url = browser(alice), reverse("invoicing:subscription_change", args=[row.reference])
    page = client.get(url, {"more": "vps-address"}).content.decode()
    assert 'name="option-vps-address" value="2"' in page
    assert "11.88" in page  # 5.90 and twice 2.00 from the renewal on, with VAT
    assert 'name="option-vps-address" value="1"' in client.get(url, {"more": "no-such"}).content.decode()
    Option.objects.filter(code="vps-address").update(maximum=1)
    assert 'name="option-vps-address" value="1"' in client.get(url, {"more": "vps-address"}).content.decode()
