"""The pages of unpaid invoices: the customer's "what is overdue and what comes next", staff's dunning by stage."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.chasing import dunning_selectors, late, suspending, terminating
from invoicing.chasing.dunning_forms import RateForm
from invoicing.models import Invoice, Suspension, Termination
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40


class _Counted(Paginator):
    """Pages of rows whose number is known already."""

    def __init__(self, rows: QuerySet[Invoice], count: int) -> None:
        super().__init__(rows, PAGE)
        self.__dict__["count"] = count


@web.page(actions.INVOICES)
@require_safe
def overdue(request: HttpRequest) -> HttpResponse:
    """What is overdue, what happens next and when."""
    actor, now = web.actor(request), clock.now()
    context = {
        "rows": dunning_selectors.described(list(dunning_selectors.late(actor)[:PAGE]), now=now),
        "notice": dunning_selectors.notice(actor), "suspended": dunning_selectors.suspended(actor),
    }  # fmt: skip
    return render(request, "invoicing/overdue.html", context)


@web.page(actions.STAFF_DUNNING)
@require_safe
def dunning(request: HttpRequest) -> HttpResponse:
    """Unpaid invoices of every customer by stage, each with what is next."""
    actor, stage = web.actor(request), request.GET.get("stage", "")
    stage = stage if stage in dunning_selectors.STAGES else ""
    found = dunning_selectors.totals(actor)
    page = _Counted(dunning_selectors.late(actor, stage=stage), found[stage].count).get_page(request.GET.get("page"))
    names = {"": _("All"), "due": _("Not reminded yet"), "reminded": _("Reminded"), "contested": _("Contested")}
    here = reverse("invoicing_staff:dunning")
    context = {
        "may_rates": actions.STAFF_RATES.permits(actor), "page": page,
        "rows": dunning_selectors.described(list(page.object_list), now=clock.now()), "total": found[stage],
        "chips": [(f"{here}?stage={key}" if key else here, word, found[key].count, key == stage)
                  for key, word in names.items()],
    }  # fmt: skip
    return render(request, "invoicing/staff_dunning.html", context)


@web.page(actions.STAFF_DUNNING)
@require_safe
def suspensions(request: HttpRequest) -> HttpResponse:
    """What unpaid debts may lead to, for a person to decide, and what was decided (SUB-8)."""
    actor = web.actor(request)
    waiting, past = dunning_selectors.suspensions(actor)
    context = {
        "waiting": waiting[:PAGE], "page": Paginator(past, PAGE).get_page(request.GET.get("page")),
        "may_decide": actions.STAFF_SUSPEND.permits(actor), "may_end": actions.STAFF_END_UNPAID.permits(actor),
        "endings": dunning_selectors.endings(actor)[:PAGE],
    }  # fmt: skip
    return render(request, "invoicing/staff_suspensions.html", context)


@web.page(actions.STAFF_SUSPEND)
@require_POST
def suspension_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Suspend, or not, with a reason that is kept."""
    actor, now = web.actor(request), clock.now()
    row = get_object_or_404(Suspension.objects.visible_to(actor), pk=pk)
    reason = request.POST.get("reason", "")
    if request.POST.get("word") == "suspend":
        suspending.confirm(row.pk, reason=reason, actor=actor, now=now)
        web.say(request, _("%(account)s is being suspended.") % {"account": row.account})
    else:
        suspending.refuse(row.pk, reason=reason, actor=actor, now=now)
        web.say(request, _("%(account)s is not suspended.") % {"account": row.account})
    return redirect("invoicing_staff:suspensions")


@web.page(actions.STAFF_END_UNPAID)
@require_POST
def termination_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """End the ticked services, or none, with a reason that is kept (SUB-8)."""
    actor, now = web.actor(request), clock.now()
    row = get_object_or_404(Termination.objects.visible_to(actor).select_related("account"), pk=pk)
    reason = request.POST.get("reason", "")
    if request.POST.get("word") == "end":
        ended = terminating.end(row.pk, request.POST.getlist("services"), reason=reason, actor=actor, now=now)
        web.say(request, _("Ended: %(services)s.") % {"services": ", ".join(one.reference for one in ended)})
    else:
        terminating.spare(row.pk, reason=reason, actor=actor, now=now)
        web.say(request, _("No service of %(account)s is ended.") % {"account": row.account})
    return redirect("invoicing_staff:suspensions")


@web.page(actions.STAFF_RATES)
def rates(request: HttpRequest) -> HttpResponse:
    """The legal rates by half-year (INV-8): where the present one is missing, interest is held until it is entered."""
    actor, now = web.actor(request), clock.now()
    missing = late.missing_rate(now)
    form = RateForm(request.POST or None, initial={"half": str(missing or "")}, now=now)
    if request.method == "POST" and form.is_valid():
        try:
            late.set_rate(form.chosen(), form.cleaned_data["percent"], source=form.cleaned_data["source"], actor=actor,
                          now=now)  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
        else:
            web.say(request, _("The rate is on file; interest that waited for it is claimed now."))
            return redirect("invoicing_staff:rates")
    context = {"rows": late.known_rates(), "missing": missing, "held": late.held(), "form": form}
    return render(request, "invoicing/staff_rates.html", context, status=422 if form.errors else 200)
