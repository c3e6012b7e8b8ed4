"""What an entry of the books is called: by the number or reference that people know, never by our own key (INV-11)."""

from collections.abc import Iterable, Mapping
from typing import Any

from invoicing.models import Dispute, ManualPayment, PaidBack, Refund, WriteOff

BY_HAND, REFUND, WRITE_OFF, DISPUTE = "manual_payment", "refund", "write-off", "dispute"
PAID_BACK = "paid_back"
_KEYED = {  # kinds of entry whose reference is the key of a row, and which row
    "paid_back": PAID_BACK, "manual_payment": BY_HAND, "taken_back": BY_HAND, "taken_back_funds": BY_HAND,
    "refund": REFUND, "refund_returned": REFUND, "doubtful": WRITE_OFF,
    "written_off": WRITE_OFF, "dispute": DISPUTE, "dispute_won": DISPUTE, "dispute_funds": DISPUTE,
    "funds_written_off": DISPUTE,
}  # fmt: skip

Key = tuple[str, str]


def names(entries: Iterable[Key]) -> dict[Key, str]:
    """The names of entries by (kind, reference), in a fixed number of queries. One that nobody named has its own
    reference."""
    about = {key: _about(*key) for key in entries}
    known = _known({subject for subject in about.values() if subject is not None})
    return {key: known.get(subject, _plain(key[1])) if subject else _plain(key[1]) for key, subject in about.items()}


def _about(kind: str, ref: str) -> Key | None:
    """The row that a reference is the key of: ("refund", "7"), ("dispute", "dp_1")."""
    first, _colon, rest = ref.partition(":")
    if kind in (
        "to_funds",
        "no_loss",
    ):  # named after what it came with: "manual_payment:12", "payment:PAY-7KQ2", "dp_1"
        return _about(first, rest) if rest else (DISPUTE, ref)
    if kind == "dispute_funds":  # "dp_1", and "dp_1:2" where funds that came later settled it
        return DISPUTE, first
    if kind not in _KEYED:
        return None
    return _KEYED[kind], ref.removeprefix("write-off:")


def _plain(ref: str) -> str:
    """Without the kind before it, nor the count behind a document's number."""
    words = [word for word in ref.split(":") if not word.isdecimal()]
    return words[-1] if words else ref


def _known(subjects: set[Key]) -> Mapping[Key, str]:
    wanted: dict[str, list[str]] = {}
    for what, key in subjects:
        wanted.setdefault(what, []).append(key)
    found: dict[Key, str] = {}
    columns: dict[str, tuple[Any, str, str]] = {
        PAID_BACK: (PaidBack, "pk", "reference"),
        BY_HAND: (ManualPayment, "pk", "reference"), REFUND: (Refund, "pk", "payment__reference"),
        WRITE_OFF: (WriteOff, "pk", "invoice__number"), DISPUTE: (Dispute, "provider_ref", "payment__reference"),
    }  # fmt: skip
    for what, keys in wanted.items():
        model, column, name = columns[what]
        keys = [key for key in keys if what == DISPUTE or key.isdecimal()]
        rows = model.objects.filter(**{f"{column}__in": keys}).values_list(column, name)
        found |= {(what, str(key)): str(word) for key, word in rows}
    return found
