"""What the pages of taxes read."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from invoicing.models import VatCheck, VatRate
from invoicing.tax_tables import oss_rates
from invoicing.taxing import vat_rates
from invoicing.taxing.tax_rules import EU, LIKE_FRANCE, OVERSEAS, OssRate
from invoicing.taxing.vat_checks import ASK
from panel import terms
from panel.accounts import countries
from panel.accounts.models import Account
from panel.core.calendars import paris_date
from panel.core.models import Operation
from panel.core.money import Cents

MOST_CHECKS = 30


def checks(account: Account) -> list[VatCheck]:
    """The register's latest answers about an account, newest first."""
    return list(VatCheck.objects.filter(account=account)[:MOST_CHECKS])


def question_waits(account: Account) -> bool:
    """Whether the register has been asked and has not answered yet."""
    open_ones = [Operation.State.DUE, Operation.State.RUNNING]
    return Operation.objects.filter(account_id=account.pk, kind=ASK, state__in=open_ones).exists()


@dataclass(frozen=True, slots=True)
class State:
    """A member state's rates: the one of today (None: none on file) and the next."""

    country: str
    name: str
    today: OssRate | None
    coming: OssRate | None


def states(now: datetime) -> list[State]:
    """Every member state but France, and the overseas departments, by name in the reader's language."""
    day = paris_date(now)
    known = {(rate.country, rate.since): rate for rate in oss_rates()}
    known |= {(row.country, row.since): OssRate(row.country, row.rate, row.since)
              for row in VatRate.objects.filter(kept=True)}  # fmt: skip
    found = []
    for country in EU - LIKE_FRANCE | OVERSEAS:
        rates = sorted((rate for key, rate in known.items() if key[0] == country), key=lambda rate: rate.since)
        past = [rate for rate in rates if rate.since <= day]
        coming = [rate for rate in rates if rate.since > day]
        found.append(
            State(country, countries.name_of(country), past[-1] if past else None, coming[0] if coming else None)
        )
    return sorted(found, key=lambda state: state.name)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Net sales to consumers elsewhere in the EU, in cents, against the threshold; `applies`: their rates are used."""

    limit_cents: Cents
    this_year_cents: Cents
    last_year_cents: Cents
    chosen: bool
    applies: bool


def threshold(now: datetime) -> Threshold:
    """Where the seller stands between French VAT and the One Stop Shop (INV-10)."""
    version, year = terms.current(now), paris_date(now).year
    return Threshold(
        version.vat.oss_threshold, vat_rates.sold_to_consumers(year), vat_rates.sold_to_consumers(year - 1),
        chosen=bool(settings.CLAUSE_SELLER["uses_oss"]), applies=vat_rates.uses_oss(version, now=now),
    )  # fmt: skip
