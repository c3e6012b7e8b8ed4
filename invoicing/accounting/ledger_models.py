"""Double entry from the first cent (INV-11), balanced and kept by the database on both engines."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext

from panel.core import triggers
from panel.core.querysets import TenantQuerySet


class Zero(models.Model):
    """The one row 0 that a closed entry's balance points at; the foreign key is checked at COMMIT."""

    id = models.BigIntegerField(primary_key=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=0), name="zero_is_zero"),)

    def __str__(self) -> str:
        return "0"


class LedgerAccount(models.Model):
    """An account of the chart (PCG): `411000` customers, `706000` services sold."""

    code = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ("code",)

    def __str__(self) -> str:
        return f"{self.code} {gettext(self.name)}"


class Entry(models.Model):
    """One fact in the books. (kind, ref) is unique: a fact that is told twice is written once."""

    kind = models.CharField(max_length=40)
    ref = models.CharField(max_length=120)
    account = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="+")
    booked_at = models.DateTimeField()
    booked_on = models.DateField()
    balance = models.ForeignKey(Zero, models.PROTECT, default=0, editable=False, related_name="+", db_index=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(F("kind"), F("ref"), name="entry_once"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class Posting(models.Model):
    """A debit (positive cents) or a credit (negative) of one ledger account, for a customer where `account` is set."""

    entry = models.ForeignKey(Entry, models.PROTECT, related_name="postings")
    ledger_account = models.ForeignKey(LedgerAccount, models.PROTECT, related_name="postings")
    account = models.ForeignKey("accounts.Account", models.PROTECT, null=True, related_name="+")
    cents = models.BigIntegerField()
    tax_code = models.CharField(max_length=20, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=~Q(cents=0), name="posting_not_zero"),)
        indexes = (models.Index(fields=("account", "ledger_account"), name="posting_by_customer"),)

    def __str__(self) -> str:
        return f"{self.entry_id}: {self.ledger_account_id} {self.cents}"

    @property
    def credited_cents(self) -> int:
        """The amount of a credit, as a positive number."""
        return -self.cents


triggers.balanced(
    "invoicing_entry",
    "invoicing_posting",
    link="entry_id",
    amount="cents",
    balance="balance_id",
    zero="invoicing_zero",
)
triggers.append_only("invoicing_posting")
triggers.append_only("invoicing_entry", columns=("id", "kind", "ref", "account_id", "booked_at", "booked_on"))
