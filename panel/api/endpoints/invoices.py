"""Invoices and credit notes."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from invoicing import actions
from invoicing.debiting import instead
from invoicing.models import Invoice
from panel.api import auth, idempotency, paging, problems
from panel.api.endpoints.orders import PayIn, PaymentOut, kept_method, key_of, payment_out
from panel.core import clock, files

router = Router(tags=["invoices"])
AGAIN = 5


class InvoiceOut(Schema):
    number: str
    kind: str
    state: str
    issued_at: datetime
    due_on: date
    net_cents: int
    vat_cents: int
    total_cents: int
    due_cents: int
    credits: str | None


class InvoiceLineOut(Schema):
    description: str
    rule: str
    quantity: str
    unit: str
    unit_price: str
    net_cents: int
    vat_rate: str
    period_start: date | None
    period_end: date | None


class InvoiceFull(InvoiceOut):
    lines: list[InvoiceLineOut]
    terms_version: str
    down_payment: bool
    order_number: str


_PLAIN = ("number", "kind", "state", "issued_at", "due_on", "net_cents", "vat_cents", "total_cents", "due_cents")


def _fields(row: Invoice) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _PLAIN} | {"credits": row.credits.number if row.credits else None}


@router.get("", response=paging.Pages[InvoiceOut], summary="List invoices")
def list_invoices(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Invoices and credit notes of the account; amounts of a credit note are given back."""
    rows = Invoice.objects.visible_to(auth.actor(request, actions.INVOICES)).select_related("credits")
    return paging.page(rows, paged, lambda row: InvoiceOut(**_fields(row)))


@router.get("/{number}", response=InvoiceFull, summary="Get an invoice")
def get_invoice(request: HttpRequest, number: str) -> InvoiceFull:
    rows = Invoice.objects.visible_to(auth.actor(request, actions.INVOICES)).select_related("credits")
    row = rows.get(number=number)
    lines = [
        InvoiceLineOut(
            description=one.description, rule=one.rule, quantity=str(one.quantity.normalize()), unit=one.unit,
            unit_price=str(one.unit_price.normalize()), net_cents=one.net_cents, vat_rate=str(one.vat_rate),
            period_start=one.period_start, period_end=one.period_end,
        )
        for one in row.lines.all()
    ]  # fmt: skip
    return InvoiceFull(
        **_fields(row), lines=lines, terms_version=row.terms_version, down_payment=row.down_payment,
        order_number=str(row.document.get("order_number", "")),
    )  # fmt: skip


@router.post("/{number}/pay", response={202: PaymentOut}, summary="Pay an invoice with a kept card")
@idempotency.once(actions.PAY_INVOICE)
def pay_invoice(request: HttpRequest, number: str, payload: PayIn) -> tuple[int, Schema]:
    """Accepted, and collected by the panel: look at the invoice to see the outcome. A direct debit that is announced
    for it is withdrawn; 409 once that is on its way to the bank."""
    asking = auth.actor(request, actions.PAY_INVOICE)
    row = Invoice.objects.visible_to(asking).select_related("account").get(number=number)
    auth.actor(request, actions.PAY_INVOICE, row)
    payment, withdrawn = instead.pay(
        row, method=kept_method(asking, payload.method), key=f"{row.number}:{key_of(request)}", actor=asking,
        now=clock.now(),
    )  # fmt: skip
    return 202, payment_out(payment, withdrawn=withdrawn)


def _file(request: HttpRequest, number: str, which: str) -> HttpResponse:
    """A file of a document, as it was made once; 409 with Retry-After until it is."""
    rows = Invoice.objects.visible_to(auth.actor(request, actions.INVOICES)).select_related("pdf", "cii", "ubl")
    row = rows.get(number=number)
    if row.pdf is None:
        raise problems.NotReady(AGAIN, "The document is being rendered.")
    blob = getattr(row, which)
    if blob is None:
        raise Invoice.DoesNotExist
    response = HttpResponse(files.read(blob), content_type=blob.content_type)
    response["Content-Disposition"] = f'attachment; filename="{blob.name}"'
    return response


def _binary(content_type: str) -> dict[str, Any]:
    return {"responses": {200: {"description": "The document", "content": {content_type: {}}}}}


@router.get("/{number}/pdf", summary="Get an invoice as PDF", response={200: None},
            openapi_extra=_binary("application/pdf"))  # fmt: skip
def get_invoice_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """The document as it was issued, a Factur-X PDF. 409 with Retry-After during the seconds in which it is still being
    rendered."""
    return _file(request, number, "pdf")


@router.get("/{number}/cii", summary="Get an invoice as CII", response={200: None},
            openapi_extra=_binary("application/xml"))  # fmt: skip
def get_invoice_cii(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice (EN 16931) in the syntax of UN/CEFACT, as it stands inside the PDF."""
    return _file(request, number, "cii")


@router.get("/{number}/ubl", summary="Get an invoice as UBL", response={200: None},
            openapi_extra=_binary("application/xml"))  # fmt: skip
def get_invoice_ubl(request: HttpRequest, number: str) -> HttpResponse:
    """The e-invoice (EN 16931) in the syntax of OASIS UBL 2.1."""
    return _file(request, number, "ubl")
