"""Where a private customer is, by what speaks for it (INV-10; Reg. 282/2011 art. 24b and 24f). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

ADDRESS, TELEPHONE, CONNECTION, CARD = "address", "telephone", "connection", "card"
ENOUGH = 2  # pieces that agree

# Calling codes that belong to one country alone; a shared one (+1, +7, +44 of the Channel Islands) proves nothing.
CALLING_CODES = {
    "30": "GR", "31": "NL", "32": "BE", "33": "FR", "34": "ES", "351": "PT", "352": "LU", "353": "IE", "354": "IS",
    "355": "AL", "356": "MT", "357": "CY", "358": "FI", "359": "BG", "36": "HU", "370": "LT", "371": "LV",
    "372": "EE", "373": "MD", "374": "AM", "377": "MC", "380": "UA", "381": "RS", "382": "ME", "385": "HR",
    "386": "SI", "387": "BA", "389": "MK", "39": "IT", "40": "RO", "41": "CH", "420": "CZ", "421": "SK", "423": "LI",
    "43": "AT", "45": "DK", "46": "SE", "47": "NO", "48": "PL", "49": "DE", "212": "MA", "213": "DZ", "216": "TN",
    "90": "TR", "81": "JP", "82": "KR", "86": "CN", "91": "IN", "55": "BR", "61": "AU", "64": "NZ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence: what it is, and the country (ISO 3166) it speaks for."""

    kind: str
    country: str


def of_telephone(number: str) -> str:
    """The country of a number written with its calling code ("+49 40 ..." or "0049 ..."), "" where that is unsure."""
    digits = "".join(sign for sign in number if sign.isascii() and sign.isdigit())
    compact = number.strip()
    if compact.startswith("+"):
        code = digits
    elif compact.startswith("00"):
        code = digits[2:]
    else:
        return ""
    return next((CALLING_CODES[code[:length]] for length in (3, 2) if code[:length] in CALLING_CODES), "")


def pieces(address: str, telephone: str, connection: str, card: str = "") -> tuple[Piece, ...]:
    """What is known: the country of the billing address, a telephone number, the country of the connection, and of the
    bank that issued the card."""
    found = ((ADDRESS, address), (TELEPHONE, of_telephone(telephone)), (CONNECTION, connection), (CARD, card))
    return tuple(Piece(kind, country) for kind, country in found if country)


def located(country: str, found: Iterable[Piece]) -> bool:
    """Whether two pieces that do not contradict each other speak for `country`."""
    return sum(piece.country == country for piece in found) >= ENOUGH
