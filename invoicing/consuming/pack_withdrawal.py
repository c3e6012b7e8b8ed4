"""A bank took the price of a prepaid pack back for good (OPR-9, INV-11): what is unused of the pack goes, and its price
is credited, so that what was used is owed on the invoice that is open again."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import translation
from django.utils.translation import gettext as _

from invoicing.consuming import pack_rules, packs
from invoicing.documents import texts
from invoicing.issuing import invoices
from invoicing.journal import tell
from invoicing.models import Dispute, Invoice, Pack
from panel.core.actors import SYSTEM
from panel.core.money import Cents


def withdraw(rows: Iterable[Pack], dispute: Dispute, *, now: datetime) -> None:
    """Of each (locked) pack that the lost dispute's payment paid for. What was paid otherwise meanwhile stays."""
    for pack in rows:
        invoice = Invoice.objects.get(pk=pack.invoice_id)
        price = invoice.total_cents - invoice.credited_cents
        going = pack_rules.withdrawn(
            pack.bought, pack.remaining, price, min(dispute.returned_cents, invoice.due_cents)
        )  # fmt: skip
        if going:
            units = pack.units_left * going / pack.remaining
            packs.taken_out(pack, going, now=now)
            _credit(invoice, pack, going, dispute, now=now)
            tell("pack.withdrawn", pack, now=now, actor=SYSTEM, rule=packs.RULE,
                 data={"pack": pack.reference, "units": f"{units.normalize():f} {pack.unit}"})  # fmt: skip


def _credit(invoice: Invoice, pack: Pack, going: int, dispute: Dispute, *, now: datetime) -> None:
    amounts: list[Cents] = [
        (line.net - line.credited) * going // pack.bought for line in invoices.creditable(list(invoice.lines.all()))
    ]
    if not any(amounts):
        return
    with translation.override(texts.language_of(invoice.account.language)):
        reason = _("The payment was taken back: what was unused of pack %(pack)s is withdrawn.")
        reason %= {"pack": pack.reference}
    once = f"withdrawn:{pack.reference}:{dispute.provider_ref}"
    invoices.credit(invoice, amounts, reason=reason, once=once, now=now, actor=SYSTEM)
