"""What the dashboard shows, from every app, and only what the person may see. A fixed number of queries per part."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple

from django.db.models import DateField, F, Q, QuerySet, Sum, Window
from django.urls import reverse
from django.utils.translation import gettext as _

from abuse import rules as abuse_rules
from abuse.models import Case
from invoicing import actions as billing
from invoicing.accounting import ledger
from invoicing.models import Invoice, Subscription, SubscriptionOption
from panel.accounts import selectors as people
from panel.accounts.models import Restriction
from panel.core import calendars
from panel.core.actors import Actor
from panel.core.models import Event
from panel.core.money import Cents
from panel.core.prepared import Numbers, Prepared, at_once, slot, whoever
from panel.core.quantities import instant_in_words
from panel.core.wording import Link, Told
from servers import selectors as fleet
from servers.maintaining import maintenance_wording as status_words
from servers.maintaining import status_selectors as status
from servers.models import Server
from tickets import selectors as requests

SHOWN = 6
NEAR_ALLOWANCE = 2  # a server's overage is forecast from 1/2 of its allowance on
RECENT = 8

# Kinds of journal entries each permission may read on the dashboard.
_READABLE = {
    "see": (
        "servers.server.",
        "servers.address.",
        "servers.traffic.",
        "invoicing.subscription.",
        "accounts.restriction.",
    ),
    "pay": ("invoicing.order.", "invoicing.invoice.", "invoicing.charge.", "payments.", "invoicing.payment."),
    "tickets": (  # by name: staff's notes and doubts are no business of the customer's
        "tickets.ticket.opened",
        "tickets.ticket.closed",
        "tickets.message.received",
        "tickets.message.sent",
        "abuse.case.",
    ),
    "contacts": ("accounts.contact.", "accounts.token."),
    "account": ("accounts.account.",),
}


# What every view of the dashboard asks, compiled once.
def _cases() -> QuerySet[Any, Any]:
    rows = Case.objects.visible_to(whoever()).filter(closed_at=None).order_by(F("due_at").asc(nulls_last=True), "pk")
    return rows.values_list("reference", "address__ip", "state", "due_at")[:SHOWN]


_CASES, _CASES_COUNT = Prepared(_cases), Prepared(_cases, counted=True)
_OWED = F("total_cents") - F("credited_cents") - F("paid_cents")
_UNPAID = Prepared(  # each row says too what is owed in all
    lambda: (
        Invoice.objects.visible_to(whoever())
        .filter(state__in=("open", "overdue"), total_cents__gt=F("credited_cents") + F("paid_cents"))
        .order_by("due_on", "pk")
        .values_list("number", "state", Window(Sum(_OWED)))[:SHOWN]
    )
)


def _renewed() -> QuerySet[Subscription]:
    day = DateField()
    rows = Subscription.objects.visible_to(whoever()).filter(state="active")
    return rows.filter(period_end__gte=slot("today", day), period_end__lt=slot("until", day)).order_by()


_RENEWALS = Prepared(lambda: _renewed().values("account_id").annotate(cents=Sum("price_cents")).values_list("cents"))
_OPTIONS = Prepared(
    lambda: (
        SubscriptionOption.objects.visible_to(whoever())
        .filter(subscription__in=_renewed(), until=None)
        .order_by()
        .values("account_id")
        .annotate(cents=Sum(F("price_cents") * F("quantity")))
        .values_list("cents")
    )
)


def _near() -> QuerySet[Any, Any]:
    rows = Server.objects.visible_to(whoever()).alive().filter(
        months__starts_on__lte=slot("today", DateField()), months__ends_on__gt=slot("today", DateField()),
        months__rx_bytes__gt=F("months__included_bytes") / NEAR_ALLOWANCE - F("months__tx_bytes"),
    )  # fmt: skip
    return rows.order_by("-pk").values_list("pk")[: SHOWN * 2]


_NEAR, _NEAR_COUNT = Prepared(_near), Prepared(_near, counted=True)
_GLANCE = Numbers((
    people.IN_FORCE_COUNT, _CASES_COUNT, requests.WAITING_ON_CUSTOMER, _NEAR_COUNT, _RENEWALS, _OPTIONS,
    ledger.FUNDS_HELD,
))  # fmt: skip


class Glance(NamedTuple):
    """One statement that says which parts have something to read at all, and the sums; cents without VAT."""

    restrictions: int
    cases: int
    waiting: int
    near: int
    renewals: Cents
    options: Cents
    funds: Cents


@dataclass(frozen=True)
class Alert:
    """Something that needs the customer. `due`: the clock behind it; `more`: what a press unfolds."""

    tone: str
    icon: str
    title: str
    text: str = ""
    url: str = ""
    label: str = ""
    due: datetime | None = None
    more: str = ""


@dataclass(frozen=True)
class Forecast:
    """Net cents of the coming month: renewals that fall in it, and overage at the present pace."""

    renewals: Cents
    overage: Cents
    until: Any

    @property
    def total(self) -> Cents:
        return self.renewals + self.overage


def dashboard(actor: Actor, *, now: datetime, language: str, only: str = "") -> dict[str, Any]:
    """Every part, or only the one that is fetched again."""
    parts: dict[str, Any] = {
        "now": now, "topic": f"account:{actor.account_id}", "may_see": actor.may("see"), "may_pay": actor.may("pay"),
        "may_order": actor.may("order"), "may_tickets": actor.may("tickets"),
    }  # fmt: skip
    until = calendars.add_months(calendars.paris_date(now), 1)
    found = _found(actor, now=now, until=until, only=only)
    if only != "servers":
        glance, unpaid = Glance(*_GLANCE.read(found["glance"])), found.get("unpaid", [])
        ahead = [_interruption(*row, language=language) for row in found.get("interruptions", ())]
        parts |= {"alerts": alerts(actor, glance, unpaid) + ahead, "due": unpaid[0][2] if unpaid else 0}
    if "servers" in found:
        newest = [fleet.Brief(*row) for row in found["servers"]]
        parts |= {"servers": newest[:SHOWN], "more_servers": len(newest) > SHOWN}
    if not only:
        parts["activity"] = activity(actor, [Told(*row) for row in found.get("events", ())])
        parts["requests"] = [requests.Latest(*row) for row in found.get("requests", ())]
        if actor.may("pay"):
            overage = _overage(actor, now) if glance.near else 0
            forecast = Forecast(glance.renewals + glance.options, overage, until)
            parts |= {"funds": glance.funds, "forecast": forecast}
    return parts


def _found(actor: Actor, *, now: datetime, until: date, only: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the parts are made of, asked for in one go, and only what the person may see."""
    readable = frozenset(permission for permission in _READABLE if actor.may(permission))
    wanted = {
        "glance": only != "servers" and _GLANCE,
        "unpaid": only != "servers" and actor.may("pay") and _UNPAID,
        "interruptions": only != "servers" and actor.may("see") and status.MINE,
        "servers": only != "alerts" and actor.may("see") and fleet.NEWEST,
        "requests": not only and actor.may("tickets") and requests.LATEST,
        "events": not only and readable and _events(readable),
    }
    asked = {name: query for name, query in wanted.items() if isinstance(query, Prepared)}
    rows = at_once(*asked.values(), account=actor.account_id, today=calendars.paris_date(now), until=until)
    return dict(zip(asked, rows, strict=True))


