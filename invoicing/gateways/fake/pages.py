"""The HTML that a person sees at the simulated provider: card entry and the bank's 3-D Secure question. EN and FR."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "banner": "Test payment provider. No money moves, and no real card is accepted.",
        "pay": "Pay",
        "keep": "Save the card",
        "pay_title": "Card payment",
        "keep_title": "Save a card",
        "number": "Card number",
        "expiry": "Expiry date (MM / YY)",
        "cvc": "Security code",
        "name": "Name on the card",
        "street": "Street of the billing address",
        "postcode": "Postcode of the billing address",
        "back": "Cancel and go back",
        "due": "Amount to pay",
        "kept": "The card will be kept for later payments.",
        "cards": "Test cards",
        "card_number": "Number",
        "card_effect": "What happens",
        "closed": "This page is closed",
        "closed_complete": "This payment has been completed.",
        "closed_expired": "This payment page has expired. Nothing was charged.",
        "refused": "Card refused",
        "closed_refused": "Nothing was charged. The shop has ended this payment; you can begin another one there.",
        "return": "Return to the shop",
        "challenge": "Your bank asks for your agreement",
        "challenge_pay": "Do you authorise this payment?",
        "challenge_keep": "Do you authorise keeping this card?",
        "authorise": "Authorise",
        "refuse": "Refuse",
        "merchant": "Merchant",
        "card": "Card",
        "sepa_title": "SEPA direct debit",
        "iban": "IBAN",
        "email": "E-mail address",
        "mandate": "By signing you let the merchant and this test provider debit your account. Your bank refunds you "
        "on request within eight weeks.",
        "sign": "Sign the mandate",
        "ibans": "Test accounts",
        "missing": "No such page",
        "missing_text": "This address leads nowhere at the test payment provider.",
    },
    "fr": {
        "banner": "Prestataire de paiement de test. Aucun argent ne circule, aucune vraie carte n’est acceptée.",
        "pay": "Payer",
        "keep": "Enregistrer la carte",
        "pay_title": "Paiement par carte",
        "keep_title": "Enregistrer une carte",
        "number": "Numéro de carte",
        "expiry": "Date d’expiration (MM / AA)",
        "cvc": "Code de sécurité",
        "name": "Nom du titulaire",
        "street": "Rue de l’adresse de facturation",
        "postcode": "Code postal de l’adresse de facturation",
        "back": "Annuler et revenir",
        "due": "Montant à payer",
        "kept": "La carte sera conservée pour les paiements suivants.",
        "cards": "Cartes de test",
        "card_number": "Numéro",
        "card_effect": "Effet",
        "closed": "Cette page est fermée",
        "closed_complete": "Ce paiement est terminé.",
        "closed_expired": "Cette page de paiement a expiré. Rien n’a été débité.",
        "refused": "Carte refusée",
        "closed_refused": "Rien n’a été débité. La boutique a mis fin à ce paiement ; vous pouvez recommencer.",
        "return": "Retour à la boutique",
        "challenge": "Votre banque demande votre accord",
        "challenge_pay": "Autorisez-vous ce paiement ?",
        "challenge_keep": "Autorisez-vous la conservation de la carte ?",
        "authorise": "Autoriser",
        "refuse": "Refuser",
        "merchant": "Marchand",
        "card": "Carte",
        "sepa_title": "Prélèvement SEPA",
        "iban": "IBAN",
        "email": "Adresse électronique",
        "mandate": "En signant, vous autorisez le marchand et ce prestataire de test à débiter votre compte. Vous avez "
        "droit au remboursement par votre banque pendant huit semaines.",
        "sign": "Signer le mandat",
        "ibans": "Comptes de test",
        "missing": "Page introuvable",
        "missing_text": "Cette adresse ne mène nulle part chez le prestataire de test.",
    },
}

PROBLEMS = {
    "en": {
        "invalid_iban": "The account number is not a test account: see the list below.",
        "incorrect_number": "The card number is not valid.",
        "invalid_expiry": "The expiry date is not valid.",
        "invalid_cvc": "The security code must have 3 or 4 digits.",
        "expired_card": "The card has expired.",
        "incorrect_cvc": "The security code is wrong.",
        "insufficient_funds": "The card was refused: insufficient funds.",
        "test_mode_live_card": "Only test cards are accepted here: see the list below.",
        "processing_error": "The bank could not process the card. Try again in a moment.",
        "authentication_failure": "The authentication was refused. Nothing was charged.",
        "declined": "The card was refused by the bank.",
    },
    "fr": {
        "invalid_iban": "Ce numéro n’est pas un compte de test : voir la liste ci-dessous.",
        "incorrect_number": "Le numéro de carte n’est pas valide.",
        "invalid_expiry": "La date d’expiration n’est pas valide.",
        "invalid_cvc": "Le code de sécurité comporte 3 ou 4 chiffres.",
        "expired_card": "La carte a expiré.",
        "incorrect_cvc": "Le code de sécurité est faux.",
        "insufficient_funds": "La carte est refusée : provision insuffisante.",
        "test_mode_live_card": "Seules les cartes de test sont acceptées ici : voir la liste ci-dessous.",
        "processing_error": "La banque n’a pas pu traiter la carte. Réessayez dans un instant.",
        "authentication_failure": "L’authentification a été refusée. Rien n’a été débité.",
        "declined": "La carte est refusée par la banque.",
    },
}

HELP = (
    ("4242 4242 4242 4242", "accepted", "acceptée"),
    ("4000 0000 0000 3220", "asks for 3-D Secure", "demande 3-D Secure"),
    ("4000 0000 0000 0002", "refused", "refusée"),
    ("4000 0000 0000 9995", "refused, insufficient funds", "refusée, provision insuffisante"),
    ("4000 0000 0000 0069", "refused, expired", "refusée, expirée"),
    ("4000 0000 0000 0036", "accepted, another postcode", "acceptée, autre code postal"),
    ("4000 0000 0000 0341", "can be saved, later charges are refused", "s’enregistre, débits suivants refusés"),
)

IBAN_HELP = (
    ("DE89 3704 0044 0532 0130 00", "arrives after three days", "arrive après trois jours"),
    ("DE62 3704 0044 0532 0130 01", "comes back after three days", "revient impayé après trois jours"),
)

FRAME = Template("""<!doctype html>
<html lang="$lang"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>$title · TEST</title><link rel="stylesheet" href="$root/assets/pay.css">
</head><body><header><strong>TEST</strong> <span>$banner</span></header>
<main><h1>$title</h1>$content</main></body></html>
""")

CSS = """
:root { color-scheme: light dark; --back: #f4f5f7; --card: #fff; --ink: #1b1f24; --soft: #57606a; --line: #8c959f;
  --act: #0b5cad; --act-ink: #fff; --bad: #a40e26; --bad-back: #ffebe9; --test: #5c3d00; --test-back: #ffe8a3; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --card: #161b22; --ink: #e6edf3; --soft: #9da7b3;
  --line: #6e7681; --act: #79b8ff; --act-ink: #0d1117; --bad: #ffa198; --bad-back: #3d1216; --test: #ffe8a3;
  --test-back: #4d3800; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
header { background: var(--test-back); color: var(--test); padding: .6rem 1rem; text-align: center; }
main { background: var(--card); border-radius: .75rem; margin: 1.5rem auto; max-width: 30rem; padding: 1.5rem;
  width: calc(100% - 2rem); }
h1 { font-size: 1.35rem; margin: 0 0 1rem; }
dl { display: grid; gap: .25rem 1rem; grid-template-columns: auto 1fr; margin: 0 0 1.25rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; text-align: right; }
.sum { font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
label { display: block; font-weight: 600; margin: .9rem 0 .3rem; }
input { background: transparent; border: 1px solid var(--line); border-radius: .4rem; color: inherit; font: inherit;
  min-height: 2.75rem; padding: .4rem .7rem; width: 100%; }
.pair { display: grid; gap: 0 1rem; grid-template-columns: 1fr 1fr; align-items: end; }
button, .button { background: var(--act); border: 1px solid var(--act); border-radius: .4rem; color: var(--act-ink);
  cursor: pointer; display: block; font: inherit; font-weight: 600; margin-top: 1.25rem; min-height: 2.75rem;
  padding: .55rem 1rem; text-align: center; text-decoration: none; width: 100%; }
button.quiet { background: transparent; color: var(--act); margin-top: .75rem; }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
a { color: var(--act); } .back { display: block; margin: 1rem 0; padding: .4rem; text-align: center; }
.problem { background: var(--bad-back); border-left: 4px solid var(--bad); color: var(--bad); margin: 0 0 1rem;
  padding: .7rem .9rem; }
.soft { color: var(--soft); } summary { cursor: pointer; padding: .4rem 0; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; } th, td { border-top: 1px solid var(--line);
  padding: .35rem .25rem; text-align: left; vertical-align: top; }
td:first-child { font-variant-numeric: tabular-nums; }
"""


def money(cents: int, lang: str) -> str:
    whole, rest = divmod(cents, 100)
    if lang == "fr":
        return f"{whole:,}".replace(",", "\u202f") + f",{rest:02d}\u00a0€"
    return f"€{whole:,}.{rest:02d}"


def frame(lang: str, root: str, title: str, content: str) -> str:
    return FRAME.substitute(
        lang=lang, root=root, title=escape(title), banner=escape(TEXTS[lang]["banner"]), content=content
    )


def entry(session: dict[str, Any], lang: str, problem: str) -> str:
    """The card form of a Checkout Session."""
    text = TEXTS[lang]
    paying = session["mode"] == "payment"
    parts = []
    if problem:
        sentence = PROBLEMS[lang].get(problem, PROBLEMS[lang]["declined"])
        parts.append(f'<p class="problem" role="alert">{escape(sentence)}</p>')
    if paying:
        names = ", ".join(line["price_data"]["product_data"]["name"] for line in session["_lines"])
        parts.append(
            f"<p>{escape(names)}</p><dl><dt>{text['due']}</dt>"
            f'<dd class="sum">{money(session["amount_total"], lang)}</dd></dl>'
        )
    if not paying or session["_intent"].get("setup_future_usage"):
        parts.append(f'<p class="soft">{text["kept"]}</p>')
    if session["payment_method_types"] == ["sepa_debit"]:
        return frame(lang, "..", text["sepa_title"], "".join([*parts, _account_form(text), _accounts(text, lang)]))
    button = text["pay"] + " " + money(session["amount_total"], lang) if paying else text["keep"]
    parts.append(_form(text, button, address=session["billing_address_collection"] == "required"))
    if session["cancel_url"]:
        parts.append(f'<a class="back" href="{escape(session["cancel_url"])}">{text["back"]}</a>')
    rows = "".join(
        f"<tr><td>{number}</td><td>{french if lang == 'fr' else english}</td></tr>" for number, english, french in HELP
    )
    parts.append(
        f'<details><summary>{text["cards"]}</summary><table><thead><tr><th scope="col">{text["card_number"]}</th>'
        f'<th scope="col">{text["card_effect"]}</th></tr></thead><tbody>{rows}</tbody></table></details>'
    )
    return frame(lang, "..", text["pay_title" if paying else "keep_title"], "".join(parts))


def _account_form(text: dict[str, str]) -> str:
    return f"""<form method="post">
<label for="iban">{text["iban"]}</label>
<input id="iban" name="iban" autocomplete="off" maxlength="42" required>
<label for="name">{text["name"]}</label>
<input id="name" name="name" autocomplete="name" maxlength="100" required>
<label for="email">{text["email"]}</label>
<input id="email" name="email" type="email" autocomplete="email" maxlength="200" required>
<p class="soft">{text["mandate"]}</p>
<button type="submit">{text["sign"]}</button></form>"""


def _accounts(text: dict[str, str], lang: str) -> str:
    rows = "".join(f"<tr><td>{iban}</td><td>{fr if lang == 'fr' else en}</td></tr>" for iban, en, fr in IBAN_HELP)
    return f"<details><summary>{text['ibans']}</summary><table><tbody>{rows}</tbody></table></details>"


def _form(text: dict[str, str], button: str, *, address: bool) -> str:
    asked = f"""<label for="line1">{text["street"]}</label>
<input id="line1" name="line1" autocomplete="billing address-line1" maxlength="100">
<label for="postal_code">{text["postcode"]}</label>
<input id="postal_code" name="postal_code" autocomplete="billing postal-code" maxlength="20">"""
    return f"""<form method="post">
<label for="number">{text["number"]}</label>
<input id="number" name="number" inputmode="numeric" autocomplete="cc-number" maxlength="23" required>
<div class="pair"><div><label for="expiry">{text["expiry"]}</label>
<input id="expiry" name="expiry" inputmode="numeric" autocomplete="cc-exp" maxlength="9" required></div>
<div><label for="cvc">{text["cvc"]}</label>
<input id="cvc" name="cvc" inputmode="numeric" autocomplete="cc-csc" maxlength="4" required></div></div>
<label for="name">{text["name"]}</label>
<input id="name" name="name" autocomplete="cc-name" maxlength="100" required>
{asked if address else ""}
<button type="submit">{escape(button)}</button></form>"""


def closed(session: dict[str, Any], lang: str, problem: str = "") -> str:
    """Nobody can pay here any more; after a refusal the page says that first."""
    text = TEXTS[lang]
    target = session["success_url"] if session["status"] == "complete" else session["cancel_url"]
    link = f'<a class="button" href="{escape(target)}">{text["return"]}</a>' if target else ""
    if problem and session["status"] != "complete":
        said = f'<p class="problem" role="alert">{escape(PROBLEMS[lang][problem])}</p><p>{text["closed_refused"]}</p>'
        return frame(lang, "..", text["refused"], said + link)
    return frame(lang, "..", text["closed"], f"<p>{text['closed_' + session['status']]}</p>{link}")


def challenge(intent: dict[str, Any], method: dict[str, Any], lang: str) -> str:
    """The bank's question: authorise or refuse."""
    text = TEXTS[lang]
    paying = intent["object"] == "payment_intent"
    due = f'<dt>{text["due"]}</dt><dd class="sum">{money(intent["amount"], lang)}</dd>' if paying else ""
    about = f"<dt>{text['merchant']}</dt><dd>{escape(intent['description'])}</dd>" if intent["description"] else ""
    return frame(
        lang,
        "../..",
        text["challenge"],
        f"""<p>{text["challenge_pay" if paying else "challenge_keep"]}</p>
<dl>{about}<dt>{text["card"]}</dt><dd>{method["card"]["brand"]} •••• {method["card"]["last4"]}</dd>{due}</dl>
<form method="post"><button type="submit" name="answer" value="authorise">{text["authorise"]}</button>
<button class="quiet" type="submit" name="answer" value="refuse">{text["refuse"]}</button></form>""",
    )


def missing(lang: str) -> str:
    return frame(lang, "..", TEXTS[lang]["missing"], f"<p>{TEXTS[lang]['missing_text']}</p>")
