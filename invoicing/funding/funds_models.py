"""The customer's funds (INV-6): what was put in, what each spending took from which of it, and top-ups."""

from django.db import models
from django.db.models import F, Q

from panel.core import triggers
from panel.core.querysets import TenantQuerySet
from panel.core.triggers import Trigger


class TopUp(models.Model):
    """A wish to add credit in advance. It is no sale: no invoice and no VAT; `credited_at` when the money arrived."""

    reference = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="top_ups")
    key = models.CharField(max_length=120, unique=True)
    amount_cents = models.BigIntegerField()
    asked_at = models.DateTimeField()
    credited_at = models.DateTimeField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("-asked_at", "-id")
        constraints = (models.CheckConstraint(condition=Q(amount_cents__gt=0), name="top_up_positive"),)

    def __str__(self) -> str:
        return self.reference


class FundsCredit(models.Model):
    """Money put into an account's funds by an entry of the books, and what is left of it: the database keeps `left`,
    and refuses to let it fall below zero."""

    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="funds_credits")
    entry = models.OneToOneField("invoicing.Entry", models.PROTECT, related_name="funds_credit")
    cents = models.BigIntegerField()
    left_cents = models.BigIntegerField()
    at = models.DateTimeField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="funds_credit_positive"),
            models.CheckConstraint(
                condition=Q(left_cents__gte=0, left_cents__lte=F("cents")), name="funds_never_below_zero"
            ),
        )
        indexes = (models.Index(fields=("account",), condition=Q(left_cents__gt=0), name="funds_left"),)

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.left_cents} of {self.cents}"


class FundsDebit(models.Model):
    """What an entry took from one credit, first in first out (INV-6)."""

    credit = models.ForeignKey(FundsCredit, models.PROTECT, related_name="debits")
    account = models.ForeignKey("accounts.Account", models.PROTECT, related_name="+")
    entry = models.ForeignKey("invoicing.Entry", models.PROTECT, related_name="funds_debits")
    cents = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.CheckConstraint(condition=Q(cents__gt=0), name="funds_debit_positive"),
            models.UniqueConstraint(F("credit"), F("entry"), name="funds_debit_once"),
        )

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.cents} of {self.credit_id}"


def _declare_triggers() -> None:
    """What was put in and taken out stays written; a debit lowers its credit, and nothing else does."""
    credit, debit = "invoicing_fundscredit", "invoicing_fundsdebit"
    triggers.append_only(credit, columns=("id", "account_id", "entry_id", "cents", "at"))
    triggers.append_only(debit)
    taken = f"UPDATE {credit} SET left_cents = left_cents - NEW.cents WHERE id = NEW.credit_id"  # noqa: S608 - names of ours
    triggers.declare(Trigger(f"{debit}_taken", debit, "AFTER INSERT", sqlite=taken, postgresql=f"{taken}; RETURN NULL"))
    sentence = "what is left of funds is kept by the debits"
    spent = f"(SELECT COALESCE(SUM(cents), 0) FROM {debit} WHERE credit_id = NEW.id)"  # noqa: S608 - names of ours
    triggers.refuse(
        f"{credit}_left", credit, "BEFORE UPDATE OF left_cents", sentence,
        sqlite_when=f"NEW.left_cents <> NEW.cents - {spent}", pg_when="pg_trigger_depth() = 0",
    )  # fmt: skip
    triggers.refuse(
        f"{credit}_whole", credit, "BEFORE INSERT", sentence, sqlite_when="NEW.left_cents <> NEW.cents",
        pg_when="NEW.left_cents <> NEW.cents",
    )  # fmt: skip


_declare_triggers()
