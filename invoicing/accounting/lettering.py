"""Which entries on the customers' account settle one another, for the letters of the FEC (LPF art. A47 A-1)."""

from collections.abc import Iterator, Mapping
from datetime import date

from django.db.models import Q, Sum

from invoicing.accounting import fec_rules, ledger
from invoicing.accounting.fec_rules import Claim, Lettered
from invoicing.accounting.naming import Key
from invoicing.models import Dispute, Entry, InvoiceKind, Refund, Settlement

NAMED_AFTER = ("to_funds", "no_loss")  # "payment:PAY-7KQ2": the entry that it came with
OF_A_DISPUTE = ("dispute_funds", "dispute_won", "funds_written_off", "to_funds")
TAKEN_BACK = {"taken_back": "manual_payment", "taken_back_funds": "taken_back"}


def until(end: date) -> dict[int, Lettered]:
    """By entry, as the books stood before `end` (Paris); where no document is among them, all of them are called
    alike."""
    moved = Sum("postings__cents", filter=Q(postings__ledger_account__code=ledger.CUSTOMERS))
    entries = Entry.objects.filter(booked_on__lt=end).annotate(moved=moved).exclude(moved=None)
    known: dict[Key, int] = {}
    claims: dict[int, Claim] = {}
    documents = set(InvoiceKind.values)
    for pk, kind, ref, day, cents in entries.values_list("pk", "kind", "ref", "booked_on", "moved"):
        known[kind, ref] = pk
        claims[pk] = Claim(day, cents, ref if kind in documents else "")
    settled = Settlement.objects.filter(entry__booked_on__lt=end)
    links = [(known.get((kind, number), 0), entry)
             for kind, number, entry in settled.values_list("invoice__kind", "invoice__number", "entry")]  # fmt: skip
    return fec_rules.lettered(claims, [*links, *_followed(known)])


def _followed(known: Mapping[Key, int]) -> Iterator[tuple[int, int]]:
    """What an entry that settles no document follows on: it goes on to the funds, is no loss any more, was taken back,
    or makes good what was."""
    for (kind, ref), pk in known.items():
        for before in _before(kind, ref):
            if before in known:
                yield pk, known[before]
    for pk, reference in Refund.objects.values_list("pk", "payment__reference"):
        yield known.get(("refund", str(pk)), 0), known.get(("payment", reference), 0)
    for ref, reference in Dispute.objects.values_list("provider_ref", "payment__reference"):
        yield known.get(("dispute", ref), 0), known.get(("payment", reference), 0)


def _before(kind: str, ref: str) -> Iterator[Key]:
    first, _colon, rest = ref.partition(":")
    if kind in NAMED_AFTER:
        yield first, rest
    if kind in OF_A_DISPUTE:
        yield "dispute", ref
        yield "dispute", ref.rpartition(":")[0]  # the second and later times that funds made it good
    if kind in TAKEN_BACK:
        yield TAKEN_BACK[kind], ref
