"""Which signs speak against an order, and which of them hold it until a person has looked (SUB-4). Pure.

A sign that nothing is known of speaks neither for nor against: it is said to be unknown, never guessed.
"""

from dataclasses import dataclass
from enum import StrEnum

from panel.terms.numbers import ReviewTerms

REVIEW_TRANSITIONS = {
    "waiting": frozenset({"accepted", "refused", "withdrawn"}),
    "accepted": frozenset[str](),
    "refused": frozenset[str](),
    "withdrawn": frozenset[str](),
}


class Sign(StrEnum):
    """What is looked at; the names are those of the terms' `hold_...`, but for LAW."""

    CONNECTION = "connection_country"
    CARD = "card_country"
    TELEPHONE = "telephone_country"
    STREET = "card_street"
    POSTCODE = "card_postcode"
    VELOCITY = "velocity"
    DISPOSABLE = "disposable_mail"
    DEBT = "debt"
    DISPUTE = "dispute"
    MISUSE = "misuse"
    COMPETITOR = "competitor"
    VAT = "vat"


LAW = frozenset({Sign.VAT})
"""What holds an order whatever the terms say: it cannot be invoiced as it is (INV-10)."""


class Verdict(StrEnum):
    AGAINST = "against"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of an order when it is placed or paid. Countries are ISO 3166, "" where they are not known.

    `orders` counts the account's orders within the terms' time up to this one; `unpaid_invoices` those overdue or
    written off; `rejected` says that a means of payment was refused repeatedly; `restrictions` counts measures in
    force and services ended for abuse; `vat_changed`: the money does not cover the VAT that the evidence asks for now.
    `card_street`, `card_postcode`: the address given with the card is the billing address ("pass"), or not ("fail").
    """

    billing_country: str
    connection_country: str = ""
    telephone_country: str = ""
    card_country: str = ""
    orders: int = 1
    disposable_mail: bool = False
    unpaid_invoices: int = 0
    rejected: bool = False
    disputes: int = 0
    restrictions: int = 0
    competitor: bool = False
    vat_changed: bool = False
    card_street: str = ""
    card_postcode: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one sign speaks, and whether it holds the order by the terms."""

    sign: Sign
    verdict: Verdict
    holds: bool


def findings(known: Evidence, law: ReviewTerms) -> tuple[Finding, ...]:
    """Every sign, in a fixed order."""
    spoken = {
        Sign.CONNECTION: _elsewhere(known.connection_country, known.billing_country),
        Sign.CARD: _elsewhere(known.card_country, known.billing_country),
        Sign.TELEPHONE: _elsewhere(known.telephone_country, known.billing_country),
        Sign.STREET: _matches(known.card_street),
        Sign.POSTCODE: _matches(known.card_postcode),
        Sign.VELOCITY: _against(known.orders > law.velocity_orders),
        Sign.DISPOSABLE: _against(known.disposable_mail),
        Sign.DEBT: _against(known.unpaid_invoices > 0 or known.rejected),
        Sign.DISPUTE: _against(known.disputes > 0),
        Sign.MISUSE: _against(known.restrictions > 0),
        Sign.COMPETITOR: _against(known.competitor),
        Sign.VAT: _against(known.vat_changed),
    }
    holding = law.holds | LAW
    return tuple(
        Finding(sign, verdict, verdict is Verdict.AGAINST and sign in holding) for sign, verdict in spoken.items()
    )


def reasons(known: Evidence, law: ReviewTerms, *, accepted: frozenset[str] = frozenset()) -> tuple[Sign, ...]:
    """The signs that hold an order; those a person has `accepted` for it do not hold it again."""
    return tuple(one.sign for one in findings(known, law) if one.holds and one.sign not in accepted)


def _elsewhere(country: str, home: str) -> Verdict:
    if not country or not home:
        return Verdict.UNKNOWN
    return _against(country.upper() != home.upper())


def _matches(check: str) -> Verdict:
    return {"pass": Verdict.FINE, "fail": Verdict.AGAINST}.get(check, Verdict.UNKNOWN)


def _against(speaks: bool) -> Verdict:
    return Verdict.AGAINST if speaks else Verdict.FINE


def is_disposable(address: str, *, listed: frozenset[str], own: dict[str, bool]) -> bool:
    """Whether a mail address is of a throw-away provider: its domain, or one above it, is `listed`; what staff says of
    a domain (`own`) comes first."""
    parts = address.rpartition("@")[2].strip().lower().rstrip(".").split(".")
    for start in range(len(parts) - 1):
        domain = ".".join(parts[start:])
        if domain in own:
            return own[domain]
        if domain in listed:
            return True
    return False
