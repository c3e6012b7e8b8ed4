"""The page of the books: what it shows, and that each button hands out its file."""

import pytest
from django.test import Client

from invoicing.subscribing import kinds
from panel.core.models import Event
from tests.support.personas import logged_in, staff
from tests.support.shop import open_shop
from tests.support.world import World

pytestmark = pytest.mark.django_db
DAYS = {"start": "2026-03-01", "last": "2026-03-31"}


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Client:
    world = World()
    shop = open_shop(world)
    monkeypatch.setitem(kinds._kinds, "vps", shop.service)
    shop.buy(world.customer("Alice"))
    return logged_in(staff(world, "billing"))


def test_each_button_hands_out_its_file(console: Client) -> None:
    assert console.get("/ops/books/?kind=day").status_code == 200
    for kind, begins in (("fec", b"JournalCode"), ("sales", b"\xef\xbb\xbfnumber;"), ("oss", b"\xef\xbb\xbfcountry;")):
        answer = console.post("/ops/books/export/", {**DAYS, "kind": kind})
        assert answer.status_code == 200
        assert answer.content.startswith(begins)
        assert answer["Content-Disposition"].startswith("attachment;")
    assert Event.objects.filter(kind="invoicing.books.taken").count() == 3


@pytest.mark.parametrize("wrong", [{"kind": "everything"}, {"kind": "fec", "last": "2026-02-01"}, {"start": "soon"},
                                   {"kind": "des"}, {"kind": "des", "start": "2026-03-02"}])  # fmt: skip
def test_what_cannot_be_taken_away_is_said(console: Client, wrong: dict[str, str]) -> None:
    assert console.post("/ops/books/export/", {**DAYS, "kind": "fec", **wrong}).status_code == 422
