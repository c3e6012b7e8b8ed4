"""Mandates: drawn up with an account number, printed for the payer to read, and ended (INV-5, OPR-3).

Signed they become the account's means of payment (`mandate_signing`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from invoicing.debiting import mandate_rules, papers
from invoicing.documents import mandate_texts, texts
from invoicing.issuing import parties
from invoicing.journal import tell
from invoicing.models import Mandate, MandateState
from invoicing.paying import means, settlement
from panel.accounts.models import Account
from panel.core import mail, operations, references
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation
from panel.core.models import Operation
from panel.core.states import move

WRONG = {
    mandate_rules.MALFORMED: gettext_lazy("This is no IBAN: please check its digits."),
    mandate_rules.NOT_SEPA: gettext_lazy("This account is in a country outside SEPA; please pay by card or transfer."),
}


def offered() -> bool:
    """Whether the operator collects by files of its own: it has a creditor identifier."""
    return bool(settings.CLAUSE_SEPA["creditor_id"])


@transaction.atomic
def draw_up(
    account: Account, *, iban: str, holder: str, bic: str = "", replaces: Mandate | None = None, actor: Actor,
    now: datetime,
) -> Mandate:  # fmt: skip
    """A mandate to be read and signed; one that was drawn up before and never signed gives way. `replaces`: the one
    that ends with its signature. RuleViolation with the field that is wrong."""
    if not offered():
        raise RuleViolation(_("We collect no direct debits under mandates of our own."), rule="INV-5")
    number, wrong = mandate_rules.account_number(iban)
    if wrong:
        raise RuleViolation(str(WRONG[wrong]), rule="INV-5", field="iban")
    bank = bic.replace(" ", "").upper()
    if bank and not mandate_rules.is_bic(bank):
        raise RuleViolation(_("This is no BIC: it has 8 or 11 signs, or leave it empty."), rule="INV-5", field="bic")
    if not holder.strip():
        raise RuleViolation(_("Please give the holder of the account."), rule="INV-5", field="holder")
    if replaces is not None and (replaces.account_id != account.pk or replaces.state != MandateState.ACTIVE):
        raise RuleViolation(_("This mandate is no longer active."), rule="INV-5")
    held = settlement.lock_account(account.pk)
    for before in Mandate.objects.filter(account=held, state=MandateState.DRAFT):
        end(before, MandateState.CANCELLED, told=False, now=now)
    language = texts.language_of(held.language)
    mandate = Mandate(
        reference=references.new("MDT"), creditor_id=str(settings.CLAUSE_SEPA["creditor_id"]), account=held,
        replaces=replaces, holder=holder.strip()[:70], iban=number, last4=number[-4:], bic=bank, language=language,
        created_at=now, document={},
    )  # fmt: skip
    mandate.document = _document(mandate, now=now)
    mandate.save(force_insert=True)
    tell("mandate.drawn_up", mandate, now=now, actor=actor, rule="INV-5", data=named(mandate))
    _print(mandate, now=now)
    return mandate


def _document(mandate: Mandate, *, now: datetime) -> dict[str, Any]:
    """All that the mandate says but the account number, which is set when it is printed."""
    say, seller = mandate_texts.labels(mandate.language), parties.seller(mandate.language)
    customer = parties.customer(mandate.account, mandate.language)
    return {
        "language": mandate.language, "labels": say, "number": mandate.reference,
        "issued_on": paris_date(now).isoformat(), "brand": str(settings.CLAUSE_BRAND["name"]),
        "seller": {"name": seller.name, "address": list(seller.address), "facts": list(seller.facts),
                   "contact": seller.contact},
        "debtor": {"name": mandate.holder, "address": list(customer.address)},
        "facts": [[say["reference"], mandate.reference], [say["creditor_id"], mandate.creditor_id],
                  [say["scheme"], mandate_rules.SCHEME], [say["kind"], say["recurrent"]]],
        "text": say["leave"].format(seller=seller.name),
        "rights": say["rights"], "signature": [],
    }  # fmt: skip


def named(mandate: Mandate) -> dict[str, Any]:
    """For the journal: its digits stand on the row alone, where they can be erased."""
    return {"mandate": mandate.reference}


@transaction.atomic
def end(mandate: Mandate, state: str, *, now: datetime, reason: str = "", told: bool = True) -> bool:
    """It can no longer be used; whether it could until now. `debits.end_mandate` also withdraws what it was to pay."""
    held = Mandate.objects.select_for_update(of=("self",)).select_related("account", "method").get(pk=mandate.pk)
    if state not in mandate_rules.MANDATE_TRANSITIONS[held.state]:
        return False
    move(held, state, mandate_rules.MANDATE_TRANSITIONS)
    Mandate.objects.filter(pk=held.pk).update(ended_at=now, end_reason=reason[:200])
    if held.method is not None:
        means.remove(held.method, actor=SYSTEM, now=now)
    tell("mandate.ended", held, now=now, actor=SYSTEM, rule="INV-5", data={**named(held), "state": state})
    if told:
        mail.send(
            "mandate_ended", to=held.account.billing_email, lang=held.language, key=f"mandate-ended:{held.pk}", now=now,
            account_id=held.account_id, subject=held,
            context={"name": held.account.name, "mandate": held.reference, "last4": held.last4, "state": state,
                     "months": mandate_rules.IDLE_MONTHS},
        )  # fmt: skip
    return True


# --- its document ----------------------------------------------------------------------------------------------------


def _print(mandate: Mandate, *, now: datetime) -> None:
    operations.enqueue(
        RenderMandate.kind, key=f"mandate:{mandate.pk}:{mandate.state}", now=now, account_id=mandate.account_id,
        subject=mandate, payload={"mandate": mandate.pk, "signed": mandate.signed_at is not None},
    )  # fmt: skip


def print_signed(mandate: Mandate, *, now: datetime) -> None:
    """Owe the signed copy; inside the transaction of the signature."""
    _print(mandate, now=now)


def _signature(mandate: Mandate) -> list[list[str]]:
    if mandate.signed_at is None:
        return []
    say, at = mandate_texts.labels(mandate.language), mandate.signed_at
    return [
        [say["signed_by"], mandate.signed_name],
        [say["signed_at"], f"{texts.day(mandate.language, at.date())}, {at:%H:%M:%S} UTC"],
        [say["signed_from"], str(mandate.signed_ip or "\u2013")],
        [say["signed_hash"], mandate.signed_sha256],
    ]


def _pdf(mandate: Mandate, said: Mapping[str, Any]) -> bytes:
    from invoicing.documents.mandate_pdf import render  # not at import: nothing may load the renderer before a fork

    grouped = " ".join(mandate.iban[at : at + 4] for at in range(0, len(mandate.iban), 4))
    account = [["IBAN", grouped], *([["BIC", mandate.bic]] if mandate.bic else [])]
    return render({**said, "account": account, "signature": _signature(mandate)})


@operations.register
class RenderMandate(operations.Handler):
    """Renders a mandate and keeps the bytes for good, encrypted; the signed copy is told of by mail, never sent."""

    kind = "invoicing.render_mandate"
    label = gettext_lazy("Render the PDF of a mandate")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        mandate = Mandate.objects.get(pk=op.payload["mandate"])
        suffix = "-signed" if op.payload["signed"] else ""
        content = _pdf(mandate, mandate.document)
        blob, digest = papers.keep(content, name=f"{mandate.reference}{suffix}.pdf", now=now)
        return {"blob": blob.pk, "sha256": digest}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        rows = Mandate.objects.filter(pk=op.payload["mandate"])
        mandate = Mandate.objects.select_related("account").get(pk=op.payload["mandate"])
        if not op.payload["signed"]:
            rows.filter(pdf=None).update(pdf_id=result["blob"], pdf_sha256=result["sha256"])
            tell("mandate.printed", mandate, now=now, actor=SYSTEM, data=named(mandate))
            return
        rows.filter(signed_pdf=None).update(signed_pdf_id=result["blob"], pdf_sha256=result["sha256"])
        mail.send(
            "mandate_signed", to=mandate.account.billing_email, lang=mandate.language, key=op.key, now=now,
            account_id=mandate.account_id, subject=mandate,
            context={"name": mandate.account.name, "mandate": mandate.reference, "last4": mandate.last4,
                     "creditor": settings.CLAUSE_SELLER["name"], "creditor_id": mandate.creditor_id,
                     "path": f"/billing/mandates/{mandate.reference}/"},
        )  # fmt: skip


def document(mandate: Mandate) -> tuple[bytes, str] | None:
    """The PDF to look at and its name: the signed copy once there is one; None while it is being made."""
    blob = mandate.signed_pdf or mandate.pdf
    if blob is None:
        return None
    return papers.read(blob, mandate.pdf_sha256), blob.name
