"""The public report form, and the customer's pages about infringement notices."""

from __future__ import annotations

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from abuse import actions, cases, intake, rules, selectors
from abuse.forms import AnswerForm, ReportForm
from abuse.models import Case
from domains.dns.resolver import DnsResolver
from panel.accounts.middleware import neighbourhood
from panel.core import clock, keyset, shell, web
from panel.core.errors import ProviderError, RuleViolation
from tickets import conversation
from tickets import selectors as requests
from tickets.rules import Via

REPORTS_PER_HOUR = 30
LOOKUP = 0.4  # seconds: anybody may ask, of any name server they like, and a page waits for the answer


@web.page(actions.REPORT)
def report(request: HttpRequest) -> HttpResponse:
    """DSA Art. 16: anyone may report, without an account. The receipt is shown and mailed."""
    form = ReportForm(request.POST or None, initial={"zone": "UTC"})
    if request.method == "POST" and form.is_valid() and _allowed(request, form):
        reference = _submit(request, form)
        if reference:
            return render(request, "abuse/report_received.html", {"reference": reference})
    return render(request, "abuse/report.html", {"form": form}, status=422 if form.errors else 200)


def _allowed(request: HttpRequest, form: ReportForm) -> bool:
    """At most thirty reports an hour from one address (IPv6: one /64), and none from a robot that fills in what nobody
    sees."""
    if form.cleaned_data["website"]:
        form.add_error(None, _("This looks like an automatic entry. Please leave hidden fields empty."))
        return False
    key = f"abuse-report:{neighbourhood(web.actor(request).ip)}"
    cache.add(key, 0, 3600)
    if cache.incr(key) > REPORTS_PER_HOUR:
        form.add_error(None, _("Too many reports from your address; please send the others by e-mail."))
        return False
    return True


def _submit(request: HttpRequest, form: ReportForm) -> str:
    """The reference of the report; "" when the form says why not."""
    data = form.cleaned_data
    try:
        addresses = [data["ip"]] if data["ip"] else intake.addresses_of(data["url"], DnsResolver(lifetime=LOOKUP))
        if not addresses:
            form.add_error("url", _("This link leads to no address; please give the IP address."))
            return ""
        made = intake.submit(
            form.draft(addresses, translation.get_language() or "en"), channel="form", good_faith=data["good_faith"],
            now=clock.now(),
        )  # fmt: skip
    except ProviderError:
        form.add_error("url", _("The name in this link could not be looked up just now; please give the IP address."))
        return ""
    except RuleViolation as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        return ""
    return made[0].reference


@web.page(actions.SEE)
@require_safe
def case_list(request: HttpRequest) -> HttpResponse:
    """Every infringement notice about the account's servers, the latest first, a page at a time."""
    rows = selectors.visible_cases(web.actor(request), which="all")
    return render(request, "abuse/case_list.html", {"page": keyset.page(rows, request.GET.get("after", ""))})


@web.page(actions.SEE)
def case_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """The allegation, the evidence, the ladder with its countdown, the thread and the answer form."""
    actor = web.actor(request)
    case = get_object_or_404(
        Case.objects.visible_to(actor).select_related("account", "address", "server", "subscription", "ticket"),
        reference=reference,
    )
    form = AnswerForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        actions.ANSWER.check(actor, case)
        if form.is_valid():
            conversation.reply(
                case.ticket, form.cleaned_data["body"], actor=actor, via=Via.WEB, now=clock.now(),
                attachments=form.cleaned_data["attachments"],
            )  # fmt: skip
            case.refresh_from_db()
            stopped = case.state == rules.State.ANSWERED
            web.say(request, _("Your answer arrived: the clock stands.") if stopped else _("Your answer arrived."))
            return redirect("abuse:case_detail", reference)
    context = {
        "case": case, "form": form, "ladder": selectors.ladder(case), "left": selectors.left_while_paused(case),
        "evidence": selectors.evidence_for_customer(case), "statements": case.statements.all(),
        "lines": requests.thread(case.ticket, staff=False), "open": case.state in rules.OPEN,
        "hours": int(cases.terms_of(case).copyright.response.total_seconds() // 3600),
        "now": shell.of(request).now, "seller": settings.CLAUSE_SELLER, "topic": f"case:{case.pk}",
        "here": request.path,
    }  # fmt: skip
    part = web.part(request, "live", "thread")
    return render(request, f"abuse/case_detail.html{part}", context, status=422 if form.errors else 200)
