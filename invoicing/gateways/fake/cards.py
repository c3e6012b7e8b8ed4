"""The test cards, by their published numbers, and what the simulated bank does with each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from invoicing.gateways.fake.faults import CardFault, Fault


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    refuse: str = ""
    """Decline code of every charge."""
    refuse_attach: bool = True
    """A refused card is refused already when it is kept for later."""
    challenge: str = ""
    """`always`, or `unless_set_up`: 3-D Secure is asked for."""
    refund_fails: bool = False
    country: str = "FR"
    """Where it was issued. The usual ones are from France here, where the real test cards are from the US."""
    street_differs: bool = False
    postcode_differs: bool = False
    """Its bank finds that what is typed is not the holder's; it says "pass" of any other that is typed."""


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("5555555555554444", brand="mastercard"),
        Card("378282246310005", brand="amex"),
        Card("4000000000000002", refuse="generic_decline"),
        Card("4000000000009995", refuse="insufficient_funds"),
        Card("4000000000009987", refuse="lost_card"),
        Card("4000000000000069", refuse="expired_card"),
        Card("4000000000000127", refuse="incorrect_cvc"),
        Card("4000000000000119", refuse="processing_error"),
        Card("4000000000000341", refuse="generic_decline", refuse_attach=False),
        Card("4000000000003220", challenge="always"),
        Card("4000002500003155", challenge="unless_set_up"),
        Card("4000008260003178", challenge="always", refuse="insufficient_funds", refuse_attach=False),
        Card("4000000000005126", refund_fails=True),
        Card("4000000000000010", street_differs=True, postcode_differs=True),
        Card("4000000000000028", street_differs=True),
        Card("4000000000000036", postcode_differs=True),
        Card("4000002760000016", country="DE"),
        Card("4000008260000000", country="GB"),
    )
}

NAMED = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_threeDSecure2Required": "4000000000003220",
    "pm_card_authenticationRequired": "4000002500003155",
    "pm_card_refundFail": "4000000000005126",
}

SENTENCES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
    "test_mode_live_card": "Your card was declined. Your request was in test mode, but used a non test (live) card.",
}
OWN_CODE = ("expired_card", "incorrect_cvc", "processing_error", "authentication_required")

IBANS = {
    "DE89370400440532013000": "",
    "FR1420041010050500013M02606": "",
    "DE62370400440532013001": "insufficient_funds",
    "FR8420041010050500013M02607": "insufficient_funds",
}


def refusal(decline_code: str, **more: object) -> CardFault:
    """The error for a decline: some have a code of their own, the rest are `card_declined`."""
    code = decline_code if decline_code in OWN_CODE else "card_declined"
    inner = "" if decline_code in ("expired_card", "incorrect_cvc", "processing_error") else decline_code
    return CardFault(SENTENCES.get(decline_code, SENTENCES["generic_decline"]), code=code, decline_code=inner, **more)


def read_number(text: str) -> Card:
    """The test card of a typed number. A malformed number is no attempt; a real card is refused unseen."""
    number = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{12,19}", number) or not luhn(number):
        raise CardFault("Your card number is incorrect.", code="incorrect_number", param="number")
    if number not in CARDS:
        raise refusal("test_mode_live_card")
    return CARDS[number]


def luhn(number: str) -> bool:
    digits = [int(char) for char in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


def read_iban(text: str) -> str:
    iban = re.sub(r"\s", "", text).upper()
    if iban not in IBANS:
        raise Fault("The IBAN you provided is invalid.", code="invalid_bank_account_iban", param="sepa_debit[iban]")
    return iban
