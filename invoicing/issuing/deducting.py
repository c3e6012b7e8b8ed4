"""Down payments that a later invoice takes off: what is left of each, and the lines that deduct it (INV-2).

A down payment carries its VAT when it is invoiced; the final invoice takes net and VAT off again, rate by rate, so that
together they are the price, and its VAT, once.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import Sum
from django.utils.translation import gettext as _

from invoicing.documents import texts
from invoicing.models import Invoice, InvoiceLine, InvoiceState
from invoicing.rules import Line
from panel.core.errors import RuleViolation
from panel.core.money import Cents, euros

DOWN_PAYMENT = "down-payment"  # the code of a line that asks for one, and of a line that deducts it


def deducted(rows: Iterable[InvoiceLine]) -> dict[int, Cents]:
    """By line of a down payment: what invoices took off, less what credit notes of those gave back."""
    off = InvoiceLine.objects.filter(deducts__in=list(rows))
    taken = dict(off.values("deducts").annotate(sum=Sum("net_cents")).values_list("deducts", "sum"))
    back = dict(
        InvoiceLine.objects.filter(credits__in=off).values("credits__deducts").annotate(sum=Sum("net_cents"))
        .values_list("credits__deducts", "sum")
    )  # fmt: skip
    return {line: back.get(line, 0) - cents for line, cents in taken.items() if line is not None}


def left(down_payment: Invoice) -> dict[InvoiceLine, Cents]:
    """Net cents of each line of a down payment that no invoice deducted and no credit note gave back."""
    rows = list(down_payment.lines.all())
    credited = dict(
        InvoiceLine.objects.filter(credits__in=rows).values("credits").annotate(sum=Sum("net_cents"))
        .values_list("credits", "sum")
    )  # fmt: skip
    off = deducted(rows)
    found = {row: row.net_cents - credited.get(row.pk, 0) - off.get(row.pk, 0) for row in rows}
    return {row: cents for row, cents in found.items() if cents > 0}


def lines_off(
    down_payments: Sequence[Invoice], lines: Sequence[Line], language: str
) -> list[tuple[Line, InvoiceLine]]:  # fmt: skip
    """The lines that take `down_payments` off an invoice over `lines`, as far as each VAT rate reaches; the caller
    holds the account's lock. RuleViolation for one that is no down payment, or is not paid, or carries a VAT that the
    invoice does not have (the buyer's changed since): nothing could be deducted, and the price would be paid twice."""
    room: dict[tuple[str, Decimal], Cents] = {}
    for line in lines:
        room[line.vat_code, line.vat_rate] = room.get((line.vat_code, line.vat_rate), 0) + line.net
    made = []
    for paper in down_payments:
        if not paper.down_payment or paper.state != InvoiceState.PAID:
            raise RuleViolation(_("Only a down payment that is paid can be deducted."), rule="INV-2")
        for row, cents in left(paper).items():
            rate = row.vat_code, row.vat_rate
            if rate not in room:
                raise RuleViolation(
                    _("%(number)s carries a VAT that does not apply any more. Please credit it first.")
                    % {"number": paper.number},
                    rule="INV-2",
                )
            off = min(cents, room.get(rate, 0))
            if off > 0:
                room[rate] -= off
                made.append((_line_off(paper, row, off, language), row))
    return made


def _line_off(paper: Invoice, row: InvoiceLine, cents: Cents, language: str) -> Line:
    said = texts.say(language, "deducted", day=texts.day(language, paper.issued_on), number=paper.number)
    return Line(
        code=DOWN_PAYMENT, description=said,
        quantity=Decimal(-1), unit_price=euros(cents), net=-cents, vat_code=row.vat_code, vat_rate=row.vat_rate,
        evidence={"down_payment": paper.number},
    )  # fmt: skip
