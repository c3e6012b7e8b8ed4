"""As the provider's accountant I find the books closed, balanced and exportable, and an archive that proves itself
(INV-2, INV-11, PRV-4)."""

import io
import json
import re
import zipfile
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from invoicing.accounting import archive, closings, exports, fec_rules, ledger
from invoicing.accounting.archive import Unreadable
from invoicing.accounting.fec_rules import Claim, Lettered
from invoicing.funding import topping_up
from invoicing.issuing import invoices, printing
from invoicing.models import Closing, Invoice
from invoicing.selling_by_hand import manual_sales
from invoicing.taxing import declared, vat_checks
from invoicing.taxing.report_rules import Span
from panel.core import files
from panel.core.actors import SYSTEM
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
MARCH = Span(date(2026, 3, 1), date(2026, 4, 1))


@pytest.fixture(autouse=True)
def _plain_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    def rendered(self: Any, op: Operation, *, now: Any) -> dict[str, Any]:
        number = Invoice.objects.get(pk=op.payload["invoice"]).number
        blob = files.store(f"%PDF {number}".encode(), name=f"{number}.pdf", content_type="application/pdf", now=now)
        return {"blob": blob.pk, "sha256": blob.sha256}

    monkeypatch.setattr(printing.RenderPdf, "perform", rendered)


