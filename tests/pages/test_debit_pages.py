"""Mandates and debits as pages: the customer gives an account and signs, staff makes a file and hands it over; the
lists ask nothing row by row."""

import re
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from invoicing.debiting import batches, debits
from invoicing.models import Debit, DebitBatch, Mandate, PaymentMethod
from invoicing.selling_by_hand import manual_sales
from panel.accounts.models import Account
from panel.core import clock, operations
from panel.core.actors import SYSTEM
from panel.core.calendars import paris_date
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.bank_statement import statement as transfers
from tests.support.debiting import IBAN, OTHER_IBAN, drawn_up, in_file, signed
from tests.support.personas import logged_in, staff
from tests.support.shop import Shop
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Its clock is the pages' clock."""
    opened = World()
    opened.now = clock.now()
    return opened


@pytest.fixture
def console(world: World) -> Client:
    return logged_in(staff(world, "billing"))


def announced(world: World, shop: Shop, name: str = "Alice") -> Debit:
    """A debit announced now, of a new customer."""
    customer = world.customer(name)
    signed(world, customer)
    return advice(world, customer.account)


def advice(world: World, account: Account) -> Debit:
    """The debit of an invoice that is drawn up by hand."""
    draft = manual_sales.draw_up(account, reference="", now=world.now, actor=SYSTEM)
    manual_sales.add_line(draft, "Advice", quantity=Decimal(1), unit_price=Decimal(80), unit="h")
    invoice = manual_sales.issue(draft, now=world.now, actor=SYSTEM)
    world.work()
    return Debit.objects.get(invoice=invoice)


def far(world: World) -> str:
    return (paris_date(world.now) + timedelta(days=40)).isoformat()


class TestCustomer:
    def test_gives_an_account_reads_and_signs(self, world: World) -> None:
        alice = world.customer()
        browser = logged_in(alice.user, alice.account)
        page = browser.get(reverse("invoicing:means_list")).content.decode()
        assert reverse("invoicing:mandate_new") in page
        new = reverse("invoicing:mandate_new")
        wrong = browser.post(new, {"iban": IBAN[:-1] + "8", "holder": "Camille"})
        assert wrong.status_code == 422
        assert "check its digits" in wrong.content.decode()
        here = browser.post(new, {"iban": IBAN, "holder": "Camille"})["Location"]
        assert "being written" in browser.get(here).content.decode()
        assert "waits for your signature" in browser.get(reverse("invoicing:means_list")).content.decode()
        world.now = clock.now()
        world.work()
        made = Mandate.objects.get()
        assert "Sign the mandate" in browser.get(here).content.decode()
        assert browser.get(reverse("invoicing:mandate_pdf", args=[made.reference])).content.startswith(b"%PDF")
        form = {"name": "Camille", "sha256": made.pdf_sha256, "default": "on"}
        unread = browser.post(reverse("invoicing:mandate_sign", args=[made.reference]), form)
        assert unread.status_code == 422
        done = browser.post(reverse("invoicing:mandate_sign", args=[made.reference]), {**form, "accept": "on"})
        assert done.status_code == 302
        assert PaymentMethod.objects.get().is_default
        assert IBAN.replace(" ", "") not in browser.get(here).content.decode()

    def test_sees_when_an_invoice_is_debited(self, world: World, shop: Shop) -> None:
        debit = announced(world, shop)
        user = debit.account.memberships.get().user
        page = logged_in(user, debit.account).get(f"/billing/invoices/{debit.invoice.number}/").content.decode()
        assert "You need to do nothing" in page
        assert debit.mandate.reference in page

    def test_ends_it_from_the_list_of_means(self, world: World, shop: Shop) -> None:
        debit = announced(world, shop)
        browser = logged_in(debit.account.memberships.get().user, debit.account)
        method = PaymentMethod.objects.get()
        browser.post(reverse("invoicing:means_remove", args=[method.pk]))
        debit.refresh_from_db()
        assert (debit.state, Mandate.objects.get().state) == ("withdrawn", "cancelled")


