"""The abuse desk: cases with their countdowns, the report queue, the reporters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from abuse import actions, decisions, delivery, intake, reporters, rules, selectors
from abuse.forms import AcceptForm, DecisionForm, ReporterForm, SourceForm, StaffMessageForm
from abuse.models import OWED, Case, Kind, Report, Reporter
from panel.core import clock, files, shell, web
from panel.core.actions import Action
from panel.core.errors import RuleViolation
from servers.models import AddressHolding
from tickets import conversation
from tickets import selectors as requests
from tickets.rules import Via

PER_PAGE = 50


@web.page(actions.STAFF_SEE)
@require_safe
def case_list(request: HttpRequest) -> HttpResponse:
    """Every customer's cases, the nearest deadline first."""
    which, words, kind = (request.GET.get(name, "") for name in ("show", "q", "kind"))
    rows = selectors.visible_cases(web.actor(request), which=which, words=words, kind=kind)
    context = {
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")), "which": which, "words": words,
        "kind": kind, "kinds": Kind.choices, "counts": selectors.counts(),
    }  # fmt: skip
    return render(request, "abuse/staff_case_list.html", context)


def _case(request: HttpRequest, reference: str) -> Case:
    rows = Case.objects.visible_to(web.actor(request))
    return get_object_or_404(
        rows.select_related("account", "address", "server", "subscription", "ticket", "repeats"), reference=reference
    )


@web.page(actions.STAFF_SEE)
def case_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """The whole case: clock, ladder, reports, thread with notes, decisions."""
    actor = web.actor(request)
    case = _case(request, reference)
    form = StaffMessageForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        actions.PAUSE.check(actor, None)
        if form.is_valid():
            data = form.cleaned_data
            conversation.reply(
                case.ticket, data["body"], actor=actor, via=Via.WEB, now=clock.now(), attachments=data["attachments"],
                internal=data["internal"],
            )  # fmt: skip
            return redirect("abuse_staff:case_detail", reference)
    return _case_page(request, case, form, status=422 if form.errors else 200)


def _case_page(request: HttpRequest, case: Case, form: StaffMessageForm, *, status: int = 200) -> HttpResponse:
    actor = web.actor(request)
    owed = case.steps.filter(OWED).exists()
    buttons = [
        {"action": action, "verb": verb, "reason": action.refusal(actor, case), "money": verb == "reverse"}
        for verb, (action, _deed) in DEEDS.items()
        if action.permits(actor) and (verb != "amends" or owed)
    ]
    context = {
        "case": case, "form": form, "decision": DecisionForm(), "ladder": selectors.ladder(case),
        "left": selectors.left_while_paused(case), "pauses": case.pauses.order_by("since"),
        "reports": case.reports.select_related("body", "reporter"), "steps": selectors.held_steps(case),
        "notices": case.notices.select_related("user", "mail"), "lines": requests.thread(case.ticket, staff=True),
        "log": selectors.history(case), "open": case.state in rules.OPEN, "statements": case.statements.all(),
        "now": shell.of(request).now, "may_decide": actions.ACCEPT.permits(actor), "buttons": buttons,
        "owed": owed, "topic": f"case:{case.pk}", "here": reverse("abuse_staff:case_detail", args=[case.reference]),
    }  # fmt: skip
    part = web.part(request, "live", "thread")
    return render(request, f"abuse/staff_case_detail.html{part}", context, status=status)


Deed = Callable[..., Any]


def _notify(case_id: int, *, actor: Any, reason: str, now: Any) -> None:
    delivery.send_again(case_id, actor=actor, now=now)


def _resume(case_id: int, *, actor: Any, reason: str, now: Any) -> None:
    decisions.resume(case_id, actor=actor, now=now)


DEEDS: dict[str, tuple[Action, Deed]] = {
    "accept": (actions.ACCEPT, decisions.accept),
    "refuse": (actions.REFUSE, decisions.refuse),
    "reverse": (actions.REVERSE, decisions.reverse),
    "pause": (actions.PAUSE, decisions.pause),
    "resume": (actions.RESUME, _resume),
    "suspend_server": (actions.SUSPEND_SERVER, decisions.suspend_server),
    "notify": (actions.NOTIFY, _notify),
    "amends": (actions.AMENDS, decisions.make_amends),
}


