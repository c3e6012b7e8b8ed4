"""The pure law of payments: states, and what a provider's answer means for a payment (SUB-3, INV-12)."""

from dataclasses import dataclass

NEW, WAITING, PROCESSING = "new", "waiting", "processing"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
LIVE = (NEW, WAITING, PROCESSING)

OWN = "sepa_file"
"""The provider's name of payments collected by our own SEPA files: no provider stands between us and the bank."""

PAYMENT_TRANSITIONS = {
    NEW: frozenset({WAITING, PROCESSING, SUCCEEDED, FAILED, CANCELLED}),
    WAITING: frozenset({PROCESSING, SUCCEEDED, FAILED, CANCELLED}),
    PROCESSING: frozenset({SUCCEEDED, FAILED}),
    SUCCEEDED: frozenset[str](),
    FAILED: frozenset[str](),
    CANCELLED: frozenset[str](),
}
REFUND_TRANSITIONS = {
    "new": frozenset({"pending", "succeeded", "failed"}),
    "pending": frozenset({"succeeded", "failed"}),
    "succeeded": frozenset({"failed"}),
    "failed": frozenset[str](),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a payment stands at the provider: its charge's state ("" when there was no attempt), whether the last attempt
    was declined, its page's state ("" when there is none: a kept method was charged), and whether the customer asked
    for its end."""

    charge: str
    declined: bool = False
    page: str = ""
    given_up: bool = False


def verdict(standing: Standing) -> str:
    """The state a payment has to take, or "close": the provider's page must be closed before anything is concluded.

    A refusal is final only once no later attempt can succeed, so that the order of messages never decides (INV-12).
    """
    if standing.charge in (SUCCEEDED, PROCESSING):
        return standing.charge
    ended = standing.charge in (FAILED, CANCELLED)
    if standing.page == "open":
        return "close" if ended or standing.given_up else WAITING
    if ended or standing.page == "expired":
        return FAILED if standing.declined and not standing.given_up else CANCELLED
    return WAITING


OURS = frozenset({"AG02", "AM05", "BE05", "CNOR", "DNOR", "DT01", "ED05", "FF01", "FF05", "RC01", "RC07", "TM01"})
"""R-codes of a SEPA debit that the file, the banks or their link brought about, not the payer: staff looks at them."""

OUT_OF_REACH = "out_of_reach"
"""Decline code of a payment that never got to the provider."""

NOT_THE_CUSTOMERS = frozenset(
    {"", OUT_OF_REACH, "api_error", "rate_limit", "processing_error", "issuer_not_available", "try_again_later",
     "reenter_transaction", "authentication_required"}
) | OURS  # fmt: skip
"""Codes of a failed payment that no means of the customer's refused: it never got there, somebody on the way failed, or
the customer has yet to confirm it."""


def refundable(amount_cents: int, refunded_cents: int, disputed_cents: int = 0) -> int:
    """Cents of a payment that can still be given back."""
    return max(0, amount_cents - refunded_cents - disputed_cents)


def taken_back(amount_cents: int, refunded_cents: int, disputed_cents: int, taken_cents: int) -> tuple[int, int]:
    """What a bank took back of a payment: (what had been collected and is owed again, what had been given back already
    and is lost)."""
    returned = min(taken_cents, refundable(amount_cents, refunded_cents, disputed_cents))
    return returned, taken_cents - returned


SMALLEST_CENTS = 50
"""The provider moves no less."""

DISPUTE_TRANSITIONS = {
    "open": frozenset({"won", "lost"}),
    "won": frozenset[str](),
    "lost": frozenset({"won"}),
}


ZIP = 5


def postcode_check(bank: str, typed: str, billed: str) -> str:
    """Whether the postcode typed with a card is that of the billing address: "fail" where its bank says that it is not
    the holder's or where it is another one, "pass" where either agrees, "" where nothing tells (SUB-4)."""
    given, known = ("".join(char for char in one.upper() if char.isalnum()) for one in (typed, billed))
    if not given or not known:
        return bank
    short, long = sorted((given, known), key=len)
    same = given == known or (len(short) >= ZIP and long.startswith(short))  # ZIP and ZIP+4
    return "fail" if bank == "fail" or not same else "pass"