class TestStaff:
    def test_dry_run_file_and_handing_over(self, world: World, shop: Shop, console: Client) -> None:
        debit = announced(world, shop)
        assert "Nothing can go" in console.get("/ops/debits/").content.decode()
        page = console.get(f"/ops/debits/?until={far(world)}").content.decode()
        assert "1 debit goes into the file" in page
        form: dict[str, Any] = {"key": "k1", "until": far(world)}
        first, again = (console.post("/ops/debits/make/", form)["Location"] for _ in range(2))
        assert first == again
        batch = DebitBatch.objects.get()
        sent = console.get(reverse("invoicing_staff:debit_batch_file", args=[batch.reference]))
        assert sent.content == batches.content(batch)
        assert in_file(batch)[0][0] == debit.payment.reference
        assert "no-store" in sent["Cache-Control"]
        console.post(reverse("invoicing_staff:debit_batch_send", args=[batch.reference]))
        operations.run_due()
        debit.refresh_from_db()
        assert debit.state == "sent"
        refused = console.post(
            reverse("invoicing_staff:debit_batch_discard", args=[batch.reference]), {"reason": "x", "unsent": "on"}
        )
        assert refused.status_code == 409

    def test_says_that_the_bank_has_a_file_that_may_no_longer_go(
        self, world: World, shop: Shop, console: Client
    ) -> None:
        debit = announced(world, shop)
        console.post("/ops/debits/make/", {"key": "k1", "until": far(world)})
        batch = DebitBatch.objects.get()
        there = reverse("invoicing_staff:debit_batch_detail", args=[batch.reference])
        assert "may no longer be collected" not in console.get(there).content.decode()
        debits.end_mandate(debit.mandate, "cancelled", now=world.now)
        page = console.get(there).content.decode()
        assert debit.invoice.number in page
        assert "The bank has it already" in page
        send = reverse("invoicing_staff:debit_batch_send", args=[batch.reference])
        assert console.post(send).status_code == 409
        assert console.post(send, {"already": "on"}).status_code == 302
        operations.run_due()
        debit.refresh_from_db()
        assert debit.state == "sent"

    def test_discards_with_a_reason(self, world: World, shop: Shop, console: Client) -> None:
        debit = announced(world, shop)
        console.post("/ops/debits/make/", {"key": "k1", "until": far(world)})
        here = reverse("invoicing_staff:debit_batch_discard", args=[DebitBatch.objects.get().reference])
        for missing in ({"reason": "", "unsent": "on"}, {"reason": "the wrong day"}):
            assert console.post(here, missing).status_code == 422
        console.post(here, {"reason": "the wrong day", "unsent": "on"})
        debit.refresh_from_db()
        assert (debit.state, DebitBatch.objects.get().state) == ("announced", "cancelled")

    def test_proof_is_asked_for(self, world: World, shop: Shop, console: Client) -> None:
        debit = announced(world, shop)
        console.post("/ops/debits/make/", {"key": "k1", "until": far(world)})
        batch = DebitBatch.objects.get()
        console.post(reverse("invoicing_staff:debit_batch_send", args=[batch.reference]))
        operations.run_due()
        here = reverse("invoicing_staff:debit_detail", args=[debit.pk])
        page = console.post(here, {"code": "collected", "day": paris_date(world.now).isoformat(), "proof": "letter"})
        assert page.status_code == 422
        assert "before the day of the debit" in page.content.decode()

    def test_the_banks_file_is_taken_in_where_transfers_are(self, world: World, console: Client) -> None:
        file = BytesIO(transfers((1_000, "no reference"), day=paris_date(world.now)))
        file.name = "bank.xml"
        assert console.post("/ops/bank/", {"file": file}).status_code == 302
        broken = BytesIO(b"iso:20022:tech:xsd:pain.002.")
        broken.name = "broken.xml"
        refused = console.post("/ops/bank/", {"file": broken})
        assert refused.status_code == 422
        assert "not an XML file" in refused.content.decode()