@web.page(actions.ACCEPT)
@require_POST
def case_decide(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """One decision about a case; its reason is what the customer reads."""
    actor = web.actor(request)
    case = _case(request, reference)
    action, deed = DEEDS[verb]
    try:
        action.check(actor, case)
        deed(case.pk, actor=actor, reason=request.POST.get("reason", ""), now=clock.now())
    except RuleViolation as refusal:
        web.say(request, refusal.sentence, error=True)
    else:
        web.say(request, _("Done: %(deed)s.") % {"deed": action.label})
    return redirect("abuse_staff:case_detail", reference)


@web.page(actions.REPORTS)
@require_safe
def report_list(request: HttpRequest) -> HttpResponse:
    """Reports that wait for staff, the oldest first."""
    which = request.GET.get("show", "")
    page = Paginator(selectors.report_queue(which), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "which": which, "why": selectors.WHY, "counts": selectors.counts()}
    return render(request, "abuse/report_list.html", context)


@web.page(actions.REPORTS)
def report_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One report as it was read and as it came, and whom it could be about."""
    report = get_object_or_404(Report.objects.select_related("body", "reporter", "case"), pk=pk)
    found = selectors.holders(report, report.received_at)
    named = [(str(holding.pk), _holding_words(holding)) for holding in found]
    accept = AcceptForm(
        request.POST if request.POST.get("verb") == "accept" else None, holdings=named,
        initial={"category": report.category, "holding": named[0][0] if len(named) == 1 else None},
    )  # fmt: skip
    source = SourceForm(request.POST if request.POST.get("verb") == "source" else None,
                        initial={"ip": report.source_ip})  # fmt: skip
    if request.method == "POST":
        actions.DECIDE_REPORT.check(web.actor(request), report)
        answer = _decide_report(request, report, accept, source)
        if answer is not None:
            return answer
    context = {
        "report": report, "accept": accept, "source": source, "holders": found, "why": selectors.WHY.get(report.why),
        "undecided": report.state in {Report.State.WAITING, Report.State.UNMATCHED},
        "may_decide": actions.DECIDE_REPORT.permits(web.actor(request)), "raw": _original(report),
    }  # fmt: skip
    return render(request, "abuse/report_detail.html", context, status=422 if accept.errors or source.errors else 200)


def _decide_report(request: HttpRequest, report: Report, accept: AcceptForm, source: SourceForm) -> HttpResponse | None:
    actor, now, verb = web.actor(request), clock.now(), request.POST.get("verb")
    try:
        if verb == "accept" and accept.is_valid():
            holding = AddressHolding.objects.get(pk=accept.cleaned_data["holding"])
            case = intake.accept(
                report.pk, holding=holding, category=accept.cleaned_data["category"], actor=actor, now=now
            )
            web.say(request, _("The case %(case)s runs.") % {"case": case.reference})
            return redirect("abuse_staff:case_detail", case.reference)
        if verb == "dismiss":
            intake.dismiss(report.pk, reason=request.POST.get("reason", ""), actor=actor, now=now)
            web.say(request, _("The report is dismissed; its sender is told."))
            return redirect("abuse_staff:report_list")
        if verb == "source" and source.is_valid():
            data = source.cleaned_data
            intake.name_source(report.pk, ip=data["ip"], happened=data["moment"], actor=actor, now=now)
            return redirect("abuse_staff:report_detail", report.pk)
    except RuleViolation as refusal:
        web.say(request, refusal.sentence, error=True)
        return redirect("abuse_staff:report_detail", report.pk)
    return None


def _holding_words(holding: AddressHolding) -> str:
    until = f"{holding.until:%Y-%m-%d %H:%M:%S}" if holding.until else _("today")
    return _("%(account)s, server %(server)s, from %(since)s to %(until)s UTC, %(count)d earlier cases") % {
        "account": holding.account, "server": holding.server.name, "since": f"{holding.since:%Y-%m-%d %H:%M:%S}",
        "until": until, "count": selectors.earlier_cases(holding),
    }  # fmt: skip


def _original(report: Report) -> str:
    """The original as text, its beginning; never rendered as anything else."""
    if report.body.original is None:
        return ""
    return files.read(report.body.original)[:20_000].decode("utf-8", "replace")


@web.page(actions.REPORTERS)
def reporter_list(request: HttpRequest) -> HttpResponse:
    """Who reports, whom we trust, and whose reports were dismissed."""
    actor = web.actor(request)
    form = ReporterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            reporters.add(
                data["email"], name=data["name"], domain=data["domain"], trusted=data["trusted"], actor=actor,
                now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("The reporter is known now."))
            return redirect("abuse_staff:reporter_list")
    rows = Reporter.objects.order_by("-trusted", "name")[:500]
    context = {"reporters": rows, "form": form}
    return render(request, "abuse/reporter_list.html", context, status=422 if form.errors else 200)


@web.page(actions.REPORTERS)
@require_POST
def reporter_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Give or take trust; give a secret address, shown once."""
    actor, now = web.actor(request), clock.now()
    reporter = get_object_or_404(Reporter, pk=pk)
    if request.POST.get("verb") == "address":
        address = reporters.give_address(reporter, actor=actor, now=now)
        return render(request, "abuse/reporter_address.html", {"reporter": reporter, "address": address})
    reporters.trust(reporter, trusted=not reporter.trusted, actor=actor, now=now)
    return redirect("abuse_staff:reporter_list")
