"""A project becomes a quote: drawn up by staff, signed in the panel, run at its prices (PRJ-1, LEG-6, OPR-4)."""

import hashlib
from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction

from invoicing.accounting import ledger
from invoicing.issuing import invoices
from invoicing.models import Invoice, Option, Order, OrderState, Package, Quote, QuoteLine, QuoteStage, Subscription
from invoicing.quoting import quote_printing, quote_signing, quotes
from invoicing.subscribing import composing, ending, ordering
from invoicing.subscribing.leaving import Wishes
from panel import terms
from panel.accounts.models import Acceptance
from panel.core import files
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.models import Event
from tests.support import pdf
from tests.support.owing import transfer
from tests.support.shop import Shop
from tests.support.world import Customer, World, paris

pytestmark = pytest.mark.django_db
STAGES = [
    ("Deposit", 30, "signed", None),
    ("Half-way", 40, "day", date(2026, 4, 15)),
    ("Delivery", 30, "reached", None),
]


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


def drawn_up(world: World, alice: Customer, staff: Actor) -> Quote:
    """12.5 h at EUR 80.04 = 1,000.50 once; two VPS M at EUR 9.90 each month."""
    quote = quotes.draw_up(
        alice.account, "A shop that sells", valid_until=date(2026, 3, 31), our_manager="Sam", now=world.now, actor=staff
    )
    quotes.add_line(quote, "Migration", quantity=Decimal("12.5"), unit_price=Decimal("80.04"), unit="h")
    quotes.add_line(
        quote, "", quantity=Decimal(2), unit_price=Decimal("9.90"), package=Package.objects.get(code="vps-m"),
        interval="month",
    )  # fmt: skip
    quotes.set_stages(quote, STAGES)
    quotes.change(quote, special={"SRV-5.price_per_gb": "0.90", "INV-14.net_days": "30"}, conditions="By the week.")
    return quote


def sent(world: World, alice: Customer, staff: Actor) -> Quote:
    quote = quotes.send(drawn_up(world, alice, staff), now=world.now, actor=staff)
    world.work()
    return Quote.objects.select_related("pdf").get(pk=quote.pk)


def sign(world: World, alice: Customer, quote: Quote, **changes: object) -> Quote:
    wanted = {
        "name": "Alice Martin", "sha256": quote.pdf.sha256 if quote.pdf else "", "actor": alice.actor,
        "ip": "192.0.2.9", "now": world.now,
        "accepted": terms.version(quote.terms_version).order_documents,
    } | changes  # fmt: skip
    return quote_signing.sign(quote, **wanted)  # type: ignore[arg-type]


def test_the_pdf_is_kept_hashed_and_mailed(world: World, alice: Customer) -> None:
    quote = sent(world, alice, world.staff("billing"))
    assert quote.reference == "D2026-000001"
    assert quote.pdf is not None
    content = files.read(quote.pdf)
    assert hashlib.sha256(content).hexdigest() == quote.pdf.sha256
    said = pdf.text(content)
    for words in ("D2026-000001", "1,000.50", "EUR 19.80", "EUR 300.15", "30 %", "on 15 April 2026", "EUR 0.90"):
        assert words in said
    [mail] = world.mails("quote_sent", alice.account)
    assert mail.content.attachments == [quote.pdf.pk]
    assert quote.pdf.sha256 in mail.content.body


def test_the_signature_is_proof_and_the_deposit_is_invoiced_first(world: World, alice: Customer) -> None:
    quote = sent(world, alice, world.staff("billing"))
    world.advance(hours=5)
    sign(world, alice, quote)
    quote.refresh_from_db()
    assert (quote.state, quote.signed_name, quote.signed_ip) == ("signed", "Alice Martin", "192.0.2.9")
    assert quote.pdf is not None
    assert (quote.signed_at, quote.signed_sha256) == (world.now, quote.pdf.sha256)
    proof = Acceptance.objects.order_by("-pk")[0]
    assert (proof.subject_type, proof.subject_id) == ("invoicing.quote", quote.pk)
    [deposit] = Invoice.objects.filter(account=alice.account)
    assert (deposit.net_cents, deposit.vat_cents, deposit.total_cents) == (30015, 6003, 36018)
    assert (deposit.due_on - deposit.issued_on).days == 30
    assert "D2026-000001" in deposit.lines.get().description
    world.work()
    quote.refresh_from_db()
    assert quote.signed_pdf is not None
    assert "Alice Martin" in pdf.text(files.read(quote.signed_pdf))
    assert "192.0.2.9" not in str(list(Event.objects.values_list("data", flat=True)))
    with pytest.raises(RuleViolation):
        sign(world, alice, quote)


