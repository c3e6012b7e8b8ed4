"""What an account may still order (SUB-4), and how near it is to its customer's cap. Pure. Money is net of VAT."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from panel.core.money import Cents
from panel.terms.numbers import LimitTerms

SERVICES, MONTH, CAP = "services", "month", "cap"


@dataclass(frozen=True, slots=True)
class Spent:
    """A Paris calendar month of an account: `invoiced` in it (credit notes taken off), `ordered` and not yet invoiced,
    and `metered` so far and not yet invoiced."""

    month: date
    invoiced: Cents = 0
    ordered: Cents = 0
    metered: Cents = 0

    @property
    def total(self) -> Cents:
        return self.invoiced + self.ordered + self.metered


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the limits of new accounts bind: `services` run or are ordered, `paid_invoices` were paid, and staff may
    have `raised` them."""

    services: int
    paid_invoices: int
    raised: bool

    def is_new(self, law: LimitTerms) -> bool:
        """Limits end with the paid invoices the terms ask for, or when staff raises them."""
        return not self.raised and self.paid_invoices < law.paid_invoices


def refused(
    standing: Standing, spent: Spent, wanted: Cents, cap: Cents | None, law: LimitTerms, *, service: bool = True
) -> str | None:
    """Why one more `service` (or something that is none, such as a prepaid pack) over `wanted` cannot be ordered now;
    what reaches a limit exactly is within it."""
    if standing.is_new(law):
        if service and standing.services + 1 > law.services:
            return SERVICES
        if spent.total + wanted > law.month:
            return MONTH
    return beyond_cap(spent, wanted, cap)


def beyond_cap(spent: Spent, wanted: Cents, cap: Cents | None) -> str | None:
    """Whether `wanted` more would go beyond the customer's own cap."""
    return CAP if cap is not None and spent.total + wanted > cap else None


def reached(spent: Spent, cap: Cents, warn_at: Iterable[int]) -> list[int]:
    """The percentages of the cap that are reached, the lowest first."""
    return [percent for percent in sorted(warn_at) if spent.total * 100 >= cap * percent]
