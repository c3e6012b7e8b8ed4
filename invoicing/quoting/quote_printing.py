"""The PDF of a quote: frozen when sent, rendered once, kept with its SHA-256 and mailed; again with the signature."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from invoicing.documents import quote_texts, texts
from invoicing.issuing import parties
from invoicing.models import Quote, QuoteState
from invoicing.quoting import quote_rules
from invoicing.taxing import tax_rules
from invoicing.taxing.tax_rules import Totals, VatTreatment
from panel import terms
from panel.core import files, mail, operations
from panel.core.calendars import paris_date
from panel.core.models import Operation
from panel.core.money import round_cents


def document(quote: Quote, totals: Mapping[str, Totals], treatment: VatTreatment, *, now: datetime) -> dict[str, Any]:
    """All that the quote says, in its final letters, as it is kept and printed."""
    language = quote.language
    say = quote_texts.labels(language)
    once = totals.get("")
    return {
        "language": language, "labels": say, "number": quote.reference, "brand": str(settings.CLAUSE_BRAND["name"]),
        "title": quote.title, "introduction": quote.introduction, "conditions": quote.conditions,
        "issued_on": paris_date(now).isoformat(),
        "heads": [
            [say["issued"], texts.day(language, paris_date(now))],
            [say["valid_until"], texts.day(language, quote.valid_until)],
            [say["manager"], quote.our_manager or str(settings.CLAUSE_BRAND["name"])],
        ],
        "seller": _party(parties.seller(language)), "customer": _party(parties.customer(quote.account, language)),
        "lines": [_line(row, treatment, language) for row in quote.lines.select_related("package", "option")],
        "totals": [_total(say[interval or "once"], sums, language) for interval, sums in totals.items()],
        "stages": _stages(quote, once, language) if once else [],
        "special": [
            [rule, quote_texts.special(language, rule, key, value)]
            for rule, key, value in quote_rules.numbers_of(quote.special)
        ],
        "mention": parties.vat_label(treatment.code, treatment.rate, language),
        "terms": f"{say['terms']} {terms.version(quote.terms_version).name}. {say['precedence']}",
        "signature": [],
    }  # fmt: skip


def _party(party: Any) -> dict[str, Any]:
    return {"name": party.name, "address": list(party.address), "facts": list(party.facts), "contact": party.contact}


def _line(row: Any, treatment: VatTreatment, language: str) -> dict[str, str]:
    own, say = tax_rules.of_item(treatment, row.item.vat) if row.item else treatment, quote_texts.labels(language)
    committed = say["committed"].format(months=row.commitment_months) if row.commitment_months else ""
    return {
        "description": row.description,
        "detail": say[row.interval or "once"] + committed,
        "quantity": texts.decimal(language, row.quantity) + (f"\u00a0{row.unit}" if row.unit else ""),
        "unit_price": texts.decimal(language, row.unit_price, at_least=2),
        "vat": parties.vat_label(own.code, own.rate, language),
        "net": texts.amount(language, round_cents(row.quantity * row.unit_price)),
    }


def _total(label: str, sums: Totals, language: str) -> list[str]:
    return [label, *(texts.money(language, cents) for cents in (sums.net, sums.vat, sums.total))]


def _stages(quote: Quote, once: Totals, language: str) -> list[list[str]]:
    rows = list(quote.stages.all())
    nets = quote_rules.stage_nets(once.net, [row.percent for row in rows])
    return [
        [row.title, f"{row.percent}\u00a0%", quote_texts.when(language, row.when, row.on), texts.money(language, net)]
        for row, net in zip(rows, nets, strict=True)
    ]


def signature(quote: Quote) -> list[list[str]]:
    """The facts of the signature, as the signed copy prints them."""
    if quote.signed_at is None:
        return []
    say, at = quote_texts.labels(quote.language), quote.signed_at
    return [
        [say["signed_by"], quote.signed_name],
        [say["signed_at"], f"{texts.day(quote.language, at.date())}, {at:%H:%M:%S} UTC"],
        [say["signed_from"], str(quote.signed_ip or "\u2013")],
        [say["client_manager"], quote.client_manager or quote.signed_name],
        [say["signed_hash"], quote.signed_sha256],
    ]


def enqueue(quote: Quote, *, now: datetime) -> None:
    """Owe the PDF of the present state and its mail; inside the transaction that sent or signed it."""
    operations.enqueue(
        RenderQuote.kind, key=f"quote:{quote.reference}:{quote.state}", now=now, account_id=quote.account_id,
        subject=quote, payload={"quote": quote.pk, "signed": quote.state == QuoteState.SIGNED},
    )  # fmt: skip


def pdf(said: Mapping[str, Any]) -> bytes:
    """The bytes of a quote; for a draft, which is not kept."""
    from invoicing.documents.quote_pdf import render  # not at import: nothing may load the renderer before a fork

    return render(said)


@operations.register
class RenderQuote(operations.Handler):
    """Renders, keeps the bytes for good, then owes the mail."""

    kind = "invoicing.render_quote"
    label = _("Render the PDF of a quote")

    def perform(self, op: Operation, *, now: datetime) -> dict[str, Any]:
        quote = Quote.objects.get(pk=op.payload["quote"])
        said = dict(quote.document or {})
        if op.payload["signed"]:
            said["signature"] = signature(quote)
        suffix = "-signed" if op.payload["signed"] else ""
        blob = files.store(pdf(said), name=f"{quote.reference}{suffix}.pdf", content_type="application/pdf", now=now)
        return {"blob": blob.pk, "sha256": blob.sha256}

    def completed(self, op: Operation, result: dict[str, Any], *, now: datetime) -> None:
        column = "signed_pdf" if op.payload["signed"] else "pdf"
        Quote.objects.filter(pk=op.payload["quote"], **{column: None}).update(**{f"{column}_id": result["blob"]})
        quote = Quote.objects.select_related("account", "pdf", "signed_pdf").get(pk=op.payload["quote"])
        mail.send(
            "quote_signed" if op.payload["signed"] else "quote_sent", to=quote.account.billing_email,
            lang=quote.language, key=op.key, now=now, account_id=quote.account_id, subject=quote,
            attachments=[blob for blob in (getattr(quote, column),) if blob],
            context={
                "name": quote.account.name, "quote": quote.reference, "title": quote.title,
                "valid_until": texts.day(quote.language, quote.valid_until), "signed_name": quote.signed_name,
                "sha256": quote.pdf.sha256 if quote.pdf else "", "path": f"/billing/quotes/{quote.reference}/",
            },
        )  # fmt: skip
