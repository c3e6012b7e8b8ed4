"""Quotes that were sent to the account: read, signed or declined, and their services ordered in the panel."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from invoicing import actions
from invoicing.models import Quote, QuoteLine
from invoicing.quoting import quote_selectors, quote_signing, quotes
from panel import terms
from panel.accounts.middleware import client_ip
from panel.api import auth, idempotency, paging, problems
from panel.core import clock, files
from panel.core.actors import Actor
from panel.core.money import Cents

router = Router(tags=["quotes"])
AGAIN = 5


class QuoteOut(Schema):
    reference: str
    version: int
    title: str
    state: str = Field(description="sent: it waits for your answer.")
    sent_at: datetime
    valid_until: date = Field(description="It can be signed on this day too.")
    signed_at: datetime | None
    ended_at: datetime | None


class QuoteLineOut(Schema):
    description: str
    package: str | None = Field(description="What it becomes a subscription of; null for what is sold once.")
    option: str | None = Field(description="What stands beside each of those services.")
    interval: str = Field(description="month or year; empty for what is sold once.")
    commitment_months: int = Field(description="For how long at least (SUB-6).")
    quantity: str
    unit: str
    unit_price: str = Field(description="EUR, excluding VAT.")
    net_cents: int


class QuoteStageOut(Schema):
    title: str
    percent: int
    when: str = Field(description="signed, day or reached.")
    on: date | None
    net_cents: int | None
    invoice: str | None


class QuoteTotalOut(Schema):
    interval: str = Field(description="month or year; empty for what is paid once.")
    net_cents: int
    vat_cents: int
    total_cents: int


class QuoteFull(QuoteOut):
    introduction: str
    conditions: str
    special: dict[str, str] = Field(description="Numbers of the terms that the quote replaces, by rule (LEG-6).")
    lines: list[QuoteLineOut]
    stages: list[QuoteStageOut]
    totals: list[QuoteTotalOut]
    sha256: str | None = Field(description="Of its PDF, which a signature names; null while it is being rendered.")
    accept: list[str] = Field(description="The documents to accept with the signature.")


class SignIn(Schema):
    name: str = Field(max_length=120, description="Your first and last name: typed here it is your signature.")
    sha256: str = Field(max_length=64, description="Of the PDF you have read: GET /quotes/{reference}.")
    accepted: list[str] = Field([], description="The documents you accept; the quote names them.")
    client_manager: str = Field("", max_length=120, description="Your project manager; empty: yourself.")


class DeclineIn(Schema):
    reason: str = Field(max_length=300)


def _quote(asking: Actor, reference: str) -> Quote:
    return quote_selectors.sent(asking).get(reference=reference)


_PLAIN = ("reference", "version", "title", "state", "sent_at", "valid_until", "signed_at", "ended_at")


def _fields(row: Quote) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _PLAIN}


def _line(row: QuoteLine, net: Cents) -> QuoteLineOut:
    return QuoteLineOut(
        description=row.description, package=row.package.code if row.package else None,
        option=row.option.code if row.option else None, interval=row.interval, commitment_months=row.commitment_months,
        quantity=f"{row.quantity.normalize():f}", unit=row.unit, unit_price=f"{row.unit_price.normalize():f}",
        net_cents=net,
    )  # fmt: skip


def _full(row: Quote) -> QuoteFull:
    parts = quote_selectors.parts(row, now=clock.now())
    lines = [_line(one["row"], one["net"]) for one in parts["lines"]]
    stages = [
        QuoteStageOut(
            title=stage.title, percent=stage.percent, when=stage.when, on=stage.on, net_cents=net,
            invoice=stage.invoice.number if stage.invoice else None,
        )
        for stage, net in parts["stages"]
    ]  # fmt: skip
    totals = [
        QuoteTotalOut(interval=interval, net_cents=sums.net, vat_cents=sums.vat, total_cents=sums.total)
        for interval, sums in parts["totals"]
    ]
    return QuoteFull(
        **_fields(row), introduction=row.introduction, conditions=row.conditions, special=row.special, lines=lines,
        stages=stages, totals=totals, sha256=row.pdf.sha256 if row.pdf else None,
        accept=list(terms.version(row.terms_version).order_documents),
    )  # fmt: skip


@router.get("", response=paging.Pages[QuoteOut], summary="List quotes")
def list_quotes(request: HttpRequest, paged: paging.Paging) -> dict[str, Any]:
    """Every quote that was sent to the account, each version by itself."""
    rows = quote_selectors.sent(auth.actor(request, actions.QUOTES))
    return paging.page(rows, paged, lambda row: QuoteOut(**_fields(row)))


@router.get("/{reference}", response=QuoteFull, summary="Get a quote")
def get_quote(request: HttpRequest, reference: str) -> QuoteFull:
    return _full(_quote(auth.actor(request, actions.QUOTES), reference))


_PDF = {"responses": {200: {"description": "The document", "content": {"application/pdf": {}}}}}


@router.get("/{reference}/pdf", summary="Get a quote as PDF", response={200: None}, openapi_extra=_PDF)
def get_quote_pdf(request: HttpRequest, reference: str) -> HttpResponse:
    """As it was sent; once signed, the signed copy. 409 with Retry-After while it is being rendered."""
    row = _quote(auth.actor(request, actions.QUOTES), reference)
    blob = row.signed_pdf or row.pdf
    if blob is None:
        raise problems.NotReady(AGAIN, "The document is being rendered.")
    response = HttpResponse(files.read(blob), content_type=blob.content_type)
    response["Content-Disposition"] = f'attachment; filename="{blob.name}"'
    return response


@router.post("/{reference}/sign", response={200: QuoteFull}, summary="Sign a quote")
@idempotency.once(actions.SIGN_QUOTE)
def sign_quote(request: HttpRequest, reference: str, payload: SignIn) -> tuple[int, Schema]:
    """Binding, as on the page: the name, the instant, the address and the document's hash are kept (PRJ-1). What is due
    on signature is invoiced at once."""
    asking = auth.actor(request, actions.SIGN_QUOTE)
    quote_signing.sign(
        _quote(asking, reference), name=payload.name, sha256=payload.sha256, accepted=payload.accepted,
        client_manager=payload.client_manager, actor=asking, ip=client_ip(request), now=clock.now(),
    )  # fmt: skip
    return 200, _full(_quote(asking, reference))


@router.post("/{reference}/decline", response={200: QuoteOut}, summary="Decline a quote")
@idempotency.once(actions.SIGN_QUOTE)
def decline_quote(request: HttpRequest, reference: str, payload: DeclineIn) -> tuple[int, Schema]:
    """No, with the reason: we can answer with a revised version."""
    asking = auth.actor(request, actions.SIGN_QUOTE)
    quotes.decline(_quote(asking, reference), reason=payload.reason, now=clock.now(), actor=asking)
    return 200, QuoteOut(**_fields(_quote(asking, reference)))
