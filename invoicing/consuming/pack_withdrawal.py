"""A bank took the price of a prepaid pack back for good (OPR-9, INV-11): what is unused of the pack goes, and its price
is credited, so that what was used is owed on the invoice that is open again. Use that is corrected later goes, and is
credited, in the same way."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum
from django.utils import translation
from django.utils.translation import gettext_lazy

from invoicing.consuming import pack_rules, packs
from invoicing.consuming.usage_models import MILLION
from invoicing.documents import texts
from invoicing.issuing import invoices
from invoicing.journal import tell
from invoicing.models import Dispute, Invoice, InvoiceLine, MovementKind, Pack, PackMovement
from panel.core import events
from panel.core.actors import SYSTEM
from panel.core.models import Event
from panel.core.money import Cents

LOST = gettext_lazy("The payment was taken back: what was unused of pack %(pack)s is withdrawn.")
CORRECTED = gettext_lazy("Use of the withdrawn pack %(pack)s was corrected.")


def withdraw(rows: Iterable[Pack], dispute: Dispute, *, now: datetime) -> None:
    """Of each (locked) pack that the lost dispute's payment paid for. What was paid otherwise meanwhile stays; of a
    pack that was used up nothing goes, but what would come back to it."""
    for pack in rows:
        invoice, before = Invoice.objects.get(pk=pack.invoice_id), _withdrawn(pack)
        price = invoice.total_cents - invoice.credited_cents
        lost = pack_rules.lost(pack.bought - before, price, min(dispute.returned_cents, invoice.due_cents))
        going = min(pack.remaining, lost)
        if lost:
            packs.taken_out(pack, going, now=now)
            _credit(pack, before, going, because=LOST, name=dispute.provider_ref, now=now)
        if going:
            units = Decimal(going) / MILLION
            tell("pack.withdrawn", pack, now=now, actor=SYSTEM, rule=packs.RULE,
                 data={"pack": pack.reference, "units": f"{units.normalize():f} {pack.unit}"})  # fmt: skip


@events.subscriber(packs.GONE_LATER, "packs.credit_what_went_later")
def corrected(event: Event, *, now: datetime) -> None:
    """What came back to a withdrawn pack has gone with it, and is owed no more."""
    pack = Pack.objects.select_for_update(of=("self",)).get(reference=event.data["pack"])
    first, last = event.data["first"], event.data["last"]
    going = _withdrawn(pack, pk__gte=first, pk__lte=last)
    _credit(pack, _withdrawn(pack, pk__lt=first), going, because=CORRECTED, name=str(first), now=now)


def _withdrawn(pack: Pack, **which: int) -> int:
    rows = PackMovement.objects.filter(pack=pack, kind=MovementKind.WITHDRAWN, **which)
    return -(rows.aggregate(sum=Sum("millionths"))["sum"] or 0)


def _credit(pack: Pack, before: int, going: int, *, because: object, name: str, now: datetime) -> None:
    """The price of `going` millionths, after `before` of them had gone: their parts add up to the whole."""
    invoice = Invoice.objects.get(pk=pack.invoice_id)
    rows, ours = list(invoice.lines.all()), f"withdrawn:{pack.reference}:"
    gone = InvoiceLine.objects.filter(credits__in=rows, invoice__once__startswith=ours).values("credits")
    by_us = dict(gone.annotate(sum=Sum("net_cents")).values_list("credits", "sum"))
    amounts: list[Cents] = []
    for row, line in zip(rows, invoices.creditable(rows), strict=True):
        price = line.net - line.credited + by_us.get(row.pk, 0)
        left = line.net - line.credited  # staff may have credited some of it since
        amounts.append(min(left, pack_rules.price_of(price, pack.bought, before, going)))
    if any(amounts):
        with translation.override(texts.language_of(invoice.account.language)):
            reason = str(because) % {"pack": pack.reference}
        invoices.credit(invoice, amounts, reason=reason, once=ours + name, now=now, actor=SYSTEM)