def test_the_stages_add_up_to_the_quote(world: World, alice: Customer) -> None:
    """1,000.50 in 30, 40 and 30 %: 300.15 + 400.20 + 300.15; the second on its day by itself, each once."""
    staff = world.staff("billing")
    quote = sign(world, alice, sent(world, alice, staff))
    world.until(world.now.replace(month=4, day=14), sweeps=["invoicing.quotes"])
    assert Invoice.objects.count() == 1
    world.advance(days=1, sweeps=["invoicing.quotes"])
    world.sweep("invoicing.quotes")
    transfer(world, Invoice.objects.earliest("pk"))
    last = QuoteStage.objects.get(quote=quote, when="reached")
    first = quote_signing.invoice_stage(last, now=world.now, actor=staff)
    assert quote_signing.invoice_stage(last, now=world.now, actor=staff) == first
    assert list(Invoice.objects.order_by("pk").values_list("net_cents", flat=True)) == [30015, 40020, 30015]


def test_the_deposit_is_a_down_payment_and_the_last_stage_takes_it_off(world: World, alice: Customer) -> None:
    """INV-2, OPR-4: 300.15 asked as a down payment (386) and no sale yet; the last invoice asks for it and for its own
    300.15, less the deposit. Together net and VAT of the whole, once."""
    staff = world.staff("billing")
    quote = sign(world, alice, sent(world, alice, staff))
    deposit = Invoice.objects.get()
    assert (deposit.down_payment, deposit.lines.get().code) == (True, "down-payment")
    assert (ledger.balance(ledger.DOWN_PAYMENTS), ledger.balance(ledger.SALES)) == (-30015, 0)
    world.until(paris("2026-04-15 09:00"), sweeps=["invoicing.quotes"])
    last = QuoteStage.objects.get(quote=quote, when="reached")
    with pytest.raises(RuleViolation) as refused:
        quote_signing.invoice_stage(last, now=world.now, actor=staff)
    assert refused.value.rule == "INV-2"
    QuoteStage.objects.filter(pk=last.pk).update(when="day", on=date(2026, 4, 16))
    world.advance(days=2, sweeps=["invoicing.quotes"])
    assert Invoice.objects.count() == 2, "the clock waits for the deposit too"
    transfer(world, deposit)
    world.advance(days=1, sweeps=["invoicing.quotes"])
    final = Invoice.objects.latest("pk")
    assert [(line.code, line.net_cents) for line in final.lines.all()] == [
        ("quote:stage", 30015), ("quote:stage", 30015), ("down-payment", -30015),
    ]  # fmt: skip
    assert ledger.balance(ledger.DOWN_PAYMENTS) == 0
    assert (ledger.balance(ledger.SALES), ledger.balance(ledger.VAT)) == (-100050, -20010)


def test_a_deposit_that_was_credited_is_not_asked_for_again(world: World, alice: Customer) -> None:
    staff = world.staff("billing")
    quote = sign(world, alice, sent(world, alice, staff))
    invoices.credit(Invoice.objects.get(), None, reason="waived", now=world.now, actor=staff)
    world.until(paris("2026-04-15 09:00"), sweeps=["invoicing.quotes"])
    last = QuoteStage.objects.get(quote=quote, when="reached")
    assert quote_signing.invoice_stage(last, now=world.now, actor=staff).net_cents == 30015


def test_its_services_run_at_its_prices_and_under_its_numbers(world: World, shop: Shop, alice: Customer) -> None:
    """LEG-6: the quote's EUR 0.90 a GB, not the terms' 1.30, this month and after a renewal."""
    quote = sign(world, alice, sent(world, alice, world.staff("billing")))
    line = QuoteLine.objects.get(quote=quote, interval="month")
    orders = [
        quote_signing.order(line, {"name": "web-1"}, key=f"k{n}", now=world.now, actor=alice.actor, ip=None)
        for n in (1, 1, 2)
    ]
    assert len(set(orders)) == 2
    with pytest.raises(RuleViolation):
        quote_signing.order(line, {"name": "web-3"}, key="k3", now=world.now, actor=alice.actor, ip=None)
    ordering.cancel(orders[2], ordering.WITHDRAWN, actor=alice.actor, now=world.now)
    assert quote_signing.left(line) == 1
    with transaction.atomic():
        row = ordering.paid(orders[0], shop.payment(orders[0]), now=world.now)
    assert row is not None
    assert (row.price_cents, row.terms_version) == (990, "say_digital/2026-01+D2026-000001")
    shop.service.used[row.anchor_on] = 2_010 * 10**9
    shop.service.used[row.period_end] = 2_001 * 10**9
    for _ in range(2):
        row.refresh_from_db()
        world.until(world.now.replace(month=row.period_end.month, day=row.period_end.day), sweeps=["invoicing.renew"])
    first, second = Invoice.objects.filter(lines__code="usage:traffic").order_by("pk")
    assert first.lines.get(code="usage:traffic").net_cents == 900  # 10 GB x 0.90
    assert second.lines.get(code="usage:traffic").net_cents == 90
    assert first.lines.get(code="vps-m").net_cents == 990
    assert (first.due_on - first.issued_on).days == 30
    assert Subscription.objects.count() == 1
    assert Order.objects.filter(state=OrderState.CANCELLED).count() == 1


