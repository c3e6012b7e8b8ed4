"""Fees of the terms, each on an invoice of its own, at once and once; and their reversal (INV-1, ABU-3..ABU-11)."""

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext as _

from invoicing import rules
from invoicing.chasing import pausing
from invoicing.documents import texts
from invoicing.issuing import invoices, parties
from invoicing.issuing.invoices import Billed
from invoicing.journal import tell
from invoicing.models import Charge, Invoice
from invoicing.paying import collecting, settlement
from invoicing.rules import Wanted
from panel import terms
from panel.accounts.models import Account
from panel.core.actors import SYSTEM, Actor
from panel.core.errors import RuleViolation
from panel.core.models import subject_of
from panel.core.money import Cents

# What the line says; the rule's id stands beside it, the case under it.
DESCRIPTIONS = {
    "address_deactivated": (
        "Copyright notice left unanswered: IP address deactivated",
        "Notification de droit d’auteur restée sans réponse : désactivation de l’adresse IP",
    ),
    "subscription_terminated": (
        "Copyright notice left unanswered: subscription terminated",
        "Notification de droit d’auteur restée sans réponse : résiliation de l’abonnement",
    ),
    "payment_rejected": (
        "Payment rejected by the bank",
        "Rejet de paiement par la banque",
    ),
    "required_update": (
        "Required update, left to us: installed at our hourly rate",
        "Mise à jour requise, laissée à nos soins : installée à notre taux horaire",
    ),
    "address_blocklisted": (
        "IP address on a blocklist",
        "Adresse IP inscrite sur une liste de blocage",
    ),
}


def describe(description_key: str, language: str) -> str:
    """The words of a fee in `language`; KeyError for one nobody described."""
    english, french = DESCRIPTIONS[description_key]
    return french if texts.language_of(language) == "fr" else english


@transaction.atomic
def charge(
    account: Account,
    net_cents: Cents,
    *,
    description_key: str,
    because: Any,
    rule: str,
    once: str,
    terms_version: str,
    now: datetime,
    actor: Actor = SYSTEM,
    contested: bool = False,
) -> Charge:
    """Charge `net_cents` (excluding VAT) by `rule` of the terms version that the cause keeps, because of the row
    `because`. Issued at once; a repeat of `once` returns the charge that exists (ABU-11). While `contested` it is not
    collected automatically (INV-1).
    """
    cause: models.Model = because
    settlement.lock_account(account.pk)
    if (before := Charge.objects.select_related("invoice").filter(once=once).first()) is not None:
        return before
    version = terms.version(terms_version)
    treatment = parties.vat_treatment(account, version, now=now, net=net_cents)
    named = str(getattr(because, "reference", because))
    wanted = Wanted(f"fee:{rule}", describe(description_key, account.language), net_cents, rule=rule)
    line = rules.because(rules.priced(wanted, treatment), case=named, **subject_of(cause))
    invoice = invoices.issue(
        account, [Billed(line)], once=f"charge:{once}", terms_version=terms_version, treatment=treatment, now=now,
        actor=actor, reference=named, collected=not contested and collecting.has_means(account),
    )  # fmt: skip
    subject = subject_of(cause)
    made = Charge.objects.create(
        once=once, account=account, rule=rule, net_cents=net_cents, because_type=subject["subject_type"],
        because_id=subject["subject_id"], because_name=named, terms_version=terms_version, charged_at=now,
        invoice=invoice,
    )  # fmt: skip
    if contested:
        pausing.stop(invoice, pausing.CASE, now=now)
    tell("charge.made", made, now=now, actor=actor, rule=rule,
         data={"invoice": invoice.number, "amount_cents": net_cents, "because": named})  # fmt: skip
    return made


@transaction.atomic
def reverse(once: str, *, reason: str, actor: Actor, now: datetime) -> Invoice:
    """Take a fee back by a credit note over all of it (ABU-10); a repeat returns the credit note that exists.

    RuleViolation when nothing was charged under `once`, or the invoice was credited by hand already.
    """
    made = Charge.objects.select_for_update(of=("self",)).select_related("invoice", "account").filter(once=once).first()
    if made is None:
        raise RuleViolation(_("Nothing was charged for this."), rule="ABU-10")
    if made.reversal is not None:
        return made.reversal
    note = invoices.credit(made.invoice, None, reason=reason, once=f"reverse:{once}", now=now, actor=actor)
    made.reversed_at, made.reversal = now, note
    made.save(update_fields=["reversed_at", "reversal"])
    tell("charge.reversed", made, now=now, actor=actor, rule=made.rule,
         data={"invoice": note.number, "amount_cents": made.net_cents, "because": made.because_name})  # fmt: skip
    return note


@transaction.atomic
def contest(once: str, *, now: datetime) -> None:
    """The customer contests what led to the fee: it waits, uncollected, until the contest is decided (INV-1)."""
    made = Charge.objects.select_related("invoice").filter(once=once).first()
    if made is not None:
        settlement.lock_account(made.account_id)
        pausing.stop(made.invoice, pausing.CASE, now=now)


@transaction.atomic
def settle_contest(once: str, *, now: datetime) -> None:
    """The contest was refused: the fee is collected again like any other invoice, after each contest anew. What was not
    contested stays as it is."""
    made = Charge.objects.select_related("invoice").filter(once=once).first()
    ended = pausing.go_on(made.invoice, pausing.CASE, now=now) if made is not None else None
    if ended is not None:
        collecting.collect_released(ended, now=now)


def find(once: str) -> Charge | None:
    """The charge made under `once`, if any."""
    return Charge.objects.select_related("invoice", "reversal").filter(once=once).first()
