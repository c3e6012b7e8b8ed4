"""The words of a quote, in both languages. Pure; kept with the document like those of an invoice."""

from datetime import date

from invoicing.documents import texts

LABELS: dict[str, dict[str, str]] = {
    "en": {
        "quote": "Quote",
        "issued": "Date",
        "valid_until": "Valid until",
        "manager": "Project manager",
        "from": "Seller",
        "for": "Prepared for",
        "description": "Description",
        "quantity": "Quantity",
        "unit_price": "Unit price",
        "vat": "VAT",
        "net": "Net",
        "once": "once",
        "month": "each month",
        "year": "each year",
        "committed": ", for at least {months} months",
        "excluding": "Excluding VAT",
        "including": "Including VAT",
        "stages": "Invoiced in stages",
        "stages_note": "amounts excluding VAT",
        "special": "Instead of the general terms",
        "conditions": "Special conditions",
        "agreement": "Agreement",
        "unsigned": "To be read and signed in your customer area, under Billing, Quotes: your name typed, the instant, "
        "your address and the SHA-256 of this file are kept as proof.",
        "signed_by": "Signed by",
        "signed_at": "On",
        "signed_from": "From address",
        "client_manager": "Project manager of the client",
        "signed_hash": "SHA-256 of the document signed",
        "terms": "Terms",
        "precedence": "Once signed, this quote takes precedence over the general terms.",
        "page": "Page",
        "of": "of",
        "draft": "Draft",
    },
    "fr": {
        "quote": "Devis",
        "issued": "Date",
        "valid_until": "Valable jusqu’au",
        "manager": "Chef de projet",
        "from": "Vendeur",
        "for": "Établi pour",
        "description": "Désignation",
        "quantity": "Quantité",
        "unit_price": "Prix unitaire",
        "vat": "TVA",
        "net": "Montant HT",
        "once": "une fois",
        "month": "par mois",
        "year": "par an",
        "committed": ", pour {months} mois au moins",
        "excluding": "Total HT",
        "including": "Total TTC",
        "stages": "Échéancier de facturation",
        "stages_note": "montants HT",
        "special": "Par dérogation aux conditions générales",
        "conditions": "Conditions particulières",
        "agreement": "Bon pour accord",
        "unsigned": "À lire et à signer dans votre espace client, rubrique Facturation, Devis : votre nom saisi, "
        "l’instant, votre adresse et l’empreinte SHA-256 de ce fichier sont conservés comme preuve.",
        "signed_by": "Signé par",
        "signed_at": "Le",
        "signed_from": "Depuis l’adresse",
        "client_manager": "Chef de projet du client",
        "signed_hash": "Empreinte SHA-256 du document signé",
        "terms": "Conditions",
        "precedence": "Une fois signé, ce devis prévaut sur les conditions générales.",
        "page": "Page",
        "of": "sur",
        "draft": "Brouillon",
    },
}
_SPECIAL = {
    "en": {
        "price_per_gb": "Traffic beyond the included volume: EUR {value} for each GB",
        "net_days": "Invoices are payable within {value} days",
    },
    "fr": {
        "price_per_gb": "Trafic au-delà du volume inclus : {value} EUR par Go",
        "net_days": "Les factures sont payables sous {value} jours",
    },
}
_WHEN = {
    "en": {"signed": "on signature", "reached": "when reached", "day": "on {day}"},
    "fr": {"signed": "à la signature", "reached": "une fois atteint", "day": "le {day}"},
}


def labels(language: str) -> dict[str, str]:
    """Every fixed label of a quote."""
    return dict(LABELS[texts.language_of(language)])


def special(language: str, rule: str, key: str, value: str) -> str:
    """What a number that replaces the terms' own means."""
    shown = texts.decimal(language, value, at_least=2) if "." in value else value
    return _SPECIAL[texts.language_of(language)][key].format(value=shown)


def when(language: str, code: str, day: date | None) -> str:
    """When a stage is invoiced."""
    return _WHEN[texts.language_of(language)][code].format(day=texts.day(language, day) if day else "")
