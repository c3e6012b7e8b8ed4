"""The statement of account: what a customer was asked, what they paid, and what that leaves, line by line. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from panel.core.money import Cents


@dataclass(frozen=True, slots=True)
class Movement:
    """One posting on a customer's accounts; positive cents are owed by them."""

    on: date
    kind: str
    ref: str
    cents: Cents


@dataclass(frozen=True, slots=True)
class Row:
    """A movement with the balance after it; positive: the customer owes."""

    movement: Movement
    debit: Cents
    credit: Cents
    balance: Cents


@dataclass(frozen=True, slots=True)
class Statement:
    opening: Cents
    rows: tuple[Row, ...]
    debit: Cents
    credit: Cents
    closing: Cents


def statement(opening: Cents, movements: Iterable[Movement]) -> Statement:
    """The rows in their order with the running balance; movements within the same entry that cancel are left out."""
    rows, balance, debit, credit = [], opening, 0, 0
    for one in movements:
        if one.cents == 0:
            continue
        balance += one.cents
        debit += max(one.cents, 0)
        credit += max(-one.cents, 0)
        rows.append(Row(one, max(one.cents, 0), max(-one.cents, 0), balance))
    return Statement(opening, tuple(rows), debit, credit, balance)
