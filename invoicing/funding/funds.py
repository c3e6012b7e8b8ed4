"""Funds (INV-6): the only place that moves money into and out of a customer's credit in the books.

Each debit names the credits it spends, first in first out; the database lets none fall below zero. The caller holds the
account's lock (`settlement.lock_account`), so that nobody spends the same credit at the same time.
"""

from collections.abc import Sequence
from datetime import datetime

from invoicing.accounting import ledger
from invoicing.accounting.ledger import Leg
from invoicing.funding import funds_rules, taken_back
from invoicing.models import Entry, FundsCredit, FundsDebit
from panel.accounts.models import Account
from panel.core.money import Cents


class TooLittle(Exception):
    """The funds do not hold that much."""


def balance(account: Account) -> Cents:
    """What the customer has with us in advance; never negative."""
    return ledger.funds(account)


def put_in(account: Account, cents: Cents, *, source: str, kind: str, ref: str, now: datetime) -> Entry:
    """Credit `cents` to the funds from the ledger account `source`, once per (kind, ref). What a bank took back of
    spent funds is settled by it first."""
    legs = [ledger.debit(source, cents), ledger.credit(ledger.FUNDS, cents)]
    entry = _booked(kind, ref, legs, account, now=now)
    FundsCredit.objects.get_or_create(
        entry=entry, defaults={"account": account, "cents": cents, "left_cents": cents, "at": now}
    )
    _settle(account, now=now)
    return entry


def _settle(account: Account, *, now: datetime) -> None:
    for one in taken_back.outstanding().filter(account=account):
        if cents := min(one.left, balance(account)):
            kind, ref = taken_back.FROM_FUNDS, one.provider_ref
            known = Entry.objects.filter(kind=kind, ref__startswith=f"{ref}:").count()
            take_out(account, cents, to=ledger.CUSTOMERS, kind=kind, ref=f"{ref}:{known + 1}", now=now)


def take_out(account: Account, cents: Cents, *, to: str, kind: str, ref: str, now: datetime) -> Entry:
    """Spend `cents` of the funds on the ledger account `to`, once per (kind, ref). TooLittle when they hold less."""
    entry = Entry.objects.filter(kind=kind, ref=ref).first()
    if entry is not None:
        return entry
    held = list(FundsCredit.objects.select_for_update().filter(account=account, left_cents__gt=0).order_by("pk"))
    parts = funds_rules.first_in_first_out([credit.left_cents for credit in held], cents)
    if parts is None:
        raise TooLittle(f"the funds hold less than {cents} cents")
    entry = _booked(kind, ref, [ledger.debit(ledger.FUNDS, cents), ledger.credit(to, cents)], account, now=now)
    for credit, part in zip(held, parts, strict=True):
        if part:
            FundsDebit.objects.create(credit=credit, account=account, entry=entry, cents=part)
    return entry


def _booked(kind: str, ref: str, legs: Sequence[Leg], account: Account, *, now: datetime) -> Entry:
    entry = ledger.post(kind, ref, legs, now=now, account=account)
    if entry is None:
        raise ValueError(f"{kind} {ref} moves nothing")
    return entry
