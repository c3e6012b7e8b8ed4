"""The books (INV-11): one function writes entries, the database balances them and refuses to change them."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext_noop as _

from invoicing.models import Entry, LedgerAccount, Posting
from panel.accounts.models import Account
from panel.core import bulk
from panel.core.calendars import paris_date
from panel.core.money import Cents
from panel.core.prepared import Prepared, slot

CUSTOMERS = "411000"
FUNDS = "419100"
DOWN_PAYMENTS = "419110"
SALES = "706000"
LATE_PAYMENT = "763000"
VAT = "445710"
BANK = "512000"
DOUBTFUL = "416000"
CLEARING = "511700"
LOSSES = "671400"
TRANSIT = "580000"
BANK_COSTS = "627800"
SUSPENSE = "471000"

CHART = {
    CUSTOMERS: _("Customers"),
    FUNDS: _("Customers' funds received in advance"),
    DOWN_PAYMENTS: _("Down payments invoiced"),
    SALES: _("Services sold"),
    LATE_PAYMENT: _("Interest and costs of late payment"),
    VAT: _("VAT collected"),
    BANK: _("Bank"),
    DOUBTFUL: _("Doubtful customers"),
    CLEARING: _("Card payments on their way to the bank"),
    LOSSES: _("Claims lost"),
    TRANSIT: _("Payouts on their way to the bank"),
    BANK_COSTS: _("Fees of the payment provider"),
    SUSPENSE: _("Waiting to be explained"),
}
OF_A_CUSTOMER = frozenset({CUSTOMERS, DOUBTFUL, FUNDS, DOWN_PAYMENTS})


class Contradiction(Exception):
    """The same fact was booked before with other amounts."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of an entry: positive cents are a debit."""

    code: str
    cents: Cents
    tax_code: str = ""


def debit(code: str, cents: Cents, tax_code: str = "") -> Leg:
    return Leg(code, cents, tax_code)


def credit(code: str, cents: Cents, tax_code: str = "") -> Leg:
    return Leg(code, -cents, tax_code)


def post(kind: str, ref: str, legs: Iterable[Leg], *, now: datetime, account: Account | None = None) -> Entry | None:
    """Book one fact, inside the transaction of that fact. (kind, ref) names it: a repeat returns the entry that exists
    and Contradiction when its amounts differ. Legs of nothing are left out; an entry of nothing is none.

    An unbalanced entry is refused by the database at COMMIT.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an entry belongs to the transaction of its fact")
    kept = [leg for leg in legs if leg.cents]
    if not kept:
        return None
    entry = entry_of(kind, ref, now=now, account_id=account.pk if account else None)
    try:
        with transaction.atomic():
            entry.save(force_insert=True)
    except IntegrityError:
        return _same(Entry.objects.get(kind=kind, ref=ref), kept)
    Posting.objects.bulk_create(postings_of(entry, kept, accounts({leg.code for leg in kept})))
    return entry


def post_all(facts: Sequence[tuple[Entry, Sequence[Leg]]]) -> None:
    """`post` for many new facts of one transaction; IntegrityError where one is booked already."""
    booked = [(entry, kept) for entry, legs in facts if (kept := [leg for leg in legs if leg.cents])]
    entries = [entry for entry, _kept in booked]
    bulk.number(entries)
    bulk.insert(entries)
    codes = accounts({leg.code for _entry, kept in booked for leg in kept})
    bulk.insert([posting for entry, kept in booked for posting in postings_of(entry, kept, codes)])


def entry_of(kind: str, ref: str, *, now: datetime, account_id: int | None) -> Entry:
    """The entry of a fact, not written yet."""
    return bulk.new(Entry, kind=kind, ref=ref, account_id=account_id, booked_at=now, booked_on=paris_date(now))


def postings_of(entry: Entry, legs: Iterable[Leg], codes: Mapping[str, int]) -> list[Posting]:
    """The legs of an entry that is written, themselves not written yet; `codes` as `accounts` gives them."""
    return [
        bulk.new(
            Posting, entry_id=entry.pk, ledger_account_id=codes[leg.code], cents=leg.cents, tax_code=leg.tax_code,
            account_id=entry.account_id if leg.code in OF_A_CUSTOMER else None,
        )
        for leg in legs
    ]  # fmt: skip


def _same(entry: Entry, legs: Sequence[Leg]) -> Entry:
    before = sorted(entry.postings.values_list("ledger_account__code", "cents"))
    if before != sorted((leg.code, leg.cents) for leg in legs):
        raise Contradiction(f"{entry.kind} {entry.ref} is booked with other amounts")
    return entry


def accounts(wanted: Set[str]) -> dict[str, int]:
    """Ids of ledger accounts by code; those of the chart that are missing are opened."""
    found = dict(LedgerAccount.objects.filter(code__in=wanted).values_list("code", "pk"))
    if missing := wanted - found.keys():
        LedgerAccount.objects.bulk_create(
            [LedgerAccount(code=code, name=CHART[code]) for code in sorted(missing)], ignore_conflicts=True
        )
        found = dict(LedgerAccount.objects.filter(code__in=wanted).values_list("code", "pk"))
    return found


def balance(code: str, account: Account | None = None) -> Cents:
    """Debits less credits of a ledger account, for one customer or for all; always the sum of its postings."""
    rows = Posting.objects.filter(ledger_account__code=code)
    if account is not None:
        rows = rows.filter(account=account)
    return rows.aggregate(sum=Sum("cents"))["sum"] or 0


# what an account has with us in advance, in cents; no row for nothing
FUNDS_HELD = Prepared(
    lambda: (
        Posting.objects.filter(ledger_account__code=FUNDS, account_id=slot("account"))
        .order_by()
        .values("account_id")
        .annotate(held=-Sum("cents"))
        .values_list("held")
    )
)


def funds(account: Account) -> Cents:
    """What the customer has with us in advance (INV-6); never negative."""
    found = FUNDS_HELD.first(account=account.pk)
    return found[0] if found else 0


def with_funds(account_ids: Iterable[int]) -> set[int]:
    """Which of these accounts have something with us in advance."""
    rows = (
        Posting.objects.filter(ledger_account__code=FUNDS, account__in=bulk.among(account_ids))
        .order_by()
        .values("account")
    )
    return set(rows.annotate(held=Sum("cents")).exclude(held=0).values_list("account", flat=True))


def total() -> Cents:
    """The sum of everything ever posted: 0, always."""
    return Posting.objects.aggregate(sum=Sum("cents"))["sum"] or 0
