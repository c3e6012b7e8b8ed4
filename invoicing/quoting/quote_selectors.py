"""What the pages of quotes read; only what the actor may see."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from invoicing.models import Quote, QuoteState
from invoicing.quoting import quote_rules, quote_signing, quotes
from panel.core.actors import Actor
from panel.core.money import round_cents


def _quotes(actor: Actor) -> QuerySet[Quote]:
    return Quote.objects.visible_to(actor).select_related("account", "pdf", "signed_pdf", "signed_by")


def found(actor: Actor, *, state: str = "", words: str = "") -> QuerySet[Quote]:
    """For staff: drafts too; `words` are of the title or the number."""
    rows = _quotes(actor)
    if state in QuoteState.values:
        rows = rows.filter(state=state)
    return rows.filter(Q(title__icontains=words) | Q(reference__icontains=words)) if words else rows


def sent(actor: Actor) -> QuerySet[Quote]:
    """What the customer has: never a draft, nor one that was withdrawn before it was sent."""
    return _quotes(actor).filter(sent_at__isnull=False)


def parts(quote: Quote, *, now: datetime) -> dict[str, Any]:
    """Lines, sums and stages of a quote as a page shows them."""
    rows = list(quote.lines.select_related("package", "option").prefetch_related("orders__order"))
    stages = list(quote.stages.select_related("invoice"))
    sums = quotes.totals(quote, now=now)
    once = sums.get(quote_rules.ONCE)
    nets = (
        quote_rules.stage_nets(once.net, [stage.percent for stage in stages])
        if once and stages and quote_rules.stages_whole([stage.percent for stage in stages])
        else [None] * len(stages)
    )
    return {
        "lines": [
            {"row": row, "net": round_cents(row.quantity * row.unit_price),
             "left": quote_signing.left(row) if row.package_id else 0}
            for row in rows
        ],
        "totals": list(sums.items()), "stages": list(zip(stages, nets, strict=True)),
        "overruns": quote.overruns.all(),
        "special": quote_rules.numbers_of(quote.special), "treatment": quotes.treatment(quote, now=now),
    }  # fmt: skip
