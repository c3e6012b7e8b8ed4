"""Countries by their ISO 3166 code, named in the reader's language (CLDR), and which of them are in the EU's VAT
area."""

from functools import cache

from babel import Locale
from django.utils import translation

EU = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)


@cache
def _named(language: str) -> tuple[tuple[str, str], ...]:
    names = Locale.parse(language).territories
    pairs = [
        (code, name) for code, name in names.items() if len(code) == 2 and code.isalpha() and code not in _NOT_COUNTRIES
    ]
    return tuple(sorted(pairs, key=lambda pair: pair[1]))


_NOT_COUNTRIES = frozenset({"EU", "EZ", "UN", "ZZ", "XA", "XB", "QO", "CP", "DG", "EA", "IC", "TA", "AC", "CQ"})


def choices() -> list[tuple[str, str]]:
    """(code, name) of every country, sorted by name."""
    return list(_named((translation.get_language() or "en")[:2]))


def name_of(code: str) -> str:
    """The country's name in the reader's language; the code itself where it has none."""
    return dict(_named((translation.get_language() or "en")[:2])).get(code, code)


_PREFIXES = {"GR": "EL", **dict.fromkeys(("MC", "GP", "MQ", "RE", "GF", "YT"), "FR")}


def vat_prefix(code: str) -> str:
    """What VAT numbers of a country begin with, "" outside the EU: Greece's with EL; Monaco's, and those of the French
    departments overseas, with FR."""
    return _PREFIXES.get(code, code if code in EU else "")
