"""The one place that asks whether an account may order more: the limits of new accounts (SUB-4), the customer's cap.

Asked under the account's lock, in the transaction that writes the order: two orders at once cannot both take the last
of a limit.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from invoicing.limiting import limit_rules, spending
from invoicing.limiting.limit_rules import Spent, Standing
from invoicing.models import AccountStanding, Invoice, InvoiceKind, InvoiceState
from invoicing.paying import settlement
from panel.accounts import terms_in_force
from panel.accounts.models import Account
from panel.core.errors import RuleViolation
from panel.core.money import Cents, format_eur
from panel.terms.numbers import LimitTerms

RULE = "SUB-4"


@dataclass(frozen=True)
class Limits:
    """What binds an account at `now`, for its pages: the terms' limits while it is new, its own cap, the month so far,
    which is reckoned only where it is shown."""

    account: Account
    now: datetime
    law: LimitTerms
    standing: Standing
    cap: Cents | None

    @cached_property
    def spent(self) -> Spent:
        return spending.month_of(self.account, now=self.now)

    @property
    def is_new(self) -> bool:
        return self.standing.is_new(self.law)

    @property
    def invoices_left(self) -> int:
        """How many more invoices must be paid until the limits end."""
        return max(0, self.law.paid_invoices - self.standing.paid_invoices)

    @property
    def percent(self) -> int:
        """How much of the cap is reached, in percent; may be more than 100."""
        return self.spent.total * 100 // self.cap if self.cap else 0


def of(account: Account, *, now: datetime) -> Limits:
    law = terms_in_force.at(account, now).limits
    return Limits(account, now, law, standing_of(account), spending.cap_of(account))


def standing_of(account: Account) -> Standing:
    paid = Invoice.objects.filter(account=account, kind=InvoiceKind.INVOICE, state=InvoiceState.PAID, total_cents__gt=0)
    raised = AccountStanding.objects.filter(account=account, limits_raised=True).exists()
    return Standing(spending.running_services(account), paid.count(), raised)


def check_order(account: Account, wanted: Cents, *, service: bool = True, now: datetime) -> None:
    """RuleViolation, with the figures, when one more `service` (or something that is none) over `wanted` cents (net) is
    beyond a limit or the cap."""
    settlement.lock_account(account.pk)
    law, standing, cap = terms_in_force.at(account, now).limits, standing_of(account), spending.cap_of(account)
    if cap is None and not standing.is_new(law):
        return  # nothing binds it: what the month came to need not be reckoned
    spent = spending.month_of(account, now=now)
    why = limit_rules.refused(standing, spent, wanted, cap, law, service=service)
    if why is not None:
        raise RuleViolation(_sentence(why, spent, wanted, cap, law), rule=RULE)


def check_cap(account: Account, wanted: Cents, *, now: datetime) -> None:
    """The same for what a new account may have as well, such as more of a running service: only the cap binds."""
    settlement.lock_account(account.pk)
    cap = spending.cap_of(account)
    if cap is None or wanted <= 0:
        return
    spent = spending.month_of(account, now=now)
    if why := limit_rules.beyond_cap(spent, wanted, cap):
        law = terms_in_force.at(account, now).limits
        raise RuleViolation(_sentence(why, spent, wanted, cap, law), rule=RULE)


def _sentence(why: str, spent: Spent, wanted: Cents, cap: Cents | None, law: LimitTerms) -> str:
    language = get_language() or "en"
    said = {
        "spent": format_eur(spent.total, language), "wanted": format_eur(wanted, language),
        "limit": format_eur(law.month, language), "cap": format_eur(cap or 0, language), "most": law.services,
    }  # fmt: skip
    match why:
        case limit_rules.SERVICES:
            return (
                _(
                    "A new account can have %(most)s services, running or ordered, until its first invoices are paid. "
                    "Ask us if you need more."
                )
                % said
            )
        case limit_rules.MONTH:
            return (
                _(
                    "A new account can spend %(limit)s a month, excluding VAT, until its first invoices are paid: this "
                    "month comes to %(spent)s, this order adds %(wanted)s. Ask us if you need more."
                )
                % said
            )
        case _:
            return (
                _(
                    "This would go beyond your spending cap of %(cap)s a month, excluding VAT: this month comes to "
                    "%(spent)s, this adds %(wanted)s. You can raise the cap under Billing, Spending."
                )
                % said
            )
