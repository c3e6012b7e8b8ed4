"""The staff's pages of customer groups: members, the percentage off, and prices of their own (SUB-1, LEG-3)."""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.models import CustomerGroup, GroupMember, Price
from invoicing.offering import groups, price_notices
from invoicing.offering.group_forms import GroupForm, GroupPriceForm, MemberForm, PercentForm
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40
FORMS: dict[str, Any] = {"member": MemberForm, "percent": PercentForm, "price": GroupPriceForm}


@web.page(actions.STAFF_CATALOGUE)
@require_safe
def group_list(request: HttpRequest) -> HttpResponse:
    """Every group with its members counted."""
    rows = CustomerGroup.objects.annotate(count=Count("members")).order_by("code")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "may_edit": actions.EDIT_CATALOGUE.permits(web.actor(request))}
    return render(request, "invoicing/staff_group_list.html", context)


@web.page(actions.EDIT_CATALOGUE)
def group_new(request: HttpRequest) -> HttpResponse:
    """A new group."""
    form = GroupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = groups.create(
            form.cleaned_data["code"], form.cleaned_data["name"], actor=web.actor(request), now=clock.now()
        )
        return redirect("invoicing_staff:group_detail", made.code)
    status = 422 if request.method == "POST" else 200
    return render(request, "invoicing/staff_group_new.html", {"form": form}, status=status)


@web.page(actions.STAFF_CATALOGUE)
@require_safe
def group_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One group: who is in it, and what they pay."""
    return _page(request, get_object_or_404(CustomerGroup, code=code))


def _page(request: HttpRequest, group: CustomerGroup, *, status: int = 200, **forms: Any) -> HttpResponse:
    actor, now = web.actor(request), clock.now()
    members = GroupMember.objects.visible_to(actor).filter(group=group).select_related("account")
    prices = list(group.prices.select_related("package", "option").order_by("package", "option", "-valid_from")[:PAGE])
    context = {
        "group": group, "now": now, "page": Paginator(members, PAGE).get_page(request.GET.get("page")),
        "percents": group.percents.all()[:PAGE], "may_edit": actions.EDIT_CATALOGUE.permits(actor),
        "prices": prices, "in_force": _in_force(prices, now),
        **{f"{name}_form": form() for name, form in FORMS.items()},
    }  # fmt: skip
    return render(request, "invoicing/staff_group_detail.html", context | forms, status=status)


def _in_force(prices: list[Price], now: datetime) -> set[int]:
    """Those of the group's own prices (the newest of each thing first) that hold now."""
    found: dict[tuple[Any, ...], Price] = {}
    for one in prices:
        if one.valid_from <= now:
            found.setdefault((one.package_id, one.option_id, one.interval), one)
    return {one.pk for one in found.values() if not one.ends}


@web.page(actions.EDIT_CATALOGUE)
@require_POST
def group_price_end(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The group's own price ends: members order at the list's at once, and what runs is told (LEG-3)."""
    price = get_object_or_404(Price, group__code=code, pk=pk, valid_from__lte=clock.now())
    price_notices.end_price(price, actor=web.actor(request), now=clock.now())
    web.say(request, _("The price has ended. Members who have it running are told."))
    return redirect("invoicing_staff:group_detail", code)


@web.page(actions.EDIT_CATALOGUE)
@require_POST
def group_add(request: HttpRequest, code: str, kind: str) -> HttpResponse:
    """A member, a percentage or a price: the latter is told to whoever has the thing running (LEG-3)."""
    group, actor, now = get_object_or_404(CustomerGroup, code=code), web.actor(request), clock.now()
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind](request.POST)
    if form.is_valid():
        try:
            if kind == "member":
                groups.join(group, form.cleaned_data["reference"], actor=actor, now=now)
            elif kind == "percent":
                groups.set_percent(
                    group, form.cleaned_data["percent"], valid_from=form.start(now), actor=actor, now=now
                )
            else:
                price_notices.set_price(
                    form.items[form.cleaned_data["item"]], form.cleaned_data["interval"], form.cents(),
                    valid_from=form.start(now), actor=actor, now=now, group=group,
                )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("Saved."))
            return redirect("invoicing_staff:group_detail", group.code)
    return _page(request, group, status=422, **{f"{kind}_form": form})


@web.page(actions.EDIT_CATALOGUE)
@require_POST
def group_leave(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """A member orders at listed prices again, and what they have running is told of them (LEG-3)."""
    group = get_object_or_404(CustomerGroup, code=code)
    groups.leave(group, pk, actor=web.actor(request), now=clock.now())
    web.say(request, _("No longer in the group. What runs is told the ordinary price."))
    return redirect("invoicing_staff:group_detail", group.code)