def alerts(actor: Actor, glance: Glance, unpaid: Sequence[tuple[str, str, Cents]]) -> list[Alert]:
    """Restrictions, running cases, replies awaited and unpaid invoices, the worst first."""
    found = [
        Alert(
            "bad",
            "locked",
            _("A restriction is in force: %(scope)s") % {"scope": Restriction.Scope(row.scope).label},
            _headline(row.statement),
            more=row.statement if "\n" in row.statement else "",
        )
        for row in (people.in_force(actor) if glance.restrictions else ())
    ]
    if actor.may("tickets"):
        found += [_case(*case) for case in (_CASES.rows(account=actor.account_id) if glance.cases else ())]
        if glance.waiting:
            url = reverse("tickets:ticket_list") + "?show=yours"
            found.append(Alert("warn", "hand", _("Your reply is needed"), "", url, _("Open requests")))
    if actor.may("pay"):
        found += [_invoice(number, state) for number, state, _owed in unpaid]
    return found


def _headline(statement: str) -> str:
    """What a restriction does, in one sentence: of a statement of reasons its first line, without the label."""
    first, *rest = statement.splitlines() or [""]
    return first.partition(":")[2].strip() if rest and ":" in first else first


def _case(reference: str, ip: str, state: str, due_at: datetime | None) -> Alert:
    url = reverse("abuse:case_detail", args=[reference])
    title = _("Infringement case %(case)s about %(address)s") % {"case": reference, "address": ip}
    if state == abuse_rules.State.ANSWERED:
        return Alert(
            "info", "paused", title, _("Your answer is with our team; the clock stands."), url, _("Open the case")
        )
    if due_at is None:
        return Alert("warn", "cases", title, "", url, _("Open the case"))
    return Alert("bad", "alarm", title, _("Answer in time and the clock stops:"), url, _("Answer"), due=due_at)


