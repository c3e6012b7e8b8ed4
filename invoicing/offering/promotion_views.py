"""The staff's pages of promotional codes: which there are, what they take off, who used them (SUB-2)."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.models import PromotionCode, PromotionUse
from invoicing.offering import promotions
from invoicing.offering.promotion_forms import PromotionForm
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40


def _counted() -> QuerySet[PromotionCode]:
    counts = Q(uses__given_back_at=None)
    counted = {"used": Count("uses", filter=counts), "given": Sum("uses__cents", filter=counts)}
    return PromotionCode.objects.annotate(**counted).order_by("-pk")


def state_of(row: PromotionCode, used: int, now: datetime) -> str:
    """Whether it can be used: on, off, to come, over, used_up."""
    if row.off_at is not None:
        return "off"
    if row.valid_until is not None and now >= row.valid_until:
        return "over"
    if row.most_uses is not None and used >= row.most_uses:
        return "used_up"
    return "on" if now >= row.valid_from else "to_come"


@web.page(actions.STAFF_PROMOTIONS)
@require_safe
def promotion_list(request: HttpRequest) -> HttpResponse:
    """Every code with its uses, the newest first."""
    now = clock.now()
    page = Paginator(_counted(), PAGE).get_page(request.GET.get("page"))
    rows = [(row, state_of(row, row.used, now)) for row in page.object_list]  # type: ignore[attr-defined]
    context = {"page": page, "rows": rows, "may_edit": actions.EDIT_PROMOTIONS.permits(web.actor(request))}
    return render(request, "invoicing/staff_promotion_list.html", context)


@web.page(actions.EDIT_PROMOTIONS)
def promotion_new(request: HttpRequest) -> HttpResponse:
    """A new code."""
    form, now = PromotionForm(request.POST or None), clock.now()
    if request.method == "POST" and form.is_valid():
        try:
            made = promotions.create(
                form.cleaned_data["code"], list(form.cleaned_data["packages"]), now=now, actor=web.actor(request),
                **form.fields_of(now),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
        else:
            web.say(request, _("The code %(code)s can be used.") % {"code": made.code})
            return redirect("invoicing_staff:promotion_detail", made.code)
    status = 422 if request.method == "POST" else 200
    return render(request, "invoicing/staff_promotion_new.html", {"form": form}, status=status)


@web.page(actions.STAFF_PROMOTIONS)
@require_safe
def promotion_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One code: what it takes off, where it holds, and its uses."""
    actor, now = web.actor(request), clock.now()
    row: Any = get_object_or_404(_counted(), code=code)
    uses = PromotionUse.objects.visible_to(actor).filter(promotion=row).select_related("account", "order")
    context = {
        "row": row, "state": state_of(row, row.used, now), "packages": row.packages.order_by("position"),
        "page": Paginator(uses, PAGE).get_page(request.GET.get("page")),
        "may_switch_off": row.off_at is None and actions.EDIT_PROMOTIONS.permits(actor),
    }  # fmt: skip
    return render(request, "invoicing/staff_promotion_detail.html", context)


@web.page(actions.EDIT_PROMOTIONS)
@require_POST
def promotion_off(request: HttpRequest, code: str) -> HttpResponse:
    """No more uses; what was promised is kept."""
    row = get_object_or_404(PromotionCode, code=code)
    promotions.switch_off(row, now=clock.now(), actor=web.actor(request))
    web.say(request, _("The code %(code)s is switched off.") % {"code": row.code})
    return redirect("invoicing_staff:promotion_detail", row.code)
