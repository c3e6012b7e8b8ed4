"""Staff announces work and trouble, and writes how it goes (SUB-10)."""

import hashlib
import json
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from panel import terms
from panel.core import clock, keyset
from panel.core.actions import Action
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers.maintaining import interruptions, telling
from servers.maintaining import maintenance_actions as actions
from servers.maintaining import maintenance_rules as rules
from servers.maintaining import maintenance_wording as wording
from servers.maintaining import status_selectors as selectors
from servers.maintaining.forms import AnnounceForm, ExtendForm, NoteForm, WordsForm
from servers.maintaining.interruption_models import Interruption
from servers.maintaining.interruptions import Plan, Words
from servers.maintaining.maintenance_rules import Kind, State

Deed = tuple[Action, type[forms.Form], frozenset[str]]
DEEDS: dict[str, Deed] = {
    "note": (actions.UPDATE, NoteForm, rules.OPEN),
    "extend": (actions.END, ExtendForm, frozenset({State.UNDER_WAY})),
    "finish": (actions.END, WordsForm, frozenset({State.UNDER_WAY})),
    "cancel": (actions.END, WordsForm, frozenset({State.ANNOUNCED})),
}


@page(actions.STAFF_INTERRUPTIONS)
@require_GET
def interruption_list(request: HttpRequest) -> HttpResponse:
    rows = selectors.listed()
    coming = rows.filter(state__in=rules.OPEN).order_by("starts_at", "pk")
    past = keyset.page(rows.exclude(state__in=rules.OPEN), request.GET.get("after", ""))
    context = {
        "open": [(wording.shown(row, "en"), row) for row in coming.prefetch_related("updates")],
        "page": past, "past": [(wording.shown(row, "en"), row) for row in past.rows],
        "may": actions.ANNOUNCE.permits(actor(request)),
    }  # fmt: skip
    return render(request, "servers/staff_interruption_list.html", context)


@page(actions.ANNOUNCE)
@require_http_methods(["GET", "POST"])
def interruption_new(request: HttpRequest) -> HttpResponse:
    """First what will go out and to how many, then the announcement."""
    now = clock.now()
    form = AnnounceForm(request.POST or None)
    preview: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        plan = _plan(form.cleaned_data, now=now)
        try:
            if request.POST.get("announce") == _shown(request):
                row = interruptions.announce(plan, actor=actor(request), now=now)
                say(
                    request, _("%(reference)s is announced; the mails are on their way.") % {"reference": row.reference}
                )
                return redirect("servers:staff_interruption_detail", row.reference)
            concerned = interruptions.would_concern(plan, now=now)
            preview = {"plan": plan, "accounts": concerned, "shown": _shown(request)}
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
    notice = terms.current(now).maintenance.notice
    context = {"form": form, "earliest": rules.earliest(now, notice), "notice": notice, "preview": preview,
               "kind": wording.KINDS[preview["plan"].kind] if preview else ""}  # fmt: skip
    return render(request, "servers/staff_interruption_new.html", context, status=422 if form.errors else 200)


def _shown(request: HttpRequest) -> str:
    """Stands for what the form says: what is announced is what was shown before, or it is shown again."""
    said = sorted((name, value) for name, value in request.POST.items() if name in AnnounceForm.base_fields)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _plan(data: dict[str, Any], *, now: Any) -> Plan:
    return Plan(
        Kind(data["kind"]), data["place"], Words(data["title"], data["title_fr"]),
        Words(data["reason"], data["reason_fr"]), data["starts_at"] or now, data["ends_at"], data["servers"],
        data["mailed"],
    )  # fmt: skip


def _found(reference: str) -> Interruption:
    row = Interruption.objects.filter(reference=reference).prefetch_related("updates").first()
    if row is None:
        raise Http404(reference)
    return row


@page(actions.STAFF_INTERRUPTIONS)
@require_GET
def interruption_detail(request: HttpRequest, reference: str) -> HttpResponse:
    return _detail(request, _found(reference))


def _detail(request: HttpRequest, row: Interruption, wrong: tuple[str, forms.Form] | None = None) -> HttpResponse:
    deeds = [
        (name, wrong[1] if wrong and wrong[0] == name else form(prefix=name), action)
        for name, (action, form, states) in DEEDS.items()
        if row.state in states and action.permits(actor(request))
    ]
    named = row.servers.order_by("name").select_related("account")[: telling.NAMED]
    context = {
        "row": row, "one": wording.shown(row, "en"), "reach": selectors.reach(row), "deeds": deeds, "servers": named,
        "wrong": wrong,
    }  # fmt: skip
    return render(request, "servers/staff_interruption_detail.html", context, status=422 if wrong else 200)


@page(actions.STAFF_INTERRUPTIONS)
@require_POST
def interruption_deed(request: HttpRequest, reference: str, name: str) -> HttpResponse:
    """An update, a later end, the end, or that it does not take place; the action of each is checked here."""
    if name not in DEEDS:
        raise Http404(name)
    row, (action, form_of, _states) = _found(reference), DEEDS[name]
    action.check(actor(request))
    form = form_of(request.POST, prefix=name)
    if not form.is_valid():
        return _detail(request, row, (name, form))
    try:
        _do(name, row, form.cleaned_data, request)
    except RuleViolation as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        return _detail(request, row, (name, form))
    say(request, _("Written down, and shown on the status page."))
    return redirect("servers:staff_interruption_detail", reference)


def _do(name: str, row: Interruption, data: dict[str, Any], request: HttpRequest) -> None:
    words, who, now = Words(data["text"], data["text_fr"]), actor(request), clock.now()
    match name:
        case "note":
            interruptions.note(row, words, mailed=data["mailed"], actor=who, now=now)
        case "extend":
            interruptions.extend(row, data["until"], words, actor=who, now=now)
        case "finish":
            interruptions.finish(row, words, actor=who, now=now)
        case "cancel":
            interruptions.cancel(row, words, actor=who, now=now)
