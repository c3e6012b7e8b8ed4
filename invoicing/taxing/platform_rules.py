"""What may become of a document or a report at the accredited platform; its life-cycle codes (XP Z12-012). Pure."""

from collections.abc import Iterable

WAITING, SENT, DELIVERED, ACCEPTED, REFUSED, REJECTED = (
    "waiting", "sent", "delivered", "accepted", "refused", "rejected",
)  # fmt: skip

TRANSITIONS = {
    WAITING: frozenset({SENT, REJECTED}),
    SENT: frozenset({DELIVERED, ACCEPTED, REFUSED, REJECTED}),
    DELIVERED: frozenset({ACCEPTED, REFUSED, REJECTED}),
    ACCEPTED: frozenset[str](),
    REFUSED: frozenset[str](),
    REJECTED: frozenset[str](),
}
OPEN = (SENT, DELIVERED)
FINAL = frozenset({ACCEPTED, REFUSED, REJECTED})

DEPOSITED, ISSUED, RECEIVED, AVAILABLE, TAKEN, APPROVED, PARTLY = 200, 201, 202, 203, 204, 205, 206
DISPUTED, SUSPENDED, COMPLETED, REFUSED_BY_BUYER, PAYMENT_SENT, COLLECTED, REJECTED_BY_PLATFORM = (
    207, 208, 209, 210, 211, 212, 213,
)  # fmt: skip
CODES = range(DEPOSITED, REJECTED_BY_PLATFORM + 1)

# a collection is what we tell ourselves: it moves nothing
_MEANING = {
    DEPOSITED: SENT, ISSUED: SENT, RECEIVED: DELIVERED, AVAILABLE: DELIVERED, TAKEN: DELIVERED, APPROVED: ACCEPTED,
    PARTLY: DELIVERED, DISPUTED: DELIVERED, SUSPENDED: DELIVERED, COMPLETED: DELIVERED, REFUSED_BY_BUYER: REFUSED,
    PAYMENT_SENT: ACCEPTED, REJECTED_BY_PLATFORM: REJECTED,
}  # fmt: skip
_RANK = {WAITING: 0, SENT: 1, DELIVERED: 2, ACCEPTED: 3, REFUSED: 4, REJECTED: 5}


def state_after(state: str, codes: Iterable[int]) -> str:
    """The state that follows from everything heard so far, in whatever order and however often it was told.

    What is final stays: a refusal is answered by a credit note, not by another status.
    """
    if state in FINAL:
        return state
    heard = [_MEANING[code] for code in codes if code in _MEANING]
    furthest = max([state, *heard], key=lambda name: _RANK[name])
    return furthest if furthest == state or furthest in TRANSITIONS[state] else state
