"""The terms as data: numbers and texts of the contract in dated versions; asking here is the only way to a number.

This floor knows no account: whoever asks brings the facts (when a version was announced to the account: LEG-2).
What has begun keeps the version it began under, by name (LEG-1).
"""

from panel.terms.versions import (
    Number,
    Terms,
    applicable,
    current,
    keeping_special,
    order_of_precedence,
    special_numbers,
    version,
    versions,
)

__all__ = [
    "Number",
    "Terms",
    "applicable",
    "current",
    "keeping_special",
    "order_of_precedence",
    "special_numbers",
    "version",
    "versions",
]