@pytest.fixture
def month(world: World, shop: Shop) -> dict[str, Customer]:
    """March: a French company, a German consumer, a German company with a number, and one credit note."""
    people = {
        "alice": world.customer("Alice", siren="552100554"),
        "hans": world.customer("Hans", kind="consumer", company="", country="DE", phone="+49 40 1"),
        "lukas": world.customer("Lukas", country="DE", vat_number="DE136695976"),
    }
    vat_checks.heard(people["lukas"].account.pk, "DE136695976", "valid", consultation="WAPI1", now=world.now)
    people["lukas"].account.refresh_from_db()
    for customer in people.values():
        shop.buy(customer)
    world.advance(days=1)
    invoices.credit(shop.invoices(people["hans"])[0], None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    world.advance(seconds=60)
    return people


def close_all(world: World) -> None:
    world.sweep("invoicing.close")


def test_the_same_euro_is_collected_once(world: World, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paid, credited, and spent on the next invoice: one sum came in. A closing that was sealed when it was counted
    twice stays, and still holds what it says."""
    alice = world.customer("Alice")
    shop.buy(alice)
    world.until(world.now.replace(day=3, hour=12))
    with monkeypatch.context() as before:
        before.setattr(closings, "content_of", partial(_as_before, closings.content_of))
        close_all(world)
    invoices.credit(shop.invoices(alice)[0], None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    topping_up.pay_order(shop.order(alice), actor=alice.actor, now=world.now)
    world.until(world.now.replace(day=4))
    close_all(world)
    old, new = Closing.objects.filter(kind="day").order_by("start")
    assert "given_back_cents" not in old.content
    assert (new.content["collected_cents"], new.content["given_back_cents"]) == (0, 708)
    assert (old.totals["collected_cents"], new.totals["collected_cents"]) == (708, 708)
    assert closings.verify() == []
    with monkeypatch.context() as bent:
        bent.setattr(declared, "moved_to_funds", lambda *a, **b: {})
        assert closings.verify() == ["day 2026-03-03 no longer holds what was closed"]


def _as_before(made: Any, span: Span) -> dict[str, Any]:
    """A closing as it was before what credit notes gave back was taken off."""
    content = dict(made(span))
    content["collected_cents"] += content.pop("given_back_cents")
    return content


def test_days_months_and_years_are_closed_with_running_totals(
    world: World, shop: Shop, month: dict[str, Customer]
) -> None:
    world.until(world.now.replace(month=4, day=3, hour=12))
    close_all(world)
    days = {str(row.start): row for row in Closing.objects.filter(kind="day")}
    assert min(days) == "2026-03-02"
    assert max(days) == "2026-04-02"
    assert len(days) == 32, "a day without a document is closed, too"
    first, second = days["2026-03-02"], days["2026-03-03"]
    assert (first.content["documents"], first.content["total_cents"]) == (3, 708 + 702 + 590)
    assert (second.content["documents"], second.content["total_cents"]) == (1, -702)
    assert second.totals["total_cents"] == 708 + 590
    assert first.content["collected_cents"] == 708 + 702 + 590
    (march,) = Closing.objects.filter(kind="month")
    assert march.content["total_cents"] == sum(row.content["total_cents"] for row in days.values())
    assert march.totals == days["2026-03-31"].totals
    assert ["DE", "S", "19.00", 0, 0] in march.content["by_rate"]
    assert Closing.objects.filter(kind="year").count() == 0
    assert closings.verify() == []


def test_a_closing_is_made_once_and_never_changes(world: World, month: dict[str, Customer]) -> None:
    world.until(world.now.replace(day=5))
    close_all(world)
    before = list(Closing.objects.order_by("pk").values_list("hash", flat=True))
    close_all(world)
    assert list(Closing.objects.order_by("pk").values_list("hash", flat=True)) == before
    for change in (lambda rows: rows.update(totals={}), lambda rows: rows.delete()):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(Closing.objects.all())
    with pytest.raises(ValueError, match="closed before"):
        closings.close("day", Span(date(2026, 4, 1), date(2026, 4, 2)), now=world.now)


def test_a_day_is_not_closed_before_an_hour_after_midnight(world: World, month: dict[str, Customer]) -> None:
    world.until(world.now.replace(day=3, hour=23))  # 00:00 Paris
    assert [str(span.start) for kind, span in closings.missing(world.now) if kind == "day"] == ["2026-03-02"]
    world.advance(hours=1)
    assert len(closings.missing(world.now)) == 2


def test_the_fec_has_18_columns_and_balances(world: World, month: dict[str, Customer]) -> None:
    made = exports.fec(MARCH)
    assert made.name == "732829320FEC20260331.txt"
    head, *rows = [line.split("\t") for line in made.content.decode().split("\r\n")[:-1]]
    assert len(head) == 18
    assert {len(row) for row in rows} == {18}
    entries: dict[str, int] = {}
    for row in rows:
        debit, credit = (int(row[column].replace(",", "")) for column in (11, 12))
        assert (debit == 0) != (credit == 0)
        entries[row[2]] = entries.get(row[2], 0) + debit - credit
        assert row[3] == row[15] == row[9]
        assert row[3].startswith("202603")
    assert set(entries.values()) == {0}
    assert sorted(map(int, entries)) == list(range(1, len(entries) + 1)), "numbered without a gap"
    sold = sum(int(row[12].replace(",", "")) - int(row[11].replace(",", "")) for row in rows if row[4] == "706000")
    assert sold == -ledger.balance(ledger.SALES) == 590 + 590
    whole = exports.fec(Span(date(2026, 3, 1), date(2026, 3, 3))), exports.fec(Span(date(2026, 3, 3), MARCH.end))
    numbers = [line.split("\t")[2] for part in whole for line in part.content.decode().split("\r\n")[1:-1]]
    assert numbers == [row[2] for row in rows], "two halves are numbered as the whole"


def test_each_entry_stands_in_the_journal_of_what_it_moves(
    world: World, shop: Shop, month: dict[str, Customer]
) -> None:
    """A transfer that staff entered by hand too: what moves money at the bank is in the bank's journal."""
    alice = month["alice"].account
    manual_sales.record_payment(
        alice, 5_000, means="transfer", received_on=world.now.date(), reference="VIR 1", invoice=None,
        actor=world.staff("billing"), now=world.now,
    )  # fmt: skip
    rows = [line.split("\t") for line in exports.fec(MARCH).content.decode().split("\r\n")[1:-1]]
    by_hand = {row[2] for row in rows if row[4] == "512000"}
    assert by_hand
    assert {row[0] for row in rows if row[2] in by_hand} == {"BQ"}
    sales = {row[2] for row in rows if row[4] == "706000"}
    assert {row[0] for row in rows if row[2] in sales} == {"VE"}


def test_what_settles_a_document_bears_its_letter_and_all_is_said_in_french(
    world: World, shop: Shop, month: dict[str, Customer]
) -> None:
    """Paid on the day it was issued; and one that stays open bears none."""
    alice = month["alice"]
    number = shop.invoices(alice)[0].number
    rows = [line.split("\t") for line in exports.fec(MARCH).content.decode().split("\r\n")[1:-1]]
    of_alice = [row for row in rows if row[4] == "411000" and row[6] == alice.account.reference]
    assert {(row[13], row[14]) for row in of_alice} == {(number, of_alice[0][3])}
    assert {row[13] for row in rows if row[4] != "411000"} == {""}
    assert sorted(row[10].split(" ")[0] for row in of_alice) == ["Facture", "Paiement"]
    assert f"Facture {number}" in {row[10] for row in of_alice}


def test_only_what_comes_to_nothing_is_lettered() -> None:
    claims = {1: Claim(date(2026, 3, 2), 100, "F1"), 2: Claim(date(2026, 3, 9), -60), 3: Claim(date(2026, 3, 9), -40),
              4: Claim(date(2026, 3, 3), 50, "F2"), 5: Claim(date(2026, 3, 4), -20),
              6: Claim(date(2026, 3, 5), 70), 7: Claim(date(2026, 3, 6), -70)}  # fmt: skip
    settled, nameless = Lettered("F1", date(2026, 3, 9)), Lettered("", date(2026, 3, 6))
    found = fec_rules.lettered(claims, [(1, 2), (3, 1), (4, 5), (1, 9), (6, 7)])
    assert found == {1: settled, 2: settled, 3: settled, 6: nameless, 7: nameless}


def rows_of(made: exports.Made) -> list[list[str]]:
    return [line.split(";") for line in made.content.decode("utf-8-sig").split("\r\n")[:-1]]


def test_sales_and_vat_are_exported_as_the_books_have_them(world: World, month: dict[str, Customer]) -> None:
    _head, *rows = rows_of(exports.sales(MARCH))
    assert [(row[8], row[10], row[11], row[12], row[13], row[14]) for row in rows] == [
        ("B2B", "S", "FR", "20,00", "5,90", "1,18"), ("B2CINT", "S", "DE", "19,00", "5,90", "1,12"),
        ("B2BINT", "AE", "DE", "0,00", "5,90", "0,00"), ("B2CINT", "S", "DE", "19,00", "-5,90", "-1,12"),
    ]  # fmt: skip
    assert rows[2][16] == "WAPI1"
    _head, *rates = rows_of(exports.vat(MARCH))
    assert rates == [
        ["2026-03", "DE", "AE", "0,00", "5,90", "0,00"], ["2026-03", "DE", "S", "19,00", "0,00", "0,00"],
        ["2026-03", "FR", "S", "20,00", "5,90", "1,18"],
    ]  # fmt: skip
    _head, *paid = rows_of(exports.collections(MARCH))
    assert sorted(row[4] for row in paid) == ["5,90", "7,02", "7,02", "7,08"]


def test_the_one_stop_shop_return_corrects_the_quarter_of_the_sale(
    world: World, shop: Shop, month: dict[str, Customer]
) -> None:
    shop.buy(month["hans"])
    sale = shop.invoices(month["hans"])[-1]
    _head, *first = rows_of(exports.oss(Span(date(2026, 1, 1), date(2026, 4, 1))))
    assert first == [["DE", "2026-Q1", "STANDARD", "19,00", "5,90", "1,12"]]
    world.until(world.now.replace(month=5))
    invoices.credit(sale, None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    _head, *second = rows_of(exports.oss(Span(date(2026, 4, 1), date(2026, 7, 1))))
    assert second == [["DE", "2026-Q1", "STANDARD", "19,00", "-5,90", "-1,12"]]


def stated(span: Span) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Number and month of each statement with its lines, which are as customs' schema wants them."""
    root = ET.fromstring(exports.des(span).content)  # noqa: S314 - our own
    found = []
    for one in root:
        assert (root.tag, one.tag) == ("fichier_des", "declaration_des")
        head, lines = list(one)[:4], list(one)[4:]
        assert [part.tag for part in head] == ["num_des", "num_tvaFr", "mois_des", "an_des"]
        number, seller, month, year = (part.text or "" for part in head)
        assert 1 <= int(number) <= 999_999
        assert re.fullmatch(r"FR[0-9A-Za-z]{2}[0-9]{9}", seller)
        assert lines
        for place, line in enumerate(lines, start=1):
            assert (line.tag, [part.tag for part in line]) == ("ligne_des", ["numlin_des", "valeur", "partner_des"])
            assert line.findtext("numlin_des") == str(place)
            assert re.fullmatch(r"-?[1-9][0-9]{0,9}", line.findtext("valeur") or "")
            assert re.fullmatch(r"[A-Z]{2}[0-9A-Z]{5,12}", line.findtext("partner_des") or "")
        told = [(line.findtext("partner_des") or "", line.findtext("valeur") or "") for line in lines]
        found.append((number, f"{year}-{month}", told))
    return found


def test_services_are_stated_by_month_and_number_as_customs_want_them(
    world: World, shop: Shop, month: dict[str, Customer]
) -> None:
    lukas = month["lukas"]
    shop.buy(lukas)
    march = ("202603", "2026-03", [("DE136695976", "12")])
    assert stated(MARCH) == [march]
    world.until(world.now.replace(month=4, day=2))
    invoices.credit(shop.invoices(lukas)[0], None, reason="Withdrawn", now=world.now, actor=SYSTEM)
    april, both = Span(date(2026, 4, 1), date(2026, 5, 1)), Span(date(2026, 3, 1), date(2026, 5, 1))
    assert stated(april) == [("202604", "2026-04", [("DE136695976", "-6")])]
    assert stated(both) == [march, *stated(april)]
    assert stated(MARCH) == [march], "stated anew, it bears the same number"
    bought = shop.buy(lukas)
    assert bought.period_start == date(2026, 4, 2)
    assert stated(both) == [march], "what comes to nothing has no line, and a month without a line no statement"
    for span, why in ((april, "no statement"), (Span(date(2026, 3, 2), date(2026, 4, 1)), "whole months")):
        with pytest.raises(RuleViolation, match=why):
            exports.des(span)


def test_a_name_that_looks_like_a_formula_stays_a_name(world: World, shop: Shop) -> None:
    shop.buy(world.customer("=1+1", kind="consumer", company=""))
    _head, row = rows_of(exports.sales(MARCH))
    assert row[5] == "'=1+1"


def archived(world: World, span: Span = MARCH) -> io.BytesIO:
    out = io.BytesIO()
    archive.make(span, out, now=world.now)
    return out


def test_an_archive_holds_everything_and_proves_itself(world: World, month: dict[str, Customer]) -> None:
    world.until(world.now.replace(month=4, day=3, hour=12))
    close_all(world)
    out = archived(world)
    assert archive.verify(out) == []
    with zipfile.ZipFile(out) as held:
        manifest = json.loads(held.read("manifest.json"))
        names = set(held.namelist())
    assert manifest["keep_until"] == "2036-12-31", "ten years from the end of the year (PRV-4)"
    numbers = {row["number"] for row in manifest["documents"]}
    assert numbers == set(Invoice.objects.values_list("number", flat=True))
    assert {f"documents/{number}.pdf" for number in numbers} <= names
    assert {"closings.json", "732829320FEC20260331.txt"} <= names


@pytest.mark.parametrize("what", ["document", "pdf", "manifest", "closing", "missing", "added"])
def test_whatever_is_altered_in_an_archive_is_found(world: World, month: dict[str, Customer], what: str) -> None:
    world.until(world.now.replace(month=4, day=3, hour=12))
    close_all(world)
    assert archive.verify(tampered(archived(world), what)) != []


def tampered(source: io.BytesIO, what: str) -> io.BytesIO:
    """The same archive with one thing changed, as carefully as somebody would who knows the format."""
    out = io.BytesIO()
    with zipfile.ZipFile(source) as held, zipfile.ZipFile(out, "w") as changed:
        contents = {name: held.read(name) for name in held.namelist()}
        manifest = json.loads(contents["manifest.json"])
        victim = next(name for name in sorted(contents) if name.startswith("documents/F") and name.endswith(".json"))
        if what == "document":
            contents[victim] = contents[victim].replace(b"590", b"580")
            digest = archive._digest(contents[victim])
            for row in manifest["documents"]:
                if f"documents/{row['number']}.json" == victim:
                    row["files"][victim.removeprefix("documents/")] = digest
        elif what == "pdf":
            contents[victim.replace(".json", ".pdf")] = b"%PDF other"
        elif what == "manifest":
            manifest["documents"] = manifest["documents"][:1] + manifest["documents"][2:]
        elif what == "closing":
            seals = json.loads(contents["closings.json"])
            seals[0]["content"]["total_cents"] += 1
            contents["closings.json"] = archive._json(seals)
            manifest["files"]["closings.json"] = archive._digest(contents["closings.json"])
        elif what == "missing":
            del contents[victim]
        else:
            contents["documents/F2026-999999.json"] = b"{}"
        contents["manifest.json"] = archive._json(manifest)
        for name, content in contents.items():
            changed.writestr(name, content)
    return out


def test_what_is_no_archive_is_refused_in_words(tmp_path: Path) -> None:
    other = tmp_path / "other.zip"
    other.write_bytes(b"PK nothing")
    with pytest.raises(Unreadable):
        archive.verify(other)
    with pytest.raises(CommandError):
        call_command("books", "verify", str(other))


def test_the_command_writes_and_proves(world: World, month: dict[str, Customer], tmp_path: Path) -> None:
    path, said = tmp_path / "march.zip", io.StringIO()
    call_command("books", "archive", "2026-03-01", "2026-04-01", str(path), "--json", stdout=said)
    assert json.loads(said.getvalue())["documents"] == 4
    with pytest.raises(CommandError):
        call_command("books", "archive", "2026-03-01", "2026-04-01", str(path))
    for words in (["verify", str(path)], ["verify"]):
        said = io.StringIO()
        call_command("books", *words, stdout=said)
        assert "It holds" in said.getvalue()
    path.write_bytes(tampered(io.BytesIO(path.read_bytes()), "pdf").getvalue())
    with pytest.raises(CommandError, match="1 breaks"):
        call_command("books", "verify", str(path), stdout=io.StringIO())


def test_declared_sums_are_those_of_the_closings(world: World, month: dict[str, Customer]) -> None:
    assert sum(row.vat for row in declared.sold(MARCH.start, MARCH.end)) == -ledger.balance(ledger.VAT)
    assert MARCH.last + timedelta(days=1) == MARCH.end
