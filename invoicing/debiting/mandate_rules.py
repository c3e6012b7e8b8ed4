"""The pure law of SEPA mandates (INV-5, OPR-3): account numbers, states, and when a mandate lapses.

Numbers here are the scheme's (SEPA Direct Debit Core rulebook), not the contract's.
"""

from datetime import date

from stdnum import bic, iban
from stdnum.eu import at_02
from stdnum.exceptions import ValidationError

from panel.core.calendars import add_months

SCHEME = "CORE"
IDLE_MONTHS = 36
DRAFT, ACTIVE, CANCELLED, REPLACED, EXPIRED, REFUSED = (
    "draft", "active", "cancelled", "replaced", "expired", "refused",
)  # fmt: skip
MANDATE_TRANSITIONS = {
    DRAFT: frozenset({ACTIVE, CANCELLED}),
    ACTIVE: frozenset({CANCELLED, REPLACED, EXPIRED, REFUSED}),
    CANCELLED: frozenset[str](),
    REPLACED: frozenset[str](),
    EXPIRED: frozenset[str](),
    REFUSED: frozenset[str](),
}
SEPA_COUNTRIES = frozenset(
    {"AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI",
     "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL",
     "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA"}
)  # fmt: skip
"""Countries of the scheme as account numbers name them; overseas parts bear their mother country's letters."""
MALFORMED, NOT_SEPA = "malformed", "not_sepa"


def account_number(text: str) -> tuple[str, str]:
    """(the IBAN without blanks, "") or ("", what is wrong): its check digits or length, or a country outside SEPA."""
    try:
        number: str = iban.validate(text)
    except ValidationError:
        return "", MALFORMED
    return (number, "") if number[:2] in SEPA_COUNTRIES else ("", NOT_SEPA)


def is_bic(text: str) -> bool:
    """Whether `text` is a bank's code of 8 or 11 signs."""
    return bool(bic.is_valid(text))


def is_creditor_id(text: str) -> bool:
    """Whether `text` is a creditor identifier (ICS) with right check digits."""
    return bool(at_02.is_valid(text))


def lapses_on(signed_on: date, last_used_on: date | None) -> date:
    """The first day on which nothing may be collected any more: 36 months after the last debit that was presented, or
    after the signature while there was none."""
    return add_months(last_used_on or signed_on, IDLE_MONTHS)


DEADLY = frozenset({"AC01", "AC04", "AC13", "AG01", "MD01", "MD07", "SL01"})
"""R-codes after which a mandate cannot be used again: the account is closed, wrong or barred, the mandate disowned."""
