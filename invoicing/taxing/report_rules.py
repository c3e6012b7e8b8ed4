"""E-reporting: periods, and how sales and collections are summed in them. Amounts in cents. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from panel.core.calendars import add_months
from panel.core.money import Cents, split

FIRSTS = (1, 11, 21)  # days on which a period of the monthly regime begins


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `start` to before `end`."""

    start: date
    end: date

    @property
    def last(self) -> date:
        return self.end - timedelta(days=1)


def period_of(day: date) -> Span:
    """The ten-day period a day falls into: 1 to 10, 11 to 20, 21 to the end of the month."""
    start = max(first for first in FIRSTS if first <= day.day)
    following = [first for first in FIRSTS if first > start]
    end = day.replace(day=following[0]) if following else add_months(day.replace(day=1), 1)
    return Span(day.replace(day=start), end)


def periods(first: date, until: date) -> list[Span]:
    """Every period from the one of `first` on that ended at or before the start of `until`."""
    found, span = [], period_of(first)
    while span.end <= until:
        found.append(span)
        span = period_of(span.end)
    return found


@dataclass(frozen=True, slots=True)
class Sold:
    """One rate group of one document, credit notes negative."""

    number: str
    day: date
    channel: str
    code: str
    rate: Decimal
    country: str
    net: Cents
    vat: Cents
    vat_number: str = ""


def sales(rows: Iterable[Sold]) -> dict[str, Any]:
    """A report of sales: businesses abroad document by document, private customers summed by day, rate and country."""
    abroad: list[dict[str, Any]] = []
    sums: dict[tuple[date, str, str, Decimal, str], tuple[int, Cents, Cents]] = {}
    for row in rows:
        if row.channel == "B2BINT":
            abroad.append({
                "number": row.number, "day": row.day.isoformat(), "country": row.country, "category": row.code,
                "rate": str(row.rate), "net_cents": row.net, "vat_cents": row.vat, "vat_number": row.vat_number,
            })  # fmt: skip
            continue
        key = (row.day, row.channel, row.code, row.rate, row.country)
        count, net, vat = sums.get(key, (0, 0, 0))
        sums[key] = (count + 1, net + row.net, vat + row.vat)
    days = [
        {"day": day.isoformat(), "channel": channel, "category": code, "rate": str(rate), "country": country,
         "documents": count, "net_cents": net, "vat_cents": vat}
        for (day, channel, code, rate, country), (count, net, vat) in sorted(sums.items())
    ]  # fmt: skip
    return {"invoices": abroad, "days": days}


@dataclass(frozen=True, slots=True)
class Collected:
    """Money that came in for one document, by VAT rate; given back: negative."""

    number: str
    day: date
    channel: str
    by_rate: Mapping[Decimal, Cents]


def collections(rows: Iterable[Collected]) -> dict[str, Any]:
    """A report of collections: businesses abroad document by document, private customers by day and rate."""
    abroad: list[dict[str, Any]] = []
    sums: dict[tuple[date, Decimal], Cents] = {}
    for row in rows:
        for rate, cents in sorted(row.by_rate.items()):
            if row.channel == "B2BINT":
                abroad.append({"number": row.number, "day": row.day.isoformat(), "rate": str(rate), "cents": cents})
            else:
                sums[row.day, rate] = sums.get((row.day, rate), 0) + cents
    days = [{"day": day.isoformat(), "rate": str(rate), "cents": cents} for (day, rate), cents in sorted(sums.items())]
    return {"invoices": abroad, "days": days}


def by_rate(groups: Sequence[tuple[Decimal, Cents]], before: Cents, cents: Cents) -> dict[Decimal, Cents]:
    """How `cents` that came in for a document divide over its (rate, total) groups, `before` having come in already.

    By cumulation: whatever the instalments, those of a whole document add up to exactly the total of each group.
    """
    weights = [total for _rate, total in groups]
    if sum(weights) == 0:
        return {}
    after, already = split(before + cents, weights), split(before, weights)
    found: dict[Decimal, Cents] = {}
    for (rate, _total), now, then in zip(groups, after, already, strict=True):
        found[rate] = found.get(rate, 0) + now - then
    return {rate: part for rate, part in found.items() if part}