def test_a_service_is_sold_with_options_and_a_commitment(world: World, shop: Shop, alice: Customer) -> None:
    """SUB-6, SUB-12: two VPS M at 9.90 with two addresses each at 1.50, for at least 12 months: 19.80 and 6.00 a month.
    What runs afterwards has these prices; ended in the third month, the nine months left become payable."""
    staff = world.staff("billing")
    quote = quotes.draw_up(
        alice.account, "Committed", valid_until=date(2026, 3, 31), our_manager="", now=world.now, actor=staff
    )
    line = quotes.add_line(
        quote, "", quantity=Decimal(2), unit_price=Decimal("9.90"), package=Package.objects.get(code="vps-m"),
        interval="month", commitment_months=12,
    )  # fmt: skip
    address = Option.objects.get(code="vps-address")
    quotes.add_option(line, address, quantity=2, unit_price=Decimal("1.50"))
    for quantity, price in ((2, "1.50"), (0, "1.00"), (99, "1.00")):
        with pytest.raises(RuleViolation):
            quotes.add_option(line, address, quantity=quantity, unit_price=Decimal(price))
    assert quotes.totals(quote, now=world.now)["month"].net == 1980 + 600
    revised = quotes.revise(quotes.send(quote, now=world.now, actor=staff), valid_until=quote.valid_until,
                            now=world.now, actor=staff)  # fmt: skip
    assert [one.of == revised.lines.get(option=None) for one in revised.lines.exclude(option=None)] == [True]
    quotes.send(revised, now=world.now, actor=staff)
    world.work()
    signed = sign(world, alice, Quote.objects.select_related("pdf").get(pk=revised.pk))
    line = signed.lines.get(option=None)
    order = quote_signing.order(line, {"name": "web-1"}, key="k", now=world.now, actor=alice.actor, ip=None)
    assert order.net_cents == 990 + 300
    with transaction.atomic():
        row = ordering.paid(order, shop.payment(order), now=world.now)
    assert row is not None
    assert composing.held_by(row).period_cents == 1290
    assert row.settings["options"] == {"vps-address": 2}
    assert row.committed_until == date(2027, 3, 2)
    world.until(paris("2026-05-10 09:00"), sweeps=["invoicing.renew"])
    row.refresh_from_db()
    ending.end_now(row, Wishes(), actor=alice.actor, now=world.now)
    balance = Invoice.objects.latest("pk")
    assert {line.rule for line in balance.lines.all()} == {"SUB-6"}
    assert balance.net_cents == 9 * 1290


def test_only_a_service_can_be_committed_to(world: World, alice: Customer) -> None:
    staff = world.staff("billing")
    quote = quotes.draw_up(
        alice.account, "x", valid_until=date(2026, 3, 31), our_manager="", now=world.now, actor=staff
    )
    with pytest.raises(RuleViolation) as refused:
        quotes.add_line(quote, "Work", quantity=Decimal(1), unit_price=Decimal(1), commitment_months=12)
    assert (refused.value.rule, refused.value.field) == ("SUB-6", "commitment_months")


@pytest.mark.parametrize(
    "changes", [{"name": " "}, {"sha256": "0" * 64}, {"accepted": ["terms-of-use"]}], ids=["name", "document", "terms"]
)
def test_what_is_missing_is_refused(world: World, alice: Customer, changes: dict[str, object]) -> None:
    quote = sent(world, alice, world.staff("billing"))
    with pytest.raises(RuleViolation):
        sign(world, alice, quote, **changes)
    assert not Invoice.objects.exists()


def test_it_can_be_signed_on_its_last_day_and_expires_after(world: World, alice: Customer) -> None:
    quote = sent(world, alice, world.staff("billing"))
    world.until(world.now.replace(month=3, day=31, hour=21, minute=59), sweeps=["invoicing.quotes"])
    quote.refresh_from_db()
    assert quote.state == "sent"
    world.advance(minutes=1)
    with pytest.raises(RuleViolation):
        sign(world, alice, quote)
    world.sweep("invoicing.quotes")
    world.sweep("invoicing.quotes")
    quote.refresh_from_db()
    assert quote.state == "expired"
    assert len(world.mails("quote_expired", alice.account)) == 1


