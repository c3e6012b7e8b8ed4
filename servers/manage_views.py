"""What changes a server for good, on one page for its owner and one for staff (SRV-8)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from invoicing.subscribing import ending, ending_by_us
from invoicing.subscribing.ending_by_us import Ground
from panel.core import clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, places, selectors, wording
from servers.forms import GROUNDS, DestroyForForm, NameForm, RebuildForm, TypedForm
from servers.models import Server
from servers.rules import Verb
from servers.safekeeping import copies
from servers.verbs import destroying, naming, power, protection, rebuilding


@page(actions.MANAGE)
@require_http_methods(["GET", "POST"])
def server_manage(request: HttpRequest, reference: str) -> HttpResponse:
    """Name, labels, protection, rescue system, rebuild, destruction."""
    return _manage(request, reference, "servers/server_manage.html", "servers:server_detail", "servers:server_manage")


@page(actions.STAFF_MANAGE)
@require_http_methods(["GET", "POST"])
def staff_server_manage(request: HttpRequest, reference: str) -> HttpResponse:
    """The same, as staff may do it."""
    return _manage(
        request, reference, "servers/staff_server_manage.html", "servers:staff_server_detail",
        "servers:staff_server_manage",
    )  # fmt: skip


def _manage(request: HttpRequest, reference: str, template: str, detail: str, here: str) -> HttpResponse:
    asking, now = actor(request), clock.now()
    server = selectors.find_or_404(asking, reference)
    deed = request.POST.get("deed", "") if request.method == "POST" else ""
    forms, error = _forms(request, server, deed), ""
    if deed:
        if deed not in DEEDS:
            raise Http404(deed)
        try:
            sentence, stays = DEEDS[deed](server, request, asking, now)
        except RuleViolation as refusal:
            form = forms.get(deed)
            if form is None or refusal.field not in form.fields:
                error = refusal.sentence
            elif refusal.field not in form.errors:
                form.add_error(refusal.field, refusal.sentence)
        else:
            say(request, sentence)
            return redirect(here if stays else detail, reference)
    context = _context(server, asking, now) | {"forms": forms, "error": error, "may_manage": True}
    return render(request, template, context, status=422 if deed else 200)


def _forms(request: HttpRequest, server: Server, deed: str) -> dict[str, Any]:
    def sent(name: str) -> Any:
        return request.POST if deed == name else None

    labels = ", ".join(label.name for label in server.labels.all())
    made = {
        "rename": NameForm(sent("rename"), initial={"name": server.name, "labels": labels}),
        "rebuild": RebuildForm(
            sent("rebuild"), name=server.name, images=places.images(server.place), initial={"image": server.image}
        ),
        "destroy": TypedForm(sent("destroy"), name=server.name, auto_id="destroy-%s"),
        "destroy_for": DestroyForForm(sent("destroy_for"), name=server.name, auto_id="destroy-for-%s"),
    }  # fmt: skip
    for form in made.values():
        form.is_valid()
    return made


def _context(server: Server, asking: Actor, now: datetime) -> dict[str, Any]:
    reasons = {
        verb: action.refusal(asking, server)
        for verb, action in {**actions.BY_VERB, Verb.RENAME: actions.RENAME, Verb.PROTECT: actions.PROTECT,
                             Verb.UNPROTECT: actions.UNPROTECT, Verb.DESTROY: actions.DESTROY}.items()
    }  # fmt: skip
    may_destroy, may_destroy_for = actions.DESTROY.permits(asking), actions.STAFF_DESTROY.permits(asking)
    why_not = actions.STAFF_DESTROY.refusal(asking, server)
    costs = ending_by_us.costs(server.subscription, now=now) if may_destroy_for and not why_not else ()
    held = server.holdings.attached().order_by("-is_first", "pk")
    return {
        "server": server, "reasons": reasons, "place": places.label(server.place),
        "simulated": places.is_simulated(server.place), "image": places.images(server.place).get(server.image, ""),
        "may_unprotect": actions.UNPROTECT.permits(asking), "may_destroy": may_destroy,
        "ending": ending.preview(server.subscription, now=now) if may_destroy and not reasons[Verb.DESTROY] else None,
        "addresses": [one.address.ip for one in held.select_related("address")],
        "given_back": server.ordered_holdings.now().order_by("-is_first", "pk").values_list("address__ip", flat=True),
        "reaches_name": places.capabilities(server.place).rename,
        "copies": copies.shown(server).filter(state="ready").count() if may_destroy or may_destroy_for else 0,
        "may_destroy_for": may_destroy_for, "why_not_destroy_for": why_not,
        "costs": [(GROUNDS[cost.ground], cost) for cost in costs],
        "copies_stay": copies.law_of(server).after_end_days,
    }  # fmt: skip


Done = tuple[str, bool]
"""What is said then, and whether the page stays open."""


@transaction.atomic
def _rename(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    naming.rename(server, request.POST.get("name", ""), actor=asking, now=now)
    naming.label(server, request.POST.get("labels", ""), actor=asking, now=now)
    return _("Name and labels are kept."), True


def _protect(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    protection.protect(server, on=True, actor=asking, now=now)
    return _("The server is protected from deletion."), True


def _unprotect(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    protection.protect(server, on=False, actor=asking, now=now)
    return _("The server is not protected from deletion any more."), True


def _asked(server: Server, verb: Verb, asking: Actor, now: datetime) -> Done:
    power.request(server, verb, actor=asking, now=now)
    return wording.asked(verb), False


def _rescue(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    return _asked(server, Verb.RESCUE, asking, now)


def _leave_rescue(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    return _asked(server, Verb.LEAVE_RESCUE, asking, now)


def _rebuild(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    typed = request.POST.get("confirm", "")
    rebuilding.rebuild(server, request.POST.get("image", ""), typed=typed, actor=asking, now=now)
    return wording.asked(Verb.REBUILD), False


def _destroy(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    destroying.destroy(server, typed=request.POST.get("confirm", ""), actor=asking, now=now)
    return _("The server is being destroyed, and its subscription has ended. We confirm it by e-mail."), False


def _destroy_for(server: Server, request: HttpRequest, asking: Actor, now: datetime) -> Done:
    ground, sent = request.POST.get("ground", ""), request.POST
    if ground not in set(Ground):
        raise Http404(ground)
    destroying.destroy_for(
        server, Ground(ground), reason=sent.get("reason", "")[:300], typed=sent.get("confirm", ""), actor=asking,
        now=now,
    )  # fmt: skip
    return _("The server is being destroyed, and its subscription has ended; its owner is told by e-mail."), False


DEEDS: dict[str, Callable[[Server, HttpRequest, Actor, datetime], Done]] = {
    "rename": _rename, "protect": _protect, "unprotect": _unprotect, "rescue": _rescue,
    "leave_rescue": _leave_rescue, "rebuild": _rebuild, "destroy": _destroy, "destroy_for": _destroy_for,
}  # fmt: skip
