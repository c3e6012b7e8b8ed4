"""The words of a SEPA mandate, in both languages: those that the scheme prescribes. Pure."""

from invoicing.documents import texts

LABELS: dict[str, dict[str, str]] = {
    "en": {
        "mandate": "SEPA Direct Debit Mandate",
        "reference": "Unique mandate reference",
        "creditor_id": "Creditor identifier",
        "scheme": "Scheme",
        "kind": "Type of payment",
        "recurrent": "Recurrent payment",
        "creditor": "Creditor",
        "debtor": "Debtor",
        "account": "Account to be debited",
        "leave": "By signing this mandate form, you authorise (A) {seller} to send instructions to your bank to debit "
        "your account and (B) your bank to debit your account in accordance with the instructions from {seller}.",
        "rights": "As part of your rights, you are entitled to a refund from your bank under the terms and conditions "
        "of your agreement with your bank. A refund must be claimed within 8 weeks starting from the date on which "
        "your account was debited. Your rights are explained in a statement that you can obtain from your bank. "
        "Each debit is announced to you by e-mail beforehand, with its amount and its day.",
        "agreement": "Signature",
        "unsigned": "To be read and signed in your customer area, under Billing, Means of payment: your name typed, "
        "the instant, your address and the SHA-256 of this file are kept as proof.",
        "signed_by": "Signed by",
        "signed_at": "On",
        "signed_from": "From address",
        "signed_hash": "SHA-256 of the document signed",
        "page": "Page",
        "of": "of",
    },
    "fr": {
        "mandate": "Mandat de prélèvement SEPA",
        "reference": "Référence unique du mandat",
        "creditor_id": "Identifiant créancier SEPA",
        "scheme": "Schéma",
        "kind": "Type de paiement",
        "recurrent": "Paiement récurrent",
        "creditor": "Créancier",
        "debtor": "Débiteur",
        "account": "Compte à débiter",
        "leave": "En signant ce formulaire de mandat, vous autorisez (A) {seller} à envoyer des instructions à votre "
        "banque pour débiter votre compte, et (B) votre banque à débiter votre compte conformément aux instructions "
        "de {seller}.",
        "rights": "Vous bénéficiez du droit d’être remboursé par votre banque selon les conditions décrites dans la "
        "convention que vous avez passée avec elle. Une demande de remboursement doit être présentée dans les "
        "8 semaines suivant la date de débit de votre compte. Vos droits sont expliqués dans un document que vous "
        "pouvez obtenir auprès de votre banque. Chaque prélèvement vous est annoncé au préalable par courriel, avec "
        "son montant et sa date.",
        "agreement": "Signature",
        "unsigned": "À lire et à signer dans votre espace client, rubrique Facturation, Moyens de paiement : votre nom "
        "saisi, l’instant, votre adresse et l’empreinte SHA-256 de ce fichier sont conservés comme preuve.",
        "signed_by": "Signé par",
        "signed_at": "Le",
        "signed_from": "Depuis l’adresse",
        "signed_hash": "Empreinte SHA-256 du document signé",
        "page": "Page",
        "of": "sur",
    },
}


def labels(language: str) -> dict[str, str]:
    """Every fixed text of a mandate."""
    return dict(LABELS[texts.language_of(language)])
