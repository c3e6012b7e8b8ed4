"""By which channel a document leaves, decided once, when it is issued (INV-10; note BAR, BR-FR-20). Pure."""

from invoicing.taxing.tax_rules import AT_HOME, REVERSE_CHARGE
from panel.core.money import Cents

B2B, B2BINT, B2C, B2CINT, OUTOFSCOPE = "B2B", "B2BINT", "B2C", "B2CINT", "OUTOFSCOPE"
E_INVOICING, E_REPORTING, NOWHERE = "e_invoicing", "e_reporting", "none"

WAYS = {B2B: E_INVOICING, B2BINT: E_REPORTING, B2C: E_REPORTING, B2CINT: E_REPORTING, OUTOFSCOPE: NOWHERE}


def channel(*, country: str, is_business: bool, siren: str, code: str, net: Cents) -> str:
    """The channel of a document of `net` cents to a customer; `code` is its VAT category (UNTDID 5305).

    A French business is reached through its SIREN; one that gave none is reported like a private customer. Abroad a
    business is one that is taxed as one: inside the EU that takes a confirmed VAT number (Reg. 282/2011 art. 18).
    What asks for nothing is no transaction at all.
    """
    if net == 0:
        return OUTOFSCOPE
    if country.upper() in AT_HOME:
        return B2B if is_business and siren else B2C
    taxed_as_business = is_business and code != "S"
    return B2BINT if taxed_as_business or code == REVERSE_CHARGE else B2CINT


def way(name: str) -> str:
    """The one way out of a channel; what was issued before there were channels leaves by none."""
    return WAYS.get(name, NOWHERE)


def of_way(wanted: str) -> tuple[str, ...]:
    """The channels that leave by it."""
    return tuple(name for name, found in WAYS.items() if found == wanted)
