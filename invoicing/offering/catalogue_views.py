"""The staff's pages of the catalogue: what is for sale, at what price, since when (SUB-1, LEG-3)."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.models import PACK, Family, Option, Package
from invoicing.offering import price_notices
from invoicing.offering.catalogue_forms import FamilyForm, OptionForm, PackageForm, PriceForm
from invoicing.offering.pack_forms import PackForm, PackPriceForm
from panel.core import clock, events, web
from panel.core.errors import RuleViolation

FORMS: dict[str, Any] = {"family": FamilyForm, "package": PackageForm, "option": OptionForm, "pack": PackForm}
PRICES: dict[str, type[PriceForm]] = {"pack": PackPriceForm}
SHOWN = 40
ITEMS: dict[str, Any] = {
    "family": Family.objects.all(), "option": Option.objects.all(),
    "package": Package.objects.exclude(service_kind=PACK), "pack": Package.objects.filter(service_kind=PACK),
}  # fmt: skip


def _titles() -> dict[str, str]:
    return {
        "family": _("New family"),
        "package": _("New package"),
        "option": _("New option"),
        "pack": _("New prepaid pack"),
    }


@web.page(actions.STAFF_CATALOGUE)
@require_safe
def catalogue_list(request: HttpRequest) -> HttpResponse:
    """Families with their packages and options, on sale or not, at today's prices."""
    context = {
        "families": selectors.whole_catalogue(clock.now()), "packs": selectors.all_packs(clock.now()),
        "may_edit": actions.EDIT_CATALOGUE.permits(web.actor(request)),
    }  # fmt: skip
    return render(request, "invoicing/staff_catalogue_list.html", context)


@web.page(actions.EDIT_CATALOGUE)
def catalogue_new(request: HttpRequest, kind: str) -> HttpResponse:
    """A new family, package or option; it is sold once it has a price."""
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind](request.POST or None, initial={"family": request.GET.get("family"), "on_sale": True})
    if request.method == "POST" and form.is_valid():
        made = _keep(request, form)
        web.say(request, _("%(name)s is in the catalogue.") % {"name": made.name})
        return redirect("invoicing_staff:catalogue_item", kind, made.code)
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "title": _titles()[kind]}
    return render(request, "invoicing/staff_catalogue_new.html", context, status=status)


@web.page(actions.EDIT_CATALOGUE)
def catalogue_item(request: HttpRequest, kind: str, code: str) -> HttpResponse:
    """One family, package or option: its words, what it promises, its prices and a new one."""
    item = _item(kind, code)
    form = FORMS[kind](request.POST or None, instance=item)
    if request.method == "POST" and form.is_valid():
        _keep(request, form)
        web.say(request, _("Saved."))
        return redirect("invoicing_staff:catalogue_item", kind, code)
    status = 422 if request.method == "POST" else 200
    return _item_page(request, kind, _item(kind, code), form=form, status=status)


@web.page(actions.EDIT_CATALOGUE)
@require_POST
def catalogue_price(request: HttpRequest, kind: str, code: str) -> HttpResponse:
    """A new price: told to whoever has the item running, and theirs a month later (LEG-3)."""
    item = _item(kind, code)
    if kind == "family":
        raise Http404
    form, now = PRICES.get(kind, PriceForm)(request.POST), clock.now()
    if form.is_valid():
        try:
            price_notices.set_price(
                item, form.cleaned_data["interval"], form.cents(), valid_from=form.start(now),
                actor=web.actor(request), now=now, setup_cents=form.setup_cents(),
                setup_on_change=form.cleaned_data.get("setup_on_change", False),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
        else:
            said = _("The price is set; customers who have it running are told by e-mail.")
            web.say(request, _("The price is set for new orders.") if kind == "pack" else said)
            return redirect("invoicing_staff:catalogue_item", kind, code)
    return _item_page(request, kind, item, price_form=form, status=422)


def _item(kind: str, code: str) -> Any:
    if kind not in ITEMS:
        raise Http404
    return get_object_or_404(ITEMS[kind].all(), code=code)


def _item_page(
    request: HttpRequest, kind: str, item: Any, *, form: Any = None, price_form: PriceForm | None = None, status: int
) -> HttpResponse:
    context = {
        "kind": kind, "item": item, "form": form or FORMS[kind](instance=item),
        "price_form": price_form or PRICES.get(kind, PriceForm)(),
        "meters": item.meters.order_by("meter", "-valid_from")[:SHOWN] if kind == "package" else [],
        "prices": [] if kind == "family" else item.prices.filter(group=None).order_by("interval", "-valid_from"),
        "now": clock.now(),
    }  # fmt: skip
    return render(request, "invoicing/staff_catalogue_item.html", context, status=status)


@transaction.atomic
def _keep(request: HttpRequest, form: Any) -> Any:
    made = form.save()
    events.record(
        "invoicing.item.kept", now=clock.now(), actor=web.actor(request), subject=made, rule="SUB-1",
        data={"item": made.code},
    )  # fmt: skip
    return made
