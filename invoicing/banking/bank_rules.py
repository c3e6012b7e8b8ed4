"""The pure law of transfers: the reference to give (ISO 11649), and which invoices and statements a transfer names."""

import re

from invoicing.issuing.document_rules import PAYABLE, PREFIXES

_SERIES = "|".join(PREFIXES[kind] for kind in PAYABLE)
_NUMBER = re.compile(rf"(?<![A-Z0-9])({_SERIES})(\d{{4}})[- ]?(\d{{6}})(?!\d)")
_BARE = re.compile(rf"({_SERIES})(\d{{4}})(\d{{6}})")
_STRUCTURED = re.compile(r"(?<![A-Z0-9])RF(\d\d)((?: ?[A-Z0-9]){1,21})")

RECEIPT_TRANSITIONS = {
    "waiting": frozenset({"matched", "set_aside"}),
    "set_aside": frozenset({"matched"}),
    "matched": frozenset({"waiting"}),  # its payment is taken back
}


def _remainder(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97


def structured(number: str) -> str:
    """The creditor reference of an invoice or statement: `RF` and two check digits before its number, for the payer's
    bank."""
    bare = number.replace("-", "")
    return f"RF{98 - _remainder(f'{bare}RF00'):02d}{bare}"


def numbers(text: str) -> list[str]:
    """The numbers of invoices and statements that a transfer's text names, in order, each once. A structured reference
    with wrong check digits names nothing: it was mistyped."""
    wanted, found = text.upper(), []
    for match in _STRUCTURED.finditer(wanted):
        bare = match[2].replace(" ", "")
        known = _BARE.match(bare)
        if known and _remainder(f"{known[0]}RF{match[1]}") == 1:
            found.append(f"{known[1]}{known[2]}-{known[3]}")
    plain = _STRUCTURED.sub(" ", wanted)
    found += [f"{series}{year}-{count}" for series, year, count in _NUMBER.findall(plain)]
    return list(dict.fromkeys(found))
