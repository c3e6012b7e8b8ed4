"""The words of a document, in the two languages the law and the customers read. Pure.

They do not come from the gettext catalogue: an issued document keeps the words it was issued with.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from panel.core.money import format_eur
from panel.core.remembering import remembered

_MONTHS_FR = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

LABELS: dict[str, dict[str, str]] = {
    "en": {
        "invoice": "Invoice",
        "down_payment": "Down-payment invoice",
        "statement": "Late-payment statement",
        "credit_note": "Credit note",
        "pro_forma": "Pro forma",
        "number": "Number",
        "issued": "Date of issue",
        "due": "Due date",
        "reference": "Reference",
        "order_number": "Your order",
        "deducts": "Deducts",
        "billed_to": "Billed to",
        "from": "Seller",
        "credits": "Corrects invoice",
        "reason": "Reason",
        "description": "Description",
        "quantity": "Quantity",
        "unit_price": "Unit price",
        "vat": "VAT",
        "net": "Net",
        "net_total": "Total excluding VAT",
        "vat_total": "VAT",
        "total": "Total including VAT",
        "credit_total": "Total credited",
        "paid": "Already paid",
        "to_pay": "To pay",
        "base": "Base",
        "amount": "Amount",
        "settlement": "Payment",
        "mentions": "Legal notices",
        "terms": "Terms",
        "page": "Page",
        "of": "of",
        "draft_note": "This document is not an invoice. The invoice is issued when the payment is confirmed.",
        "operation": "Category of operation: supply of services.",
    },
    "fr": {
        "invoice": "Facture",
        "down_payment": "Facture d’acompte",
        "statement": "Relevé de pénalités de retard",
        "credit_note": "Avoir",
        "pro_forma": "Pro forma",
        "number": "Numéro",
        "issued": "Date d’émission",
        "due": "Date d’échéance",
        "reference": "Référence",
        "order_number": "Votre commande",
        "deducts": "Déduit",
        "billed_to": "Client",
        "from": "Vendeur",
        "credits": "Rectifie la facture",
        "reason": "Motif",
        "description": "Désignation",
        "quantity": "Quantité",
        "unit_price": "Prix unitaire",
        "vat": "TVA",
        "net": "Montant HT",
        "net_total": "Total HT",
        "vat_total": "TVA",
        "total": "Total TTC",
        "credit_total": "Total de l’avoir",
        "paid": "Déjà réglé",
        "to_pay": "Net à payer",
        "base": "Base",
        "amount": "Montant",
        "settlement": "Règlement",
        "mentions": "Mentions légales",
        "terms": "Conditions",
        "page": "Page",
        "of": "sur",
        "draft_note": "Ce document n’est pas une facture. La facture est émise à la confirmation du paiement.",
        "operation": "Catégorie de l’opération : prestation de services.",
    },
}

_UNITS = {"fr": {"GB": "Go"}}

_SENTENCES: dict[str, dict[str, str]] = {
    "en": {
        "reverse_charge": "Reverse charge (“Autoliquidation”): VAT is due by the customer, art. 196 of Directive "
        "2006/112/EC, art. 283-2 of the French CGI.",
        "oss": "VAT of the customer’s country ({country}), declared through the One Stop Shop, art. 58 of Directive "
        "2006/112/EC.",
        "outside_eu": "Not subject to VAT: customer established outside the European Union, art. 44 and 59 of "
        "Directive 2006/112/EC.",
        "france_overseas": "French VAT at the rate of the overseas departments, art. 296 of the CGI.",
        "not_applied": "VAT is not applied in the customer’s department, art. 294, 1 of the French CGI.",
        "below_threshold": "French VAT, art. 59c of Directive 2006/112/EC.",
        "late_interest": "Late payment: interest at {times} times the legal interest rate from the day after the "
        "due date (art. L441-10 of the French Commercial Code).",
        "recovery": "Late payment also costs a fixed recovery indemnity of {amount} (art. D441-5).",
        "outside_scope": "Outside the scope of VAT: damages for late payment, no consideration for a service.",
        "late_law": "Interest at {times} times the legal interest rate, reckoned by half-year over 365 days from the "
        "day after the due date to the value date of the payment, and fixed recovery costs (art. L441-10 and D441-5 "
        "of the French Commercial Code). This statement is not an invoice.",
        "late_contest": "Within {days} working days you may ask for a cancellation or a discount, from your account.",
        "interest_on": "Late interest on invoice {number}, due on {day}",
        "recovery_on": "Fixed recovery costs, invoice {number}, due on {day}",
        "stretch": "{days} days at {rate} % on {principal}",
        "stated_before": ", less {amount} stated before",
        "VATEX-EU-132-1I": "Exempt from VAT: vocational training, art. 132(1)(i) of Directive 2006/112/EC, "
        "art. 261-4-4 of the French CGI.",
        "VATEX-EU-132-1N": "Exempt from VAT: cultural services, art. 132(1)(n) of Directive 2006/112/EC.",
        "VATEX-EU-79-C": "Disbursement in the customer’s name and on their behalf, art. 79(c) of Directive "
        "2006/112/EC.",
        "VATEX-EU-O": "Outside the scope of VAT.",
        "no_discount": "No discount for early payment.",
        "vat_receipt": "VAT on services falls due when the payment is received.",
        "vat_debits": "The seller has opted to pay VAT on invoicing (“option pour le paiement de la taxe d’après les "
        "débits”).",
        "late_consumer": "Late-payment penalties: not applicable to a private person.",
        "recovery_consumer": "Fixed recovery indemnity: not applicable to a private person.",
        "attention": "Attn {name}",
        "deducted": "Down payment of {day} deducted, invoice {number}",
        "paid_on": "Paid on {day} by {means} ({reference}).",
        "pay_by": "Payable by {day} from your account, by card.",
        "pay_now": "Payable on receipt from your account, by card.",
        "collected": "Collected automatically with the payment means on file.",
        "debited": "Collected by SEPA direct debit under mandate {mandate}, creditor {creditor}, from the account "
        "ending in {last4}.",
        "credited": "The amount is set off against the invoice; what was paid already is added to your funds.",
        "nothing_due": "Nothing is to be paid.",
        "not_due": "Nothing is due before you confirm the order and pay it.",
        "siren": "SIREN {value}",
        "vat_number": "VAT {value}",
        "period": "From {start} to {end}",
        "over": "{used} {unit} used, {allowance} {unit} included",
        "card": "card",
        "funds": "funds",
        "no_vat_rate": "no VAT",
    },
    "fr": {
        "reverse_charge": "Autoliquidation : TVA due par le preneur, art. 196 de la directive 2006/112/CE et "
        "art. 283-2 du CGI.",
        "oss": "TVA du pays du client ({country}), déclarée au guichet unique, art. 58 de la directive 2006/112/CE.",
        "outside_eu": "Non soumis à la TVA : client établi hors de l’Union européenne, art. 44 et 59 de la directive "
        "2006/112/CE.",
        "france_overseas": "TVA au taux des départements d’outre-mer, art. 296 du CGI.",
        "not_applied": "TVA non applicable dans le département du client, art. 294, 1 du CGI.",
        "below_threshold": "TVA française, art. 59 quater de la directive 2006/112/CE.",
        "late_interest": "Pénalités de retard : {times} fois le taux d’intérêt légal à compter du lendemain de "
        "l’échéance (art. L441-10 du Code de commerce).",
        "recovery": "Indemnité forfaitaire pour frais de recouvrement en cas de retard : {amount} (art. D441-5).",
        "outside_scope": "Hors champ de la TVA : indemnités de retard, sans contrepartie d’un service.",
        "late_law": "Pénalités à {times} fois le taux d’intérêt légal, calculées par semestre sur 365 jours du "
        "lendemain de l’échéance à la date de valeur du paiement, et indemnité forfaitaire de recouvrement (art. "
        "L441-10 et D441-5 du Code de commerce). Ce relevé n’est pas une facture.",
        "late_contest": "Vous pouvez demander une annulation ou une remise sous {days} jours ouvrés, depuis votre "
        "espace client.",
        "interest_on": "Pénalités de retard sur la facture {number}, échue le {day}",
        "recovery_on": "Indemnité forfaitaire de recouvrement, facture {number}, échue le {day}",
        "stretch": "{days} jours à {rate} % sur {principal}",
        "stated_before": ", moins {amount} déjà réclamés",
        "VATEX-EU-132-1I": "Exonéré de TVA : formation professionnelle, art. 132-1-i de la directive 2006/112/CE, "
        "art. 261-4-4° du CGI.",
        "VATEX-EU-132-1N": "Exonéré de TVA : prestations culturelles, art. 132-1-n de la directive 2006/112/CE.",
        "VATEX-EU-79-C": "Débours au nom et pour le compte du client, art. 79-c de la directive 2006/112/CE.",
        "VATEX-EU-O": "Hors champ de la TVA.",
        "no_discount": "Pas d’escompte pour paiement anticipé.",
        "vat_receipt": "TVA exigible à l’encaissement.",
        "vat_debits": "Option pour le paiement de la taxe d’après les débits.",
        "late_consumer": "Pénalités de retard : sans objet pour un particulier.",
        "recovery_consumer": "Indemnité forfaitaire de recouvrement : sans objet pour un particulier.",
        "attention": "À l’attention de {name}",
        "deducted": "Déduction de l’acompte du {day}, facture {number}",
        "paid_on": "Réglée le {day} par {means} ({reference}).",
        "pay_by": "À régler avant le {day} depuis votre espace client, par carte.",
        "pay_now": "À régler à réception depuis votre espace client, par carte.",
        "collected": "Prélevée automatiquement sur le moyen de paiement enregistré.",
        "debited": "Prélevée par prélèvement SEPA en vertu du mandat {mandate}, créancier {creditor}, sur le compte se "
        "terminant par {last4}.",
        "credited": "Le montant est imputé sur la facture ; ce qui a déjà été réglé est porté à votre provision.",
        "nothing_due": "Rien n’est à régler.",
        "not_due": "Rien n’est dû avant la validation et le paiement de la commande.",
        "siren": "SIREN {value}",
        "vat_number": "TVA {value}",
        "period": "Du {start} au {end}",
        "over": "{used} {unit} consommés, {allowance} {unit} inclus",
        "card": "carte bancaire",
        "funds": "provision",
        "no_vat_rate": "sans TVA",
    },
}


@remembered
def language_of(code: str) -> str:
    """ "fr" for French, else "en"."""
    return "fr" if code.lower().startswith("fr") else "en"


def say(language: str, key: str, **values: object) -> str:
    """The sentence `key` with its values filled in."""
    return _SENTENCES[language_of(language)][key].format(**values)


def unit(language: str, code: str) -> str:
    """What a quantity is counted in: `GB`, `Go`."""
    return _UNITS.get(language_of(language), {}).get(code, code)


@remembered
def day(language: str, when: date) -> str:
    """`22 November 2026`, `1er janvier 2027`."""
    if language_of(language) == "fr":
        first = "1er" if when.day == 1 else str(when.day)
        return f"{first} {_MONTHS_FR[when.month - 1]} {when.year}"
    return f"{when.day} {_MONTHS_EN[when.month - 1]} {when.year}"


@remembered
def short_day(language: str, when: date) -> str:
    """`22 Nov 2026`, `22/11/2026`."""
    if language_of(language) == "fr":
        return f"{when:%d/%m/%Y}"
    return f"{when.day} {_MONTHS_EN[when.month - 1][:3]} {when.year}"


def decimal(language: str, value: Decimal | str, *, at_least: int = 0) -> str:
    """A decimal without idle zeros (but `at_least` decimals), grouped and pointed as the language does."""
    number = Decimal(value)
    text = f"{number.normalize():f}" if number else "0"
    whole, _, fraction = text.partition(".")
    fraction = fraction.ljust(at_least, "0")
    grouped = f"{int(whole):,}"
    if whole.startswith("-") and not grouped.startswith("-"):
        grouped = "-" + grouped
    if language_of(language) == "fr":
        grouped = grouped.replace(",", "\u202f")
        return f"{grouped},{fraction}" if fraction else grouped
    return f"{grouped}.{fraction}" if fraction else grouped


def money(language: str, cents: int) -> str:
    """`EUR 1,234.50`, `1 234,50 EUR`."""
    return format_eur(cents, language_of(language))


def amount(language: str, cents: int) -> str:
    """The bare figure of a column: `1,234.50`, `1 234,50`."""
    sign = "\u2212" if cents < 0 else ""
    return sign + decimal(language, Decimal(abs(cents)) / 100, at_least=2)


def labels(language: str) -> dict[str, Any]:
    """Every fixed label of a document."""
    return dict(LABELS[language_of(language)])
