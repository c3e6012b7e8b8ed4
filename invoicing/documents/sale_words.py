"""What lines of sales beyond the catalogue are called, in the two languages of a document."""

from invoicing.documents import texts

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "taken_back": "The change was taken back on the day it was made.",
        "balance": "{name}: balance to the end of the commitment",
        "keeps_code": "Project code kept on leaving the hosting: {percent} % of the price of one period",
        "migration": "Migration of the project to another host",
        "setup": "{name}: setup, once",
        "trial": "{name}: free trial of {days} days",
        "promotion": "Code {code}: {off} off, {when}",
        "first_invoice": "first invoice",
        "first_invoices": "first {number} invoices",
        "every_invoice": "every invoice",
    },
    "fr": {
        "taken_back": "Le changement a été annulé le jour même.",
        "balance": "{name} : solde jusqu’à la fin de l’engagement",
        "keeps_code": "Conservation du code du projet au départ de l’hébergement : {percent} % du prix d’une période",
        "migration": "Migration du projet vers un autre hébergeur",
        "setup": "{name} : mise en service, une fois",
        "trial": "{name} : essai gratuit de {days} jours",
        "promotion": "Code {code} : {off} de remise, {when}",
        "first_invoice": "première facture",
        "first_invoices": "{number} premières factures",
        "every_invoice": "chaque facture",
    },
}


def say(language: str, key: str, **values: object) -> str:
    """The words `key` with their values filled in."""
    return _WORDS[texts.language_of(language)][key].format(**values)
