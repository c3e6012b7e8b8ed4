"""The files of an issued document: Factur-X PDF, CII and UBL, made once, after commit, from what was frozen; kept and
mailed (INV-2, INV-3, INV-4)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from invoicing.documents import InvoiceDocument, texts
from invoicing.models import Invoice, InvoiceKind
from panel.core import files, mail, operations
from panel.core.models import Operation


def enqueue(invoice: Invoice, *, now: datetime) -> None:
    """Owe the PDF and its mail; inside the issuing transaction."""
    operations.enqueue_row(owed(invoice, now=now))


def owed(invoice: Invoice, *, now: datetime) -> Operation:
    """The PDF and its mail, as an operation that is not written yet."""
    return operations.operation_of(
        RenderPdf.kind, key=f"pdf:{invoice.number}", now=now, account_id=invoice.account_id, subject=invoice,
        payload={"invoice": invoice.pk},
    )  # fmt: skip


def pdf(document: InvoiceDocument) -> bytes:
    """The bytes of a document; for a pro-forma, which is not kept."""
    from invoicing.documents.pdf import PdfRenderer  # not at import: nothing may load the renderer before a fork

    return PdfRenderer().render(document)


@dataclass(frozen=True, slots=True)
class Files:
    """What an issued document is handed out as. `cii` and `ubl` are empty for one that was frozen before it could be
    an e-invoice."""

    pdf: bytes
    cii: bytes = b""
    ubl: bytes = b""


def files_of(document: InvoiceDocument) -> Files:
    """Every file of a document; the CII inside the PDF is the one beside it. ProviderError when one cannot be made."""
    from invoicing.documents import einvoice

    printed = pdf(document)
    if not document.process:
        return Files(printed)
    cii = einvoice.cii(document)
    return Files(einvoice.embed(printed, cii, document), cii, einvoice.ubl(document))


@operations.register
class RenderPdf(operations.Handler):
    """Renders, keeps the bytes for good, then owes the mail."""

    kind = "invoicing.render_pdf"
    label = _("Render the PDF of an invoice")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        invoice = Invoice.objects.get(pk=op.payload["invoice"])
        made, result = files_of(InvoiceDocument.from_dict(invoice.document)), {}
        for name, content in (("cii", made.cii), ("ubl", made.ubl)):
            if content:
                named = f"{invoice.number}-{name}.xml"
                result[name] = files.store(content, name=named, content_type="application/xml", now=now).pk
        blob = files.store(made.pdf, name=f"{invoice.number}.pdf", content_type="application/pdf", now=now)
        return result | {"blob": blob.pk, "sha256": blob.sha256}

    def happened(self, op: Operation) -> dict[str, Any] | None:
        invoice = Invoice.objects.select_related("pdf").get(pk=op.payload["invoice"])
        return {"blob": invoice.pdf.pk, "sha256": invoice.pdf.sha256} if invoice.pdf else None

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        Invoice.objects.filter(pk=op.payload["invoice"], pdf=None).update(
            pdf_id=result["blob"], cii_id=result.get("cii"), ubl_id=result.get("ubl")
        )
        invoice = Invoice.objects.select_related("account", "pdf", "credits").get(pk=op.payload["invoice"])
        _send(invoice, now=now)


def _send(invoice: Invoice, *, now: datetime) -> None:
    language = texts.language_of(str(invoice.document["language"]))
    template = f"{invoice.kind}_issued"
    mail.send(
        template, to=invoice.account.billing_email, lang=language, key=f"invoice:{invoice.number}", now=now,
        account_id=invoice.account_id, subject=invoice, attachments=[invoice.pdf] if invoice.pdf else [],
        reply_to=f"billing@{settings.CLAUSE_MAIL_DOMAIN}" if invoice.kind == InvoiceKind.STATEMENT else "",
        context={
            "name": invoice.account.name, "number": invoice.number, "reason": invoice.reason,
            "credits": invoice.credits.number if invoice.credits else "",
            "total": texts.money(language, invoice.total_cents), "due": texts.money(language, invoice.due_cents),
            "unpaid": invoice.due_cents > 0, "due_on": texts.day(language, invoice.due_on),
            "path": f"/billing/invoices/{invoice.number}/",
        },
    )  # fmt: skip
