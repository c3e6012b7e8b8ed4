"""Beyond the included traffic, the package that would include it is offered at its exact price (SUB-9)."""

from dataclasses import dataclass
from datetime import datetime

from invoicing.documents import texts
from invoicing.models import Package
from invoicing.subscribing import changes
from invoicing.subscribing.changes import Preview, Wish
from panel.core import events, mail
from panel.core.actors import CLOCK
from panel.core.errors import RuleViolation
from panel.core.money import Cents
from servers import rules
from servers.models import Server, TrafficMonth


@dataclass(frozen=True, slots=True)
class Offer:
    """A package that includes more, and what becoming it costs, as the page of the change shows it."""

    package: Package
    included: int
    preview: Preview

    @property
    def now_cents(self) -> Cents:
        """To pay at once for the rest of the period, VAT included."""
        return self.preview.to_pay.totals.total if self.preview.to_pay else 0

    @property
    def period_cents(self) -> Cents:
        """Net, from the renewal on."""
        return self.preview.period.totals.net


def offer(server: Server, used: int, *, now: datetime, language: str = "") -> Offer | None:
    """The smallest package of the family that includes `used` bytes, else the one that includes the most; None when
    there is none that includes more, or the server cannot become it now."""
    row = server.subscription
    known = {one.code: int(one.spec.get("included_bytes", 0)) for one in changes.packages_for(row)}
    code = rules.roomier(known, row.package.code, used)
    if code is None:
        return None
    wished = changes.wished(row)
    try:
        found = changes.preview(row, Wish(code, wished.interval, wished.options), now=now, language=language)
    except RuleViolation:
        return None
    if found.refusal:
        return None
    return Offer(Package.objects.get(code=code), known[code], found)


def propose(server: Server, month: TrafficMonth, *, now: datetime) -> None:
    """Tell the customer of the offer by mail, once a traffic month and holder; within the transaction that counted the
    traffic."""
    account, language = server.account, texts.language_of(server.account.language)
    found = offer(server, month.total, now=now, language=language)
    if found is None:
        return
    mail.send(
        "servers/upgrade", to=account.billing_email, lang=language, now=now, account_id=account.pk, subject=server,
        key=f"servers.upgrade:{server.pk}:{account.pk}:{month.starts_on}",
        context={
            "server": server, "package": found.package.named(language), "code": found.package.code, "used": month.total,
            "included": month.included_bytes, "gets": found.included, "yearly": found.preview.later.interval == "year",
            "now": texts.money(language, found.now_cents), "pays_now": found.now_cents > 0,
            "period": texts.money(language, found.period_cents),
        },
    )  # fmt: skip
    events.record(
        "servers.upgrade.offered", now=now, actor=CLOCK, subject=server, account_id=account.pk, rule="SUB-9",
        data={"server_id": server.pk, "package": found.package.code, "month": month.pk},
    )  # fmt: skip