def _invoice(number: str, state: str) -> Alert:
    overdue = state == "overdue"
    title = (_("Invoice %(number)s is overdue") if overdue else _("Invoice %(number)s is to be paid")) % {
        "number": number
    }
    url = reverse("invoicing:invoice_detail", args=[number])
    return Alert("bad" if overdue else "warn", "invoice", title, "", url, _("Open the invoice"))


def _interruption(
    reference: str, kind: str, state: str, title: str, title_fr: str, since: datetime, later: datetime | None,
    until: datetime | None, *, language: str,
) -> Alert:  # fmt: skip
    """SUB-10: maintenance that was announced or is under way, or an incident."""
    under_way, end = state == "under_way", later or until
    said = [_("Under way since %(instant)s.") if under_way else _("It begins on %(instant)s.")]
    said += [_("Expected end: %(end)s.")] if end else []
    words = {"instant": instant_in_words(since), "end": instant_in_words(end) if end else ""}
    named = title_fr if language.startswith("fr") and title_fr else title
    return Alert(
        status_words.TONES[kind] if under_way else "info", status_words.ICONS[kind],
        f"{status_words.KINDS[kind]}{_(': ')}{named}", " ".join(said) % words,
        reverse("servers:interruption", args=[reference]), _("See how it goes"),
    )  # fmt: skip


def _overage(actor: Actor, now: datetime) -> Cents:
    """What servers beyond half of their allowance will come to at their pace (SRV-5)."""
    near = [pk for (pk,) in _NEAR.rows(account=actor.account_id, today=calendars.paris_date(now))]
    total = 0
    for server in Server.objects.visible_to(actor).filter(pk__in=near).select_related("subscription"):
        traffic = fleet.traffic(server, now=now)
        total += traffic.overage_now if traffic.overage_forecast is None else traffic.overage_forecast
    return total


def activity(actor: Actor, rows: list[Told]) -> list[dict[str, Any]]:
    """What happened to the account, in words."""
    return people.timeline(rows, reader=actor, links=_links(rows, actor))


@cache
def _events(permissions: frozenset[str]) -> Prepared:
    """The account's journal: of each kind only what these permissions cover."""
    readable = Q()
    for prefix in (prefix for permission in permissions for prefix in _READABLE[permission]):
        readable |= Q(kind__startswith=prefix)
    return Prepared(
        lambda: (
            Event.objects.filter(readable, account_id=slot("account"))
            .order_by("-pk")
            .values_list(*Told._fields)[:RECENT]
        )
    )


def _links(rows: list[Told], actor: Actor) -> dict[int, Link]:
    """The server, invoice or order behind each entry; servers in one query, the others by what the entry names."""
    ids = {row.data["server_id"] for row in rows if "server_id" in row.data}
    found = Server.objects.visible_to(actor).in_bulk(ids) if ids else {}
    made = {}
    for row in rows:
        server = found.get(row.data.get("server_id"))
        if server is not None:
            made[row.pk] = Link(server.name, reverse("servers:server_detail", args=[server.reference]))
        elif (number := row.data.get("invoice")) and billing.INVOICES.permits(actor):
            made[row.pk] = Link(url=reverse("invoicing:invoice_detail", args=[number]))
        elif (order := row.data.get("order")) and billing.SEE_ORDER.permits(actor):
            made[row.pk] = Link(url=reverse("invoicing:order_detail", args=[order]))
    return made
