"""Reads of mandates for the staff's pages."""

from django.db.models import Count, Q, QuerySet

from invoicing.models import Debit, Mandate, MandateState
from panel.accounts.models import Account
from panel.core.actors import Actor

DIGITS = 4  # of an account number that stand in the clear


def mandates(actor: Actor, *, state: str = "", words: str = "") -> QuerySet[Mandate]:
    """Mandates with the count of their debits (`collections`); `words`: how the reference begins, the last four digits
    of the account number, its holder, or a customer by name, company or reference."""
    rows = Mandate.objects.visible_to(actor).select_related("account")
    if state in MandateState.values:
        rows = rows.filter(state=state)
    if words:
        named = Q(name__icontains=words) | Q(company__icontains=words) | Q(reference__iexact=words)
        wanted = Q(reference__startswith=words.upper()) | Q(holder__icontains=words)
        wanted |= Q(account__in=Account.objects.filter(named).values("pk"))
        if len(words) == DIGITS:
            wanted |= Q(last4=words.upper())
        rows = rows.filter(wanted)
    return rows.annotate(collections=Count("debits"))


def debits(mandate: Mandate) -> QuerySet[Debit]:
    """Every debit under a mandate."""
    return mandate.debits.select_related("invoice", "batch")
