"""The pure law of transfers: the reference to give (ISO 11649), and which invoices a transfer names."""

import re

_NUMBER = re.compile(r"(?<![A-Z0-9])F(\d{4})[- ]?(\d{6})(?!\d)")
_STRUCTURED = re.compile(r"(?<![A-Z0-9])RF(\d\d)((?: ?[A-Z0-9]){1,21})")

RECEIPT_TRANSITIONS = {
    "waiting": frozenset({"matched", "set_aside"}),
    "set_aside": frozenset({"matched"}),
    "matched": frozenset[str](),
}


def _remainder(text: str) -> int:
    return int("".join(str(int(char, 36)) for char in text)) % 97


def structured(number: str) -> str:
    """The creditor reference of an invoice: `RF` and two check digits before its number, for the payer's bank."""
    bare = number.replace("-", "")
    return f"RF{98 - _remainder(f'{bare}RF00'):02d}{bare}"


def numbers(text: str) -> list[str]:
    """The invoice numbers that a transfer's text names, in order, each once. A structured reference with wrong check
    digits names nothing: it was mistyped."""
    wanted, found = text.upper(), []
    for match in _STRUCTURED.finditer(wanted):
        bare = match[2].replace(" ", "")
        known = re.match(r"F(\d{4})(\d{6})", bare)
        if known and _remainder(f"{known[0]}RF{match[1]}") == 1:
            found.append(f"F{known[1]}-{known[2]}")
    plain = _STRUCTURED.sub(" ", wanted)
    found += [f"F{year}-{count}" for year, count in _NUMBER.findall(plain)]
    return list(dict.fromkeys(found))
