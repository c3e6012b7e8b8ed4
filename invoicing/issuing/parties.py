"""Who sells and who buys, as a document prints them; and the VAT that follows from who they are (INV-2, INV-10)."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from babel import Locale
from django.conf import settings
from django.utils.translation import gettext as _

from invoicing.documents import Party, texts
from invoicing.models import PaymentState
from invoicing.taxing import channel_rules, ip_countries, location_rules, tax_rules, vat_rates
from invoicing.taxing.tax_rules import SellerVat, VatFacts, VatTreatment
from panel.accounts.models import Account
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from panel.core.remembering import remembered
from panel.terms import Terms

Made = TypeVar("Made")


def entity() -> str:
    """The legal entity whose documents are numbered together: the seller's SIREN."""
    return str(settings.CLAUSE_SELLER["siren"])


@remembered
def country_name(code: str, language: str) -> str:
    return str(Locale.parse(texts.language_of(language)).territories.get(code.upper(), code.upper()))


def seller(language: str) -> Party:
    """Name, address and identity of the seller (CGI ann. II art. 242 nonies A, C. com. R123-237)."""
    return _seller(language, tuple(settings.CLAUSE_SELLER.items()))


@remembered
def _seller(language: str, identity: tuple[tuple[str, Any], ...]) -> Party:
    who = dict(identity)
    return Party(
        name=str(who["name"]),
        address=(str(who["street"]), f"{who['postcode']} {who['city']}", country_name(str(who["country"]), language)),
        facts=(
            str(who["legal_form"]),
            str(who["rcs"]),
            texts.say(language, "siren", value=_spaced(str(who["siren"]))),
            texts.say(language, "vat_number", value=who["vat_number"]),
        ),
        contact=str(who["email"]),
        legal_id=str(who["siren"]),
        vat_number=str(who["vat_number"]),
        street=str(who["street"]),
        postcode=str(who["postcode"]),
        city=str(who["city"]),
        country=str(who["country"]),
    )


def customer(account: Account, language: str) -> Party:
    """The customer as billed; a business with its SIREN and VAT number, to the attention of its billing contact."""
    business = account.kind == Account.Kind.BUSINESS
    name = account.company if business and account.company else account.name
    person = account.billing_contact or (account.name if name != account.name else "")
    attention = (texts.say(language, "attention", name=person),) if account.billing_contact else (person,)
    place = f"{account.postcode} {account.city}".strip()
    address = (*attention, account.street, place, country_name(account.country, language))
    facts = []
    siren = known_siren(account) if business else ""
    if siren:
        facts.append(texts.say(language, "siren", value=_spaced(siren)))
    if business and account.vat_number:
        facts.append(texts.say(language, "vat_number", value=account.vat_number))
    return Party(
        name=name, address=tuple(line for line in address if line), facts=tuple(facts), contact=account.billing_email,
        legal_id=siren, vat_number=account.vat_number if business else "", street=account.street,
        postcode=account.postcode, city=account.city, country=account.country.upper(), attention=person,
    )  # fmt: skip


def known_siren(account: Account) -> str:
    """The SIREN of a French customer: as given, else as its VAT number ends."""
    number = account.vat_number
    return account.siren or (number[-9:] if number.startswith("FR") and number[-9:].isdecimal() else "")


def channel(account: Account, treatment: VatTreatment, net: Cents) -> str:
    """What kind of sale of `net` cents a document tells of, in the words of note BAR (BR-FR-20)."""
    return channel_rules.channel(
        country=account.country, is_business=account.kind == Account.Kind.BUSINESS, siren=known_siren(account),
        code=treatment.code, net=net,
    )  # fmt: skip


def _spaced(siren: str) -> str:
    return " ".join(siren[place : place + 3] for place in range(0, len(siren), 3))


def vat_facts(account: Account, terms: Terms, *, now: datetime) -> VatFacts:
    """The stored evidence, as the rule reads it at `now`."""
    return VatFacts(
        country=account.country,
        is_business=account.kind == Account.Kind.BUSINESS,
        vat_number=account.vat_number,
        number_valid=tax_rules.proof_holds(
            account.vat_valid_at, recheck_days=terms.vat.recheck_days, outage_days=terms.vat.outage_days, now=now
        ),
    )


