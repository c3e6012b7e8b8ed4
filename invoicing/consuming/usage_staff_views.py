"""The staff's pages of metering: who tells of usage, what packages meter, what a subscription has used."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.consuming import usage_setup, usage_views
from invoicing.consuming.usage_forms import MeterForm
from invoicing.models import PackageMeter, UsageSource
from panel.core import clock, web
from panel.core.calendars import paris_date, start_of_paris_day
from panel.core.errors import RuleViolation

SHOWN = 200


@web.page(actions.STAFF_USAGE)
@require_safe
def subscription_usage(request: HttpRequest, reference: str) -> HttpResponse:
    """The customer's page of usage, and what the next invoice will be, as staff sees it."""
    row = get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)
    return render(request, "invoicing/staff_subscription_usage.html", usage_views.usage_of(request, row))


@web.page(actions.STAFF_INVOICES)
@require_safe
def invoice_line(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """The readings or events behind a line of consumption."""
    invoice = get_object_or_404(selectors.invoices(web.actor(request)), number=number)
    return render(request, "invoicing/staff_invoice_line.html", usage_views.line_of(invoice, position))


@web.page(actions.STAFF_METERS)
@require_safe
def metering(request: HttpRequest) -> HttpResponse:
    """Sources and meters."""
    return _metering(request)


def _metering(request: HttpRequest, *, status: int = 200, **shown: Any) -> HttpResponse:
    meters = PackageMeter.objects.select_related("package").order_by("package__code", "meter", "-valid_from")
    context = {"sources": UsageSource.objects.all(), "meters": meters[:SHOWN], **shown}
    return render(request, "invoicing/staff_metering.html", context, status=status)


@web.page(actions.STAFF_METERS)
@require_POST
def source_add(request: HttpRequest) -> HttpResponse:
    """A new source; its key is on this answer and nowhere else."""
    code = request.POST.get("code", "").strip()[:60]
    try:
        source, key = usage_setup.add_source(code, actor=web.actor(request), now=clock.now())
    except RuleViolation as refusal:
        return _metering(request, status=422, refusal=refusal.sentence, code=code)
    return _metering(request, made=source, key=key)


@web.page(actions.STAFF_METERS)
@require_POST
def source_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a source's key at once."""
    source = get_object_or_404(UsageSource, pk=pk)
    usage_setup.revoke_source(source, actor=web.actor(request), now=clock.now())
    web.say(request, _("The key of %(source)s opens nothing any more.") % {"source": source.code})
    return redirect("invoicing_staff:metering")


@web.page(actions.STAFF_METERS)
def meter_new(request: HttpRequest) -> HttpResponse:
    """Price a meter of a package from a day on."""
    now = clock.now()
    form = MeterForm(
        request.POST or None, initial={"valid_from": paris_date(now), "package": request.GET.get("package")}
    )
    if request.method == "POST" and form.is_valid():
        day = start_of_paris_day(form.cleaned_data["valid_from"])
        valid_from = now if form.cleaned_data["valid_from"] == paris_date(now) else day
        try:
            made = usage_setup.set_meter(
                form.cleaned_data["package"], form.wish(), valid_from=valid_from, actor=web.actor(request), now=now
            )
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("%(meter)s is metered for new periods.") % {"meter": made.meter})
            return redirect("invoicing_staff:metering")
    status = 422 if request.method == "POST" else 200
    return render(request, "invoicing/staff_meter_new.html", {"form": form}, status=status)
