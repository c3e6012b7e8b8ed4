"""What must hold of money at every instant, whatever happened: asked of the rows as they lie there, and reckoned anew
with fractions, by none of the product's own arithmetic."""

from calendar import monthrange
from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction

from django.db.models import Sum

from invoicing.accounting import exports, ledger, receivables
from invoicing.funding import taken_back
from invoicing.issuing import explaining, invoices
from invoicing.models import (
    Charge,
    Entry,
    FundsCredit,
    Invoice,
    InvoiceLine,
    NumberSeries,
    Order,
    Payment,
    Subscription,
    SubscriptionPeriod,
    Suspension,
)
from invoicing.taxing.report_rules import Span
from panel.accounts.models import Account, Restriction
from panel.core.calendars import paris_date

Rates = Counter[tuple[str, Decimal]]
INVOICED = ("invoice", "statement")
EVER = Span(date(2025, 1, 1), date(2031, 1, 1))
SRV_6_DAYS, SUB_8_DAYS, INV_7_DAYS = 15, 30, 30


def half_up(exact: Fraction) -> int:
    """Cents; half a cent away from nothing."""
    return int(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)


def rates_of(invoice: Invoice, what: str) -> Rates:
    """Net or VAT by rate, as the document itself says."""
    said = invoice.document["vat"]
    return Counter({(group["code"], Decimal(group["rate"])): group[what] for group in said})


def documents_add_up() -> None:
    """1: lines are the net, the VAT of a rate is half up of its sum, net and VAT the total; what is due is what neither
    was paid nor credited. 2: credit notes mirror their invoice, and never exceed it."""
    for row in Invoice.objects.prefetch_related("lines", "lines__credited_by"):
        nets: Rates = Counter()
        for line in row.lines.all():
            assert half_up(Fraction(line.quantity) * Fraction(line.unit_price) * 100) == line.net_cents
            nets[line.vat_code, line.vat_rate] += line.net_cents
            assert sum(note.net_cents for note in line.credited_by.all()) <= line.net_cents
        assert sum(nets.values()) == row.net_cents
        assert rates_of(row, "net_cents") == nets
        vats = rates_of(row, "vat_cents")
        assert sum(vats.values()) == row.vat_cents
        assert row.net_cents + row.vat_cents == row.total_cents
        if row.kind in INVOICED:
            assert vats == {rate: half_up(net * Fraction(rate[1]) / 100) for rate, net in nets.items()}
            assert row.due_cents == max(0, row.total_cents - row.paid_cents - row.credited_cents)
            _mirrored(row)


def _mirrored(row: Invoice) -> None:
    notes = Invoice.objects.filter(lines__credits__invoice=row).distinct()
    nets, vats = Counter[tuple[str, Decimal]](), Counter[tuple[str, Decimal]]()
    for note in notes:
        nets += rates_of(note, "net_cents")
        vats += rates_of(note, "vat_cents")
    assert +vats == +Counter({rate: half_up(net * Fraction(rate[1]) / 100) for rate, net in nets.items()})
    assert row.credited_cents == sum(nets.values()) + sum(vats.values())
    if nets == rates_of(row, "net_cents"):
        assert vats == rates_of(row, "vat_cents"), "all of it is the exact mirror"


def numbers_run_on() -> None:
    """3, 4, 5: 1 to n in the order of time, nothing altered."""
    assert invoices.verify() == []
    for series in NumberSeries.objects.all():
        rows = list(series.documents.order_by("position"))
        assert [row.position for row in rows] == list(range(1, series.last_number + 1))
        assert sorted(rows, key=lambda row: (row.issued_at, row.position)) == rows


def books_balance() -> None:
    """6: every entry is nothing in sum; what a customer owes by the books is what the invoices ask. 10: no more went
    back than came in. 19: funds never below nothing, each debit of its credits, the oldest first."""
    assert set(Entry.objects.annotate(sum=Sum("postings__cents")).values_list("sum", flat=True)) <= {0}
    for row in Payment.objects.all():
        assert 0 <= row.refunded_cents + row.disputed_cents <= row.amount_cents
    for account in Account.objects.all():
        due = sum(one.due_cents for one in Invoice.objects.filter(account=account, kind__in=INVOICED))
        held = Order.objects.filter(account=account, state="held")
        advance = sum(held.values_list("total_cents", flat=True))
        assert ledger.balance(ledger.CUSTOMERS, account) == due + taken_back.owed(account) - advance
        assert receivables.of(account.pk) == []
        given = list(FundsCredit.objects.filter(account=account).order_by("pk").prefetch_related("debits"))
        assert ledger.funds(account) == sum(one.left_cents for one in given)
        for one in given:
            assert 0 <= one.left_cents == one.cents - sum(debit.cents for debit in one.debits.all())


