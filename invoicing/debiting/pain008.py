"""The file that asks the bank for debits (pain.008): the same debits give the same bytes, checked against its schema.

A port: nothing else knows how the file is written.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import sepaxml
from django.conf import settings
from django.core import checks

from invoicing.debiting import debit_rules, mandate_rules
from panel.core.errors import ProviderError
from panel.core.money import Cents

FORMATS = ("pain.008.001.02", "pain.008.001.08")
WITH_BIC = FORMATS[0]


@dataclass(frozen=True, slots=True)
class Creditor:
    """Who collects: name, account, its bank's code (the older format needs it), identifier."""

    name: str
    iban: str
    creditor_id: str
    bic: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One debit: `reference` comes back in every answer of the bank (EndToEndId)."""

    reference: str
    cents: Cents
    debit_on: date
    mandate: str
    signed_on: date
    holder: str
    iban: str
    text: str
    bic: str = ""


def creditor() -> Creditor:
    """We, as the settings say."""
    seller, sepa = settings.CLAUSE_SELLER, settings.CLAUSE_SEPA
    iban = str(seller["iban"]).replace(" ", "")
    return Creditor(str(seller["name"]), iban, str(sepa["creditor_id"]), str(sepa["bic"]))


def write(who: Creditor, debits: Iterable[Wanted], *, reference: str, made_at: datetime, format_: str) -> bytes:
    """The file's bytes; one group for each debit day, named by `debit_rules.group`. A permanent ProviderError when it
    does not hold to its schema."""
    config = {
        "name": who.name, "IBAN": who.iban, "batch": True, "creditor_id": who.creditor_id, "currency": "EUR",
        "instrument": mandate_rules.SCHEME, **({"BIC": who.bic} if who.bic else {}),
    }  # fmt: skip
    file = sepaxml.SepaDD(config, schema=format_, clean=True)
    for one in sorted(debits, key=lambda one: (one.debit_on, one.reference)):
        file.add_payment({
            "name": one.holder, "IBAN": one.iban, "amount": one.cents, "collection_date": one.debit_on,
            "type": debit_rules.SEQUENCE_TYPE, "mandate_id": one.mandate, "mandate_date": one.signed_on,
            "description": one.text, "endtoend_id": one.reference, **({"BIC": one.bic} if one.bic else {}),
        })  # fmt: skip
    raw = _named(file.export(validate=False), reference, made_at, format_)
    if (error := next(_schema(format_).iter_errors(raw.decode()), None)) is not None:
        raise ProviderError(f"the file for the bank breaks its schema: {error}", permanent=True)
    return raw


@cache
def _schema(format_: str) -> Any:
    """The schema the library brings, read once: that takes longer than all the checks of a day."""
    import xmlschema  # not before it is needed: it changes the parser of the standard library

    return xmlschema.XMLSchema(str(Path(sepaxml.__file__).parent / "schemas" / f"{format_}.xsd"))


def _named(raw: bytes, reference: str, made_at: datetime, format_: str) -> bytes:
    """The library names file and groups at random, by the wall clock; ours must be found again in the bank's answer."""
    space = f"urn:iso:std:iso:20022:tech:xsd:{format_}"
    ET.register_namespace("", space)
    root = ET.fromstring(raw)  # noqa: S314 - written here a moment ago
    inside = f"{{{space}}}"
    for name, text in (("MsgId", reference), ("CreDtTm", f"{made_at:%Y-%m-%dT%H:%M:%S}")):
        for node in root.iter(inside + name):
            node.text = text
    for part in root.iter(f"{inside}PmtInf"):
        day, ident = part.find(f"{inside}ReqdColltnDt"), part.find(f"{inside}PmtInfId")
        if day is not None and ident is not None:
            ident.text = debit_rules.group(reference, date.fromisoformat(day.text or ""))
    named: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return named


def problems(sepa: dict[str, str], iban: str) -> list[str]:
    """What is wrong with the settings of direct debits; nothing while there are none."""
    if not sepa["creditor_id"]:
        return []
    found = []
    if not mandate_rules.is_creditor_id(sepa["creditor_id"]):
        found.append("CLAUSE_SEPA_CREDITOR_ID is no creditor identifier.")
    if mandate_rules.account_number(iban)[1]:
        found.append("CLAUSE_SELLER_IBAN is no account in SEPA.")
    if sepa["bic"] and not mandate_rules.is_bic(sepa["bic"]):
        found.append("CLAUSE_SEPA_BIC is no BIC.")
    if sepa["format"] not in FORMATS:
        found.append(f"CLAUSE_SEPA_FORMAT is none of {', '.join(FORMATS)}.")
    if sepa["format"] == WITH_BIC and not sepa["bic"]:
        found.append(f"CLAUSE_SEPA_BIC is needed for {WITH_BIC}.")
    return found


def check_settings(**_: object) -> list[checks.CheckMessage]:
    """Refuse to start with settings that the bank would refuse (registered by the app)."""
    wrong = problems(dict(settings.CLAUSE_SEPA), str(settings.CLAUSE_SELLER["iban"]))
    return [checks.Error(text, id="invoicing.E004") for text in wrong]
