"""A customer's statement of account, read from the books: as rows, as PDF and as CSV (INV-3, INV-11)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db.models import Sum

from invoicing.accounting import ledger, naming, statement_rules
from invoicing.accounting.statement_rules import Movement, Statement
from invoicing.documents import statement_texts, texts
from invoicing.issuing import parties
from invoicing.models import Posting
from panel.accounts.models import Account
from panel.core.calendars import paris_date
from panel.core.money import Cents

CODES = (ledger.CUSTOMERS, ledger.FUNDS, ledger.DOUBTFUL)
"""What the customer owes less what we hold of theirs: money that only changes its place among these is no movement."""


def of(account: Account, start: date, end: date) -> Statement:
    """From `start` to `end`, both days included (Paris), with what stood before."""
    rows = Posting.objects.filter(account=account, ledger_account__code__in=CODES)
    opening: Cents = rows.filter(entry__booked_on__lt=start).aggregate(sum=Sum("cents"))["sum"] or 0
    found = (
        rows.filter(entry__booked_on__range=(start, end))
        .values("entry_id", "entry__kind", "entry__ref", "entry__booked_on")
        .annotate(sum=Sum("cents"))
        .order_by("entry__booked_on", "entry_id")
    )
    moved = [Movement(row["entry__booked_on"], row["entry__kind"], row["entry__ref"], row["sum"]) for row in found]
    return statement_rules.statement(opening, _named(moved))


def _named(moved: list[Movement]) -> list[Movement]:
    """Each under the number or reference its payer knows."""
    known = naming.names((one.kind, one.ref) for one in moved)
    return [replace(one, ref=known[one.kind, one.ref]) for one in moved]


def span(given: Mapping[str, str], *, now: datetime) -> tuple[date, date]:
    """The days asked for as `from` and `to` (ISO); this year so far where they are missing or no days."""
    today = paris_date(now)
    start, end = _day(given.get("from", "")), _day(given.get("to", ""))
    end = end or today
    start = start or date(end.year, 1, 1)
    return (start, end) if start <= end else (end, start)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def words(account: Account, start: date, end: date, language: str, *, now: datetime) -> dict[str, Any]:
    """All that the PDF says."""
    said, made = statement_texts.labels(language), of(account, start, end)
    party, seller = parties.customer(account, language), parties.seller(language)
    return {
        "language": texts.language_of(language), "labels": said, "brand": str(settings.CLAUSE_BRAND["name"]),
        "issued_on": paris_date(now).isoformat(),
        "seller": {"name": seller.name, "address": list(seller.address), "facts": list(seller.facts)},
        "customer": {"name": party.name, "address": list(party.address), "reference": account.reference},
        "span": said["span"].format(start=texts.day(language, start), end=texts.day(language, end)),
        "opening": texts.amount(language, made.opening), "closing": texts.amount(language, made.closing),
        "totals": [texts.amount(language, made.debit), texts.amount(language, made.credit)],
        "verdict": said["owed" if made.closing > 0 else "held" if made.closing < 0 else "even"].format(
            amount=texts.money(language, abs(made.closing))
        ),
        "rows": [
            [texts.short_day(language, row.movement.on), statement_texts.kind(language, row.movement.kind),
             row.movement.ref, texts.amount(language, row.debit) if row.debit else "",
             texts.amount(language, row.credit) if row.credit else "", texts.amount(language, row.balance)]
            for row in made.rows
        ],
    }  # fmt: skip


def table(account: Account, start: date, end: date, language: str) -> list[list[str]]:
    """The rows of the CSV: a head, what stood before, each movement, what stands after; amounts with a point."""
    said, made = statement_texts.labels(language), of(account, start, end)
    rows = [[said[name] for name in ("day", "what", "reference", "debit", "credit", "balance")]]
    rows.append([start.isoformat(), said["opening"], "", "", "", plain(made.opening)])
    rows += [
        [row.movement.on.isoformat(), statement_texts.kind(language, row.movement.kind), row.movement.ref,
         plain(row.debit), plain(row.credit), plain(row.balance)]
        for row in made.rows
    ]  # fmt: skip
    rows.append([end.isoformat(), said["closing"], "", plain(made.debit), plain(made.credit), plain(made.closing)])
    return rows


def plain(cents: Cents) -> str:
    """`-1234.50`: an amount as programs read it."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"