def test_declined_with_a_reason_then_revised_keeps_both_versions(world: World, alice: Customer) -> None:
    staff = world.staff("billing")
    first = sent(world, alice, staff)
    with pytest.raises(RuleViolation):
        quotes.decline(first, reason=" ", now=world.now, actor=alice.actor)
    quotes.decline(first, reason="too dear", now=world.now, actor=alice.actor)
    second = quotes.revise(first, valid_until=date(2026, 4, 30), now=world.now, actor=staff)
    assert (second.reference, second.version, second.lines.count(), second.stages.count()) == (
        "D2026-000001-2", 2, 2, 3,
    )  # fmt: skip
    quotes.send(second, now=world.now, actor=staff)
    third = quotes.revise(second, valid_until=date(2026, 4, 30), now=world.now, actor=staff)
    quotes.send(third, now=world.now, actor=staff)
    states = Quote.objects.order_by("version").values_list("state", flat=True)
    assert list(states) == ["declined", "replaced", "sent"]
    assert not Event.objects.filter(data__icontains="too dear").exists(), "people's words are not for it"


def test_a_sent_quote_is_never_changed(world: World, alice: Customer) -> None:
    staff = world.staff("billing")
    quote = sent(world, alice, staff)
    for change in (
        lambda: quotes.change(quote, title="Another"),
        lambda: quotes.add_line(quote, "x", quantity=Decimal(1), unit_price=Decimal(1)),
        lambda: quotes.remove_line(quote, quote.lines.all()[0].pk),
        lambda: quotes.set_stages(quote, STAGES),
        lambda: quotes.send(quote, now=world.now, actor=staff),
    ):
        with pytest.raises(RuleViolation):
            change()
    assert quote.document is not None
    assert quote_printing.pdf(quote.document) == quote_printing.pdf(Quote.objects.get(pk=quote.pk).document or {})


def test_a_deposit_only_beyond_what_the_terms_say(
    world: World, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPR-4: another operator's terms let one be asked for beyond EUR 200."""
    staff = world.staff("billing")
    table = terms.version("say_digital/2026-01").table
    monkeypatch.setitem(table, "OPR-4", {"source": "001", "deposit_over": "200.00"})  # type: ignore[arg-type]
    for price, allowed in (("200.00", False), ("200.01", True)):
        quote = quotes.draw_up(
            alice.account, "Small", valid_until=date(2026, 3, 31), our_manager="", now=world.now, actor=staff
        )
        quotes.add_line(quote, "Work", quantity=Decimal(1), unit_price=Decimal(price))
        quotes.set_stages(quote, [("Deposit", 50, "signed", None), ("Rest", 50, "reached", None)])
        if allowed:
            assert quotes.send(quote, now=world.now, actor=staff).state == "sent"
        else:
            with pytest.raises(RuleViolation):
                quotes.send(quote, now=world.now, actor=staff)


def test_a_draft_must_make_sense(world: World, alice: Customer) -> None:
    staff = world.staff("billing")
    quote = quotes.draw_up(
        alice.account, "Sense", valid_until=date(2026, 3, 31), our_manager="", now=world.now, actor=staff
    )
    package = Package.objects.get(code="vps-s")
    with pytest.raises(RuleViolation):
        quotes.send(quote, now=world.now, actor=staff)
    for quantity, price, named, interval in (
        ("0", "1", None, ""), ("-1", "1", None, ""), ("1", "-1", None, ""), ("1.5", "1", package, "month"),
        ("1", "1.005", package, "month"), ("1", "1", package, ""), ("1", "1", None, "month"),
    ):  # fmt: skip
        with pytest.raises(RuleViolation):
            quotes.add_line(
                quote, "x", quantity=Decimal(quantity), unit_price=Decimal(price), package=named, interval=interval
            )
    with pytest.raises(RuleViolation):
        quotes.set_stages(quote, [("Half", 50, "signed", None)])
    with pytest.raises(RuleViolation):
        quotes.change(quote, special={"SRV-5.price_per_gb": "cheap"})
    with pytest.raises(ValueError, match="ABU-3"):
        quotes.change(quote, special={"ABU-3.fee": "1.00"})


def test_an_overrun_is_announced_at_once_and_invoices_nothing(world: World, alice: Customer) -> None:
    """PRJ-6."""
    staff = world.staff("billing")
    quote = sent(world, alice, staff)
    with pytest.raises(RuleViolation):
        quote_signing.announce_overrun(quote, 30000, reason="more data", now=world.now, actor=staff)
    sign(world, alice, quote)
    for cents, reason in ((0, "more data"), (30000, " ")):
        with pytest.raises(RuleViolation):
            quote_signing.announce_overrun(quote, cents, reason=reason, now=world.now, actor=staff)
    before = Invoice.objects.count()
    quote_signing.announce_overrun(quote, 30000, reason="more data than told", now=world.now, actor=staff)
    [mail] = world.mails("quote_overrun", alice.account)
    assert "EUR\u00a0300.00" in mail.content.body
    assert "more data than told" in mail.content.body
    assert Invoice.objects.count() == before
    assert not Event.objects.filter(data__icontains="more data").exists()
