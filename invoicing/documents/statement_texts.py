"""The words of a statement of account, in both languages. Pure."""

from invoicing.documents import texts

LABELS: dict[str, dict[str, str]] = {
    "en": {
        "statement": "Statement of account",
        "span": "From {start} to {end}",
        "for": "Customer",
        "day": "Day",
        "what": "What",
        "reference": "Reference",
        "debit": "Owed",
        "credit": "Paid",
        "balance": "Balance",
        "opening": "Balance before",
        "closing": "Balance after",
        "owed": "{amount} are owed on the last day.",
        "held": "{amount} are held for you on the last day; they pay your next invoices.",
        "even": "Nothing is owed on the last day.",
        "page": "Page",
        "of": "of",
        "drawn": "Read from the books.",
    },
    "fr": {
        "statement": "Relevé de compte",
        "span": "Du {start} au {end}",
        "for": "Client",
        "day": "Jour",
        "what": "Opération",
        "reference": "Référence",
        "debit": "Dû",
        "credit": "Réglé",
        "balance": "Solde",
        "opening": "Solde antérieur",
        "closing": "Solde final",
        "owed": "{amount} restent dus au dernier jour.",
        "held": "{amount} sont à votre disposition au dernier jour ; ils règlent vos prochaines factures.",
        "even": "Rien n’est dû au dernier jour.",
        "page": "Page",
        "of": "sur",
        "drawn": "Extrait de la comptabilité.",
    },
}
KINDS = {
    "en": {
        "invoice": "Invoice", "credit_note": "Credit note", "payment": "Payment", "manual_payment": "Payment",
        "refund": "Refund", "refund_returned": "Refund that came back", "doubtful": "Doubtful",
        "written_off": "Written off", "funds_written_off": "Written off",
        "statement": "Late payment", "dispute": "Taken back by the bank",
        "dispute_won": "Dispute won", "transfer": "Payment", "no_loss": "Written off no longer",
        "taken_back": "Payment taken back", "paid_back": "Paid back by transfer",
    },
    "fr": {
        "invoice": "Facture", "credit_note": "Avoir", "payment": "Paiement", "manual_payment": "Paiement",
        "refund": "Remboursement", "refund_returned": "Remboursement revenu", "doubtful": "Créance douteuse",
        "written_off": "Passé en perte", "funds_written_off": "Passé en perte",
        "statement": "Retard de paiement", "dispute": "Repris par la banque",
        "dispute_won": "Litige gagné", "transfer": "Paiement", "no_loss": "Perte reprise",
        "taken_back": "Paiement annulé", "paid_back": "Remboursé par virement",
    },
}  # fmt: skip


def labels(language: str) -> dict[str, str]:
    """Every fixed label of a statement."""
    return dict(LABELS[texts.language_of(language)])


def kind(language: str, code: str) -> str:
    """What an entry of the books is called; its own name where nobody named it."""
    return KINDS[texts.language_of(language)].get(code, code.replace("_", " ").capitalize())
