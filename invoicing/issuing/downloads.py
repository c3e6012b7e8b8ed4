"""What a browser gets when it asks for a document."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from invoicing.handing_out import Made
from invoicing.models import Invoice
from panel.core import files

PDF, CII, UBL = "pdf", "cii", "ubl"


def pdf(content: bytes, name: str) -> HttpResponse:
    """A PDF to look at, under its own name."""
    return _answer(content, name, "application/pdf", "inline")


def document(request: HttpRequest, invoice: Invoice, which: str) -> HttpResponse:
    """A file of an issued document, as it was made once: PDF, CII or UBL. A page that says so while it is being made;
    404 for the e-invoice of a document that was frozen without one."""
    if invoice.pdf is None:
        return render(request, "invoicing/invoice_wait.html", {"invoice": invoice}, status=202)
    blob = {PDF: invoice.pdf, CII: invoice.cii, UBL: invoice.ubl}[which]
    if blob is None:
        raise Http404
    return _answer(files.read(blob), blob.name, blob.content_type, "inline" if which == PDF else "attachment")


def _answer(content: bytes, name: str, content_type: str, disposition: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'{disposition}; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def attachment(made: Made) -> HttpResponse:
    """A file to keep."""
    response = HttpResponse(made.content, content_type=made.content_type)
    response["Content-Disposition"] = f'attachment; filename="{made.name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
