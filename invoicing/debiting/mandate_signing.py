"""The signature of a mandate, and what follows from it (INV-5, OPR-3): proved as a quote's is."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.debiting import debits, mandate_rules, mandates
from invoicing.gateways import Method
from invoicing.journal import tell
from invoicing.models import Mandate, MandateState
from invoicing.paying import collecting, means, settlement
from invoicing.paying.payment_rules import OWN
from panel.accounts.models import User
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.states import move


@transaction.atomic
def sign(
    mandate: Mandate, *, name: str, sha256: str, default: bool, actor: Actor, ip: str | None, now: datetime
) -> Mandate:
    """The payer signs the PDF whose SHA-256 they were shown. Kept: the typed name, the instant, the address, the hash.
    It becomes a means of payment, of which invoices are collected from now on when `default`; the mandate it replaces
    ends, and what that one was to pay is announced anew under this one.

    RuleViolation when it can be signed no more, the document is another one, or the name is missing.
    """
    if mandate.replaces_id is not None:
        debits.hold_announced(mandate.replaces_id)
    settlement.lock_account(mandate.account_id)
    held = Mandate.objects.select_for_update(of=("self",)).select_related("account", "pdf", "replaces").get(
        pk=mandate.pk
    )  # fmt: skip
    if held.state != MandateState.DRAFT or held.pdf is None:
        raise RuleViolation(_("This mandate cannot be signed."), rule="INV-5")
    if held.pdf_sha256 != sha256:
        raise RuleViolation(_("The document has changed since you opened it. Please read it again."), rule="INV-5")
    if not name.strip():
        raise RuleViolation(_("Please type your name to sign."), rule="INV-5", field="name")
    method = means.keep(
        held.account, Method(held.reference, "sepa", "", held.last4, mandate=held.reference), provider=OWN, now=now
    )
    Mandate.objects.filter(pk=held.pk).update(
        signed_at=now, signed_by=User.objects.get(pk=actor.user_id or 0), signed_name=name.strip()[:120], signed_ip=ip,
        signed_sha256=sha256, method=method,
    )  # fmt: skip
    held.refresh_from_db()
    move(held, MandateState.ACTIVE, mandate_rules.MANDATE_TRANSITIONS)
    tell("mandate.signed", held, now=now, actor=actor, rule="INV-5", data={**mandates.named(held), "sha256": sha256})
    mandates.print_signed(held, now=now)
    old, withdrawn = held.replaces, []
    was_default = old is not None and old.method is not None and old.method.is_default
    if old is not None:
        withdrawn = debits.end_mandate(old, MandateState.REPLACED, told=False, now=now)
    if default or was_default:
        means.make_default(method, actor=actor, now=now)
    for debit in withdrawn:
        debit.invoice.refresh_from_db()
        collecting.collect_now(debit.invoice, debits.anew(debit), now=now)
    return held
