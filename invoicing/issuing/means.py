"""From which means an invoice will be collected, as its document says it (INV-5, EN 16931: BT-81, BG-18, BG-19).

An account number is kept encrypted with its mandate, and a document stands for ten years: so a document, like a notice,
names the mandate, its creditor and the last four digits, and never more of the account.
"""

from collections.abc import Iterable

from invoicing.documents import Collection
from invoicing.models import PaymentMethod
from panel.accounts.models import Account


def of(account: Account) -> Collection | None:
    """How an invoice that is issued now to `account` will be collected; None when it will not be."""
    return of_many([account.pk]).get(account.pk)


def of_many(account_ids: Iterable[int]) -> dict[int, Collection]:
    """The same for many accounts, in one query; those that have no means are left out."""
    rows = PaymentMethod.objects.filter(account__in=account_ids, is_default=True, removed_at=None)
    return {row.account_id: _said(row) for row in rows.select_related("mandate")}


def _said(row: PaymentMethod) -> Collection:
    mandate = getattr(row, "mandate", None)
    return Collection(
        by=row.kind, last4=row.last4, brand=row.brand,
        mandate=mandate.reference if mandate else row.mandate_reference,
        creditor=mandate.creditor_id if mandate else "",
    )  # fmt: skip
