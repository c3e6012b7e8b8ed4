"""The rates of the member states, each from its day on: those that came with the program, and those staff entered.

A rate that was used is never rewritten: documents carry their own. A change of the law is a new row (INV-10).
"""

from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import BigIntegerField, Case, F, Sum, When
from django.utils.translation import gettext as _

from invoicing.models import Invoice, InvoiceKind, VatRate
from invoicing.tax_tables import oss_rates
from invoicing.taxing.tax_rules import EU, LIKE_FRANCE, OVERSEAS, OssRate
from panel.core import events
from panel.core.actors import Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from panel.terms import Terms

LEAST = 15  # percent (art. 97 of the VAT directive)
SOLD_TO_CONSUMERS = ("oss", "below_threshold")


def of_country(country: str) -> tuple[OssRate, ...]:
    """Every rate on file for a member state, or an overseas department; what staff entered for a day stands before what
    came with the program."""
    entered = [OssRate(row.country, row.rate, row.since) for row in VatRate.objects.filter(country=country, kept=True)]
    days = {rate.since for rate in entered}
    shipped = [rate for rate in oss_rates() if rate.country == country and rate.since not in days]
    return tuple(sorted([*shipped, *entered], key=lambda rate: rate.since))


def of_parts_of_france(country: str) -> tuple[OssRate, ...]:
    """As `of_country` where French VAT is due at a rate of its own; nothing is looked up anywhere else."""
    return of_country(country) if country in OVERSEAS else ()


def taxed_at_home(country: str) -> bool:
    """Whether a consumer there is always taxed at the seller's own rate, or not at all: no rate to look up."""
    return country not in EU or country in LIKE_FRANCE


def uses_oss(terms: Terms, *, now: datetime, net: Cents = 0) -> bool:
    """Whether consumers elsewhere in the EU are taxed by their own country: by choice (the setting), or because such
    sales of this year, with the one of `net` cents that is being made, or of the last went beyond the threshold
    (art. 59c of the VAT directive: from that sale on)."""
    if settings.CLAUSE_SELLER["uses_oss"]:
        return True
    year = paris_date(now).year
    sales = (sold_to_consumers(year) + net, sold_to_consumers(year - 1))
    return any(sum_of_year > terms.vat.oss_threshold for sum_of_year in sales)


def sold_to_consumers(year: int) -> Cents:
    """Net sales of a calendar year to consumers elsewhere in the EU, credit notes taken off."""
    signed = Case(
        When(kind=InvoiceKind.CREDIT_NOTE, then=-F("net_cents")), default=F("net_cents"), output_field=BigIntegerField()
    )
    rows = Invoice.objects.filter(issued_on__year=year, vat_evidence__reason__in=SOLD_TO_CONSUMERS)
    return rows.aggregate(sum=Sum(signed))["sum"] or 0


@transaction.atomic
def enter(country: str, rate: Decimal, since: date, *, source: str, actor: Actor, now: datetime) -> VatRate:
    """The standard rate in percent of a member state, or of an overseas department, from `since` on. RuleViolation for
    any other country, a rate no member state may have, a missing source, or a day that has an entered rate already."""
    if country not in EU | OVERSEAS:
        raise RuleViolation(_("This is no member state of the European Union."), rule="INV-10", field="country")
    if country in EU and rate < LEAST:
        raise RuleViolation(_("No member state may go below 15."), rule="INV-10", field="rate")
    if not source.strip():
        raise RuleViolation(_("Please name the law or the notice."), rule="INV-10", field="source")
    row = VatRate(
        country=country, rate=rate, since=since, source=source.strip()[:200], entered_at=now, entered_by=actor.user_id
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        sentence = _("A rate was entered for that day already; withdraw it first.")
        raise RuleViolation(sentence, rule="INV-10", field="since") from None
    _told("entered", row, actor=actor, now=now)
    return row


@transaction.atomic
def withdraw(pk: int, *, actor: Actor, now: datetime) -> None:
    """Take back a rate that was entered by mistake; documents issued with it stay as they are."""
    row = VatRate.objects.select_for_update().get(pk=pk)
    if row.kept:
        row.kept, row.withdrawn_at = False, now
        row.save(update_fields=["kept", "withdrawn_at"])
        _told("withdrawn", row, actor=actor, now=now)


def _told(what: str, row: VatRate, *, actor: Actor, now: datetime) -> None:
    data = {"country": row.country, "rate": f"{row.rate.normalize():f}", "since": row.since.isoformat()}
    events.record(f"invoicing.vat_rate.{what}", now=now, actor=actor, subject=row, rule="INV-10", data=data)
