"""As a program with a token I read quotes, payments, top-ups and the statement of account, and sign or decline a quote
where my person may (PRJ-1, INV-3, INV-6)."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client

from invoicing.models import Invoice, Payment, Quote, TopUp
from invoicing.quoting import quotes
from panel.core.actors import SYSTEM
from servers.providers.simulated.control import Control
from tests.pages.test_api import Program, problem, token_of
from tests.pages.test_lists_stay_fast import same_cost
from tests.support.machines import simulated_place
from tests.support.personas import Scene, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control


@pytest.fixture
def made(cloud: Control, monkeypatch: pytest.MonkeyPatch) -> Scene:
    cache.clear()
    found = scene()
    monkeypatch.setattr("panel.core.clock.now", lambda: found.world.now)
    return found


def test_a_quote_is_read_and_signed_once(made: Scene) -> None:
    program = Program(token_of(made.owner))
    (row,) = program.get("/quotes").json()["items"]
    assert (row["reference"], row["state"]) == (made.quote.reference, "sent")
    path = f"/quotes/{row['reference']}"
    full = program.get(path).json()
    assert [(one["interval"], one["net_cents"]) for one in full["lines"]] == [("", 16_000), ("month", 900)]
    assert [(one["interval"], one["net_cents"]) for one in full["totals"]] == [("", 16_000), ("month", 900)]
    assert [(one["percent"], one["net_cents"], one["invoice"]) for one in full["stages"]] == [(100, 16_000, None)]
    assert program.get(f"{path}/pdf").content.startswith(b"%PDF")
    answer = {"name": "Alice", "sha256": full["sha256"], "accepted": full["accept"]}
    body = problem(program.post(f"{path}/sign", {**answer, "accepted": []}), 422, "rule")
    assert (body["rule"], body["field"]) == ("SUB-2", "accept")
    problem(program.post(f"{path}/sign", {**answer, "sha256": "0" * 64}), 409, "rule")
    for _ in range(2):
        signed = program.post(f"{path}/sign", answer, key="sign-1")
        assert (signed.status_code, signed.json()["state"]) == (200, "signed")
    kept = Quote.objects.get(pk=made.quote.pk)
    assert (kept.signed_name, kept.signed_ip, kept.signed_sha256) == ("Alice", "127.0.0.1", full["sha256"])
    problem(program.post(f"{path}/decline", {"reason": "no"}), 409, "rule")


def test_a_quote_is_declined_by_who_may_order_and_seen_by_who_may_pay(made: Scene) -> None:
    path = f"/quotes/{made.quote.reference}"
    problem(Program(token_of(made.stranger)).get(path), 404, "missing")
    problem(Program(token_of(made.owner, "see")).get("/quotes"), 403, "permission")
    payer = Program(token_of(made.owner, "pay"))
    assert payer.get(path).status_code == 200
    problem(payer.post(f"{path}/decline", {"reason": "no"}), 403, "permission")
    declined = Program(token_of(made.owner, "order")).post(f"{path}/decline", {"reason": "Too dear."})
    assert (declined.json()["state"], Quote.objects.get(pk=made.quote.pk).reason) == ("declined", "Too dear.")


def test_a_draft_is_nobodys_business(made: Scene) -> None:
    asked = {"now": made.world.now, "actor": SYSTEM}
    draft = quotes.draw_up(made.owner.account, "A draft", valid_until=made.quote.valid_until, our_manager="", **asked)
    program = Program(token_of(made.owner))
    assert draft.reference not in str(program.get("/quotes").json())
    problem(program.get(f"/quotes/{draft.reference}"), 404, "missing")


def test_payments_top_ups_and_the_statement_say_what_the_books_say(made: Scene) -> None:
    program, stranger = Program(token_of(made.owner)), Program(token_of(made.stranger))
    listed = program.get("/payments").json()["items"]
    assert {row["reference"] for row in listed} == set(
        Payment.objects.filter(account=made.owner.account).values_list("reference", flat=True)
    )
    one = program.get(f"/payments/{made.payment.reference}").json()
    assert (one["amount_cents"], one["top_up"], one["state"]) == (5_000, made.top_up.reference, "succeeded")
    problem(stranger.get(f"/payments/{made.payment.reference}"), 404, "missing")
    assert [row["reference"] for row in program.get("/funds/top-ups").json()["items"]] == [made.top_up.reference]
    statement = program.get("/statement?start=2026-01-01&end=2026-12-31").json()
    assert (statement["start"], statement["opening_cents"]) == ("2026-01-01", 0)
    assert statement["debit_cents"] - statement["credit_cents"] == statement["closing_cents"]
    assert statement["movements"][-1]["balance_cents"] == statement["closing_cents"]
    assert made.invoice.number in {row["reference"] for row in statement["movements"]}
    theirs = {row["reference"] for row in stranger.get("/statement").json()["movements"]}
    assert not theirs & {row["reference"] for row in statement["movements"]}
    problem(program.get("/statement?start=yesterday"), 422, "validation")


def test_mandates_are_read_without_their_account_number(made: Scene) -> None:
    program = Program(token_of(made.owner, "pay"))
    (row,) = program.get("/mandates").json()["items"]
    assert program.get(f"/mandates/{row['reference']}").json() == row
    kept = made.mandate
    assert (row["reference"], row["state"], row["last4"]) == (kept.reference, kept.state, kept.last4)
    assert row["is_default"] == bool(kept.method and kept.method.is_default)
    assert kept.iban not in str(row)
    assert row["reference"] not in str(Program(token_of(made.stranger)).get("/mandates").json())
    problem(Program(token_of(made.stranger)).get(f"/mandates/{kept.reference}"), 404, "missing")
    problem(Program(token_of(made.owner, "see")).get("/mandates"), 403, "permission")


def test_lists_ask_the_same_for_more_rows(made: Scene) -> None:
    client: Client = Program(token_of(made.owner)).client

    def more(number: int) -> None:
        asked = {"now": made.world.now, "actor": SYSTEM}
        quote = quotes.draw_up(
            made.owner.account, f"Quote {number}", valid_until=made.quote.valid_until, our_manager="", **asked
        )
        quotes.add_line(quote, "Work", quantity=Decimal(1), unit_price=Decimal(10))
        quotes.send(quote, **asked)
        top_up = TopUp.objects.create(
            reference=f"TOP-{number}", account=made.owner.account, key=f"t{number}", amount_cents=1_000,
            asked_at=made.world.now,
        )  # fmt: skip
        Payment.objects.create(
            reference=f"PAY-{number}", account=made.owner.account, top_up=top_up, key=f"p{number}", amount_cents=1_000,
            provider="stripe", created_at=made.world.now,
        )  # fmt: skip
        Payment.objects.create(
            reference=f"PAY-I{number}", account=made.owner.account, invoice=Invoice.objects.all()[0], key=f"i{number}",
            amount_cents=1, provider="stripe", created_at=made.world.now, state="failed",
        )  # fmt: skip

    base = iter(range(100))
    for path in ("/api/v1/quotes", "/api/v1/payments", "/api/v1/funds/top-ups"):
        same_cost(client, path, lambda _number: more(next(base)))