def letters_settle() -> None:
    """In the accounting entries what bears one letter comes to nothing; of a customer who owes nothing, and none of
    whose money waits for what it is for, everything bears one."""
    rows = [line.split("\t") for line in exports.fec(EVER).content.decode().split("\r\n")[1:-1]]
    sums, open_ones = Counter[tuple[str, str]](), set[str]()
    for row in (one for one in rows if one[4] == ledger.CUSTOMERS):
        customer, letter = row[6], row[13]
        assert bool(letter) == bool(row[14])
        sums[customer, letter] += int(row[11].replace(",", "")) - int(row[12].replace(",", ""))
        if not letter:
            open_ones.add(customer)
    assert {letter for (_customer, letter), cents in sums.items() if letter and cents} == set()
    for account in Account.objects.filter(reference__in=open_ones):
        due = any(one.due_cents for one in Invoice.objects.filter(account=account, kind__in=INVOICED))
        assert due or ledger.balance(ledger.CUSTOMERS, account)


def months_after(anchor: date, count: int) -> date:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + count, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def periods_tile_time(today: date) -> None:
    """12, 13: months from the anchor day without hole or overlap, each part of each billed once; of what runs none
    is missing after the billing run of `today`."""
    for row in Subscription.objects.all():
        periods = list(SubscriptionPeriod.objects.filter(subscription=row).order_by("start"))
        wanted = [(months_after(row.anchor_on, n), months_after(row.anchor_on, n + 1)) for n in range(len(periods))]
        assert [(one.start, one.end) for one in periods] == wanted
        if row.state == "active":
            assert periods[-1].end > today
        _each_part_is_billed_once(row)


def _each_part_is_billed_once(row: Subscription) -> None:
    """On one invoice: the package, as many of each option as were held then, and what a month consumed."""
    told, on = Counter[tuple[str, date | None]](), dict[tuple[str, date | None], set[int]]()
    lines = InvoiceLine.objects.filter(subscription=row, rule__in=("SUB-5", "SRV-5"), credits=None)
    for line in lines:
        told[line.code, line.period_start] += 1 if line.rule == "SRV-5" else int(line.quantity)
        on.setdefault((line.code, line.period_start), set()).add(line.invoice_id)
    assert all(len(invoices) == 1 for invoices in on.values())
    options = list(row.options.select_related("option"))
    for (code, start), count in told.items():
        mine = [one for one in options if one.option.code == code]
        held = [one for one in mine if start and one.since <= start and (one.until is None or start < one.until)]
        assert count == (sum(one.quantity for one in held) if mine else 1)


def lines_follow(used: dict[date, int]) -> None:
    """18, 20: every line is explained by what was kept with it and by nothing else; consumption is what the meter said
    beyond what is included, rounded once, and nothing below it."""
    for row in Invoice.objects.all():
        for one in explaining.lines(row):
            assert one.holds
            assert one.law, one.line.rule
            assert one.terms
    for period in SubscriptionPeriod.objects.select_related("subscription__package", "invoice"):
        lines = InvoiceLine.objects.filter(
            subscription=period.subscription, rule="SRV-5", credits=None, period_start=period.start
        )
        if lines:
            over = used[period.start] - int(Decimal(lines[0].evidence["allowance"]) * 10**9)
            assert over > 0
            assert lines[0].net_cents == half_up(Fraction(over, 10**9) * 130)


def fees_are_for_refusals() -> None:
    """22: one for each payment that the customer's means refused, none for trouble on the way."""
    refused = Payment.objects.filter(state="failed", decline_code="insufficient_funds", key__startswith="collect:")
    wanted = [one.reference for one in refused if not one.invoice.lines.filter(rule="OPR-3").exists()]
    made = list(Charge.objects.filter(rule="OPR-3").values_list("because_name", flat=True))
    assert sorted(made) == sorted(wanted)
    assert not Invoice.objects.filter(kind="statement", account__kind="consumer").exists()


def nobody_is_suspended_without_ground(today: date) -> None:
    """24: who is suspended owes, was told, and has had the days of the rule; a suspension that ended blocks nobody."""
    for row in Suspension.objects.select_related("invoice", "restriction"):
        if row.state != "applied":
            assert row.restriction is None or row.restriction.state == "lifted"
            continue
        invoice = row.invoice
        assert invoice.due_cents > 0
        assert invoice.contested_at is None
        assert invoice.reminders.exists()
        decided = paris_date(row.decided_at)
        stood = sum((paris_date(s.until or row.decided_at) - paris_date(s.since)).days for s in invoice.stops.all())
        late = (decided - invoice.due_on).days - stood
        if row.rule == "SRV-6":
            assert late > SRV_6_DAYS
            assert invoice.lines.filter(rule="SRV-5").exists()
        elif row.rule == "SUB-8":
            assert late > SUB_8_DAYS
        else:
            notices = invoice.account.rejection_notices.filter(ended_at=None)
            assert any((decided - paris_date(one.told_at)).days > INV_7_DAYS for one in notices)
    for blocked in Restriction.objects.filter(state="active", rule__in=("SRV-6", "INV-7")):
        assert Suspension.objects.filter(restriction=blocked, state="applied").exists()
