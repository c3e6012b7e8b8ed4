"""Reads for the pages of reports and cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from abuse import cases, matching, rules
from abuse.models import OWED, Case, CaseStep, Kind, Report
from abuse.notices import allegation
from invoicing.issuing import charging
from panel.accounts import selectors as people
from panel.core.actors import Actor
from panel.core.models import Event, subject_of
from panel.core.prepared import Prepared
from panel.core.querysets import at_ip
from servers.models import AddressHolding

QUEUES: dict[str, Q] = {
    "": Q(closed_at=None),
    "answered": Q(state=rules.State.ANSWERED),
    "unnoticed": Q(unnoticed_at__isnull=False, closed_at=None),
    "held": Q(steps__state=CaseStep.State.HELD, closed_at=None),
    "owed": Q(steps__in=CaseStep.objects.filter(OWED)),
    "closed": Q(closed_at__isnull=False),
    "all": Q(),
}
WHY = {
    "unread": _("No reader found an address: please read it."),
    "protected": _("The address is on the list of those never to be blocked."),
    "never_ours": _("The address was never ours."),
    "no_time": _("The time is missing or not exact."),
    "future": _("The time lies in the future."),
    "gap": _("Nobody held the address for a part of that time."),
    "several": _("Several customers held the address in that time."),
    "unsure": _("The reader is not sure it understood."),
    "unknown_reporter": _("The reporter is not trusted, or not proven."),
    "dismissed": _("Dismissed by staff."),
}
STEPS = {
    rules.Rung.DEACTIVATE: _("The IP address is deactivated"),
    rules.Rung.SUSPEND: _("The account is suspended"),
    rules.Rung.TERMINATE: _("The subscription is terminated"),
    rules.Rung.ELIGIBLE: _("The server becomes eligible for suspension; a person decides"),
}
HELD = {
    "many": _("Too many restrictions at once"), "gap": _("It fell due while the clock stood still"),
    "protected": WHY["protected"], "not_held": _("The customer no longer holds the address"),
    "has_ended": _("The subscription has ended"),
}  # fmt: skip
STEP_STATES = {
    "done": "done", "pending": "running", "next": "waiting", "later": "waiting", "held": "waiting",
    "stopped": "waiting", "undone": "failed", "off": "waiting",
}  # fmt: skip


def held_steps(case: Case) -> list[tuple[Any, Any, CaseStep]]:
    """Steps that wait for release, with what they do and why they are kept back in words."""
    rows = case.steps.filter(state=CaseStep.State.HELD)
    return [(STEPS[rules.Rung(row.rung)], HELD.get(row.held_because, row.held_because), row) for row in rows]


def visible_cases(actor: Actor, *, which: str = "", words: str = "", kind: str = "") -> QuerySet[Case]:
    """Cases the actor may see, the nearest deadline first. `which`: a name of QUEUES."""
    rows = Case.objects.visible_to(actor).select_related("account", "address", "server")
    rows = rows.filter(QUEUES.get(which, QUEUES[""]))
    if kind in Kind.values:
        rows = rows.filter(kind=kind)
    words = words.strip()[:80]
    if words:
        rows = rows.filter(
            Q(reference__icontains=words) | Q(account__name__icontains=words) | Q(account__company__icontains=words)
            | at_ip(words, "address__ip")
        )  # fmt: skip
    return rows.distinct().order_by(F("due_at").asc(nulls_last=True), "-opened_at")


# how many cases cannot go on without staff (answered, or no notice got through), and how many reports wait
TO_JUDGE = Prepared(
    lambda: Case.objects.filter(QUEUES["answered"] | QUEUES["unnoticed"]).order_by().values_list("pk"), counted=True
)
TO_READ = Prepared(lambda: report_queue().select_related(None).order_by().values_list("pk"), counted=True)


def counts() -> dict[str, int]:
    """How many cases stand in each of staff's queues, and how many reports wait."""
    found: dict[str, int] = Case.objects.aggregate(
        open=Count("pk", filter=QUEUES[""]), answered=Count("pk", filter=QUEUES["answered"]),
        unnoticed=Count("pk", filter=QUEUES["unnoticed"]),
    )  # fmt: skip
    found["held"] = Case.objects.filter(QUEUES["held"]).distinct().count()
    found["owed"] = CaseStep.objects.filter(OWED).count()
    found["reports"] = report_queue().count()
    return found


def report_queue(which: str = "") -> QuerySet[Report]:
    """Reports that wait for staff, the oldest first; or, `which` "all", every one, the latest first."""
    rows = Report.objects.select_related("body", "reporter", "case")
    if which == "all":
        return rows.order_by("-received_at")
    return rows.filter(state__in=[Report.State.WAITING, Report.State.UNMATCHED]).order_by("received_at")


@dataclass(frozen=True)
class Rung:
    """One line of the ladder as the page shows it."""

    line: rules.LadderStep
    title: Any
    state: str
    invoice: str
    credit: str


def ladder(case: Case) -> list[Rung]:
    """ABU-11: each step with its time, its state and its fee, and the invoice that fee stands on."""
    rows = {step.rung: step for step in case.steps.exclude(state=CaseStep.State.OVERTAKEN)}
    lines = []
    for line in rules.ladder(case.facts(), cases.terms_of(case)):
        row = rows.get(line.rung)
        charge = charging.find(row.fee_key) if row is not None and row.fee_key else None
        lines.append(
            Rung(
                line, STEPS[line.rung], STEP_STATES[line.state], charge.invoice.number or "" if charge else "",
                (charge.reversal.number or "") if charge and charge.reversal else "",
            )
        )  # fmt: skip
    return lines


def left_while_paused(case: Case) -> timedelta | None:
    """What is left on a clock that stands; None when it runs."""
    open_pauses = list(case.pauses.filter(until=None).order_by("since"))
    if not open_pauses:
        return None
    since = open_pauses[0].since
    facts = case.facts()
    ended = tuple(rules.Stop(stop.since, stop.until or since, stop.grace) for stop in facts.stops)
    due = rules.due_at(
        rules.CaseFacts(facts.kind, facts.opened_at, facts.t0, facts.closed, ended, facts.taken, facts.holds),
        cases.terms_of(case),
    )
    return max(due - since, timedelta(0)) if due else None


def evidence_for_customer(case: Case) -> list[dict[str, Any]]:
    """What the reports say about this address, as the customer may see it; the reporter is not named (DSA Art. 17)."""
    return [
        {
            "report": report, "words": allegation(report), "work": report.body.work, "holder": report.body.right_holder,
            "url": report.body.url if report.alone else "", "written_time": report.body.written_time,
            "evidence": report.body.evidence if report.alone else [],
        }
        for report in case.reports.select_related("body").order_by("received_at")
    ]  # fmt: skip


def history(case: Case) -> list[dict[str, Any]]:
    """The case's journal as a timeline."""
    return people.timeline(Event.objects.filter(**subject_of(case)).order_by("-pk")[:200])


def holders(report: Report, received_at: datetime) -> list[AddressHolding]:
    """Whom a report could be about, for staff to choose from."""
    if report.source_ip is None:
        return []
    return matching.candidates(str(report.source_ip), report.happened_from, report.happened_to, received_at=received_at)


def earlier_cases(holding: AddressHolding) -> int:
    """How many cases this customer has had."""
    return Case.objects.filter(account_id=holding.account_id).exclude(state=rules.State.REVERSED).count()