def vat_treatment(account: Account, terms: Terms, *, now: datetime, net: Cents = 0) -> VatTreatment:
    """INV-10 for a sale of `net` cents to `account` at `now`; RuleViolation when no rate is on file for its country."""
    seller = seller_vat(account.country, terms, now=now, net=net)
    try:
        return tax_rules.treatment(vat_facts(account, terms, now=now), seller, paris_date(now))
    except tax_rules.UnknownRate as missing:
        sentence = _("No VAT rate is on file for %(country)s.") % {"country": missing}
        raise RuleViolation(sentence, rule="INV-10") from missing


def vat_at_once(account: Account, terms: Terms, *, now: datetime) -> VatTreatment | None:
    """`vat_treatment` where nothing has to be looked up for it: at home, and elsewhere with a proved number."""
    seller = SellerVat(terms.vat.home_rate, uses_oss=False, oss_rates=vat_rates.of_parts_of_france(account.country))
    found = tax_rules.treatment(vat_facts(account, terms, now=now), seller, paris_date(now))
    return None if found.reason in BY_LOCATION else found


def taxed(
    account: Account, terms: Terms, make: Callable[[VatTreatment], Made], net: Callable[[Made], Cents], *, now: datetime
) -> tuple[VatTreatment, Made]:
    """What `make` draws up of a sale by its treatment, whose `net` is known only then: the sale that goes beyond the
    threshold for consumers abroad is itself taxed by its buyer's country."""
    treatment = vat_treatment(account, terms, now=now)
    made = make(treatment)
    if treatment.reason != tax_rules.BELOW_THRESHOLD:
        return treatment, made
    beyond = vat_treatment(account, terms, now=now, net=net(made))
    return (treatment, made) if beyond == treatment else (beyond, make(beyond))


def seller_vat(country: str, terms: Terms, *, now: datetime, net: Cents = 0) -> SellerVat:
    """The seller's VAT position towards `country` for a sale of `net` cents: the home rate of the terms, and there the
    One Stop Shop's."""
    if vat_rates.taxed_at_home(country):
        return SellerVat(terms.vat.home_rate, uses_oss=False, oss_rates=vat_rates.of_parts_of_france(country))
    uses_oss = vat_rates.uses_oss(terms, now=now, net=net)
    return SellerVat(terms.vat.home_rate, uses_oss, vat_rates.of_country(country))


def vat_evidence(account: Account, treatment: VatTreatment) -> dict[str, Any]:
    """What the choice rests on, kept with the document (INV-10)."""
    valid_at = account.vat_valid_at
    found = location(account) if treatment.reason in BY_LOCATION else ()
    where = {"location": [asdict(piece) for piece in found], "located": location_rules.located(account.country, found)}
    return {
        "country": account.country,
        "kind": account.kind,
        "vat_number": account.vat_number,
        "valid_at": valid_at.isoformat() if valid_at else None,
        "checks": account.vat_evidence,
        "code": treatment.code,
        "reason": treatment.reason,
        "taxed_in": treatment.country,
        "rate": str(treatment.rate),
        **(where if treatment.reason in BY_LOCATION else {}),
    }


BY_LOCATION = frozenset({"oss", "below_threshold", "outside_eu", tax_rules.VAT_NOT_APPLIED})
"""Reasons that rest on where the customer is, and so need two pieces of evidence for it."""


def location(account: Account) -> tuple[location_rules.Piece, ...]:
    """What speaks for where a customer is, as it stands now: address, telephone, the connection of the last order, the
    card that paid last."""
    last = account.acceptances.exclude(ip=None).order_by("-pk").first() if settings.CLAUSE_IP_COUNTRIES else None
    connection = ip_countries.of(last.ip) if last else ""
    paid = account.payments.filter(state=PaymentState.SUCCEEDED).exclude(card_country="").order_by("-pk").first()
    return location_rules.pieces(account.country, account.phone, connection, paid.card_country if paid else "")


@remembered
def vat_label(code: str, rate: Decimal, language: str) -> str:
    """How a rate is printed: `20 %`, `AE`, or that there is none."""
    if code == tax_rules.STANDARD:
        return f"{texts.decimal(language, rate)}\u00a0%"
    return texts.say(language, "no_vat_rate")