class TestListsStayFast:
    def test_what_is_announced(self, world: World, shop: Shop, console: Client) -> None:
        same_cost(console, f"/ops/debits/?until={far(world)}", lambda number: announced(world, shop, f"C{number}"))

    def test_files(self, world: World, shop: Shop, console: Client) -> None:
        boss = world.staff("billing")

        def more(number: int) -> None:
            announced(world, shop, f"C{number}")
            until = paris_date(world.now) + timedelta(days=40)
            batches.make(key=str(number), until=until, actor=boss, now=world.now)

        same_cost(console, "/ops/debits/files/", more)

    def test_one_file(self, world: World, shop: Shop, console: Client) -> None:
        boss = world.staff("billing")
        announced(world, shop, "First")
        until = paris_date(world.now) + timedelta(days=40)
        batch = batches.make(key="k", until=until, actor=boss, now=world.now)

        def more(number: int) -> None:
            debit = announced(world, shop, f"C{number}")
            Debit.objects.filter(pk=debit.pk).update(state="placed", batch=batch)

        same_cost(console, f"/ops/debits/files/{batch.reference}/", more)

    def test_debits_of_a_mandate(self, world: World, shop: Shop) -> None:
        debit = announced(world, shop)
        browser = logged_in(debit.account.memberships.get().user, debit.account)
        here = f"/billing/mandates/{debit.mandate.reference}/"
        same_cost(browser, here, lambda number: advice(world, debit.account))


class TestMandatesOfTheStaff:
    def test_finds_one_and_shows_its_signed_document(self, world: World, shop: Shop, console: Client) -> None:
        debit = announced(world, shop)
        bob = world.customer("Bob")
        other = drawn_up(world, bob, OTHER_IBAN)
        mine = debit.mandate

        def found(query: str) -> set[str]:
            page = console.get(f"/ops/debits/mandates/?{query}").content.decode()
            return {one.reference for one in (mine, other) if one.reference in page}

        assert found("") == {mine.reference, other.reference}
        assert found(f"q={other.reference[:9].lower()}") == {other.reference}
        assert found("state=draft") == {other.reference}
        assert found(f"q={mine.last4}") == {mine.reference}
        assert found(f"q={bob.account.reference}") == {other.reference}
        assert found("q=nobody") == set()
        page = console.get(reverse("invoicing_staff:mandate_detail", args=[mine.reference])).content.decode()
        assert debit.invoice.number in page
        assert IBAN.replace(" ", "") not in page
        paper = console.get(reverse("invoicing_staff:mandate_pdf", args=[mine.reference]))
        assert paper.content.startswith(b"%PDF")

    def test_pages_by_key_and_asks_nothing_row_by_row(
        self, world: World, console: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def more(number: int) -> None:
            drawn_up(world, world.customer(f"C{number}"))

        same_cost(console, "/ops/debits/mandates/", more)
        monkeypatch.setattr("panel.core.keyset.page.__kwdefaults__", {"size": 5})
        seen, query = [], ""
        while True:
            page = console.get(f"/ops/debits/mandates/{query}").content.decode()
            seen += re.findall(r'href="/ops/debits/mandates/(MDT-\w+)/"', page)
            older = re.search(r'href="([?]after=[0-9]+)" rel="next"', page)
            if older is None:
                break
            query = older[1]
        assert seen == list(Mandate.objects.order_by("-pk").values_list("reference", flat=True))

    def test_debits_of_one_ask_nothing_row_by_row(self, world: World, shop: Shop, console: Client) -> None:
        debit = announced(world, shop)
        here = f"/ops/debits/mandates/{debit.mandate.reference}/"
        same_cost(console, here, lambda number: advice(world, debit.account))
