"""My work, operations, outgoing mail, health and the journal."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from panel.accounts import selectors as people
from panel.console import actions, audit, customers, health, repairs, selectors
from panel.console import work as works
from panel.core import clock, keyset, operations, web
from panel.core.errors import RuleViolation
from panel.core.models import Event, MailMessage, Operation, subject_of


@web.page(actions.WORK)
@require_safe
def work(request: HttpRequest) -> HttpResponse:
    """What waits for the person who asks, by role, the most urgent first."""
    now = clock.now()
    queues = works.queues(web.actor(request), now=now)
    context = {
        "busy": [one for one in queues if one.total], "quiet": [one for one in queues if not one.total], "now": now,
    }  # fmt: skip
    template = "console/work.html#queues" if getattr(request, "htmx", False) else "console/work.html"
    return render(request, template, context)


# --- operations ----------------------------------------------------------------------------------------------------
@web.page(actions.OPERATIONS)
@require_safe
def operation_list(request: HttpRequest) -> HttpResponse:
    """Failed ones first asked for; `?state=` and `?kind=` choose others."""
    state = request.GET.get("state", "failed")
    kind = request.GET.get("kind", "")
    rows = selectors.operations(state, kind)
    context = {
        "page": keyset.page(rows, request.GET.get("after", "")), "state": state, "kind": kind,
        "states": selectors.operation_counts(), "kinds": selectors.operation_kinds(),
    }  # fmt: skip
    return render(request, "console/operation_list.html", context)


@web.page(actions.OPERATIONS)
@require_safe
def operation_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What it is about, each attempt, and what staff may do about it."""
    return _operation_page(request, get_object_or_404(Operation, pk=pk))


def _operation_page(request: HttpRequest, op: Operation, refusal: str = "", status: int = 200) -> HttpResponse:
    actor = web.actor(request)
    is_open = op.state in repairs.OPEN
    handler = operations.HANDLERS.get(op.kind)
    context = {
        "op": op, "label": handler.label if handler else op.kind, "tries": op.tries.all(), "refusal": refusal,
        "account": selectors.account_of(op.account_id), "about": customers.about(op, actor),
        "activity": people.timeline(Event.objects.filter(**subject_of(op)).order_by("-pk")[:20]),
        "payload": _as_json(op.payload), "result": _as_json(op.result),
        "may_retry": (is_open or operations.resumable(op)) and actions.RETRY.permits(actor),
        "may_discard": is_open and actions.DISCARD.permits(actor),
    }  # fmt: skip
    return render(request, "console/operation_detail.html", context, status=status)


def _as_json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) if values else ""


@web.page(actions.RETRY)
@require_POST
def operation_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Try again at once."""
    op = get_object_or_404(Operation, pk=pk)
    try:
        repairs.retry(op.pk, actor=web.actor(request), now=clock.now())
    except RuleViolation as refusal:
        return _operation_page(request, op, refusal.sentence, status=409)
    web.say(request, _("The operation is due again."))
    return redirect("console:operation_detail", pk)


@web.page(actions.DISCARD)
@require_POST
def operation_discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Give it up for good, with a reason."""
    op = get_object_or_404(Operation, pk=pk)
    try:
        repairs.discard(op.pk, reason=request.POST.get("reason", ""), actor=web.actor(request), now=clock.now())
    except RuleViolation as refusal:
        return _operation_page(request, op, refusal.sentence, status=409)
    web.say(request, _("The operation is discarded; the reason is kept."))
    return redirect("console:operation_detail", pk)


# --- outgoing mail -------------------------------------------------------------------------------------------------
@web.page(actions.MAIL)
@require_safe
def mail_list(request: HttpRequest) -> HttpResponse:
    """What the panel told whom; `?state=failed`, `?words=` an address or a kind."""
    state, words = request.GET.get("state", ""), request.GET.get("words", "").strip()
    page = keyset.page(selectors.mails(state, words), request.GET.get("after", ""))
    return render(request, "console/mail_list.html", {"page": page, "state": state, "words": words})


@web.page(actions.MAIL)
@never_cache
@require_safe
def mail_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One mail. Those that hold a personal link (log-in, password) keep their text to themselves."""
    mail = get_object_or_404(MailMessage.objects.select_related("content"), pk=pk)
    context = {
        "mail": mail, "content": getattr(mail, "content", None), "secret": selectors.holds_a_secret(mail),
        "account": selectors.account_of(mail.account_id),
        "op": Operation.objects.filter(key=f"mail:{mail.pk}").first(),
    }  # fmt: skip
    return render(request, "console/mail_detail.html", context)


# --- health and journal --------------------------------------------------------------------------------------------
@web.page(actions.HEALTH)
@never_cache
@require_safe
def health_page(request: HttpRequest) -> HttpResponse:
    """Whether the panel itself is well."""
    return render(request, "console/health.html", {"checks": health.checks(clock.now())})


@web.page(actions.AUDIT)
@require_safe
def audit_list(request: HttpRequest) -> HttpResponse:
    """The journal, filtered, and whether its chain holds."""
    filters = {name: request.GET.get(name, "") for name in ("kind", "rule", "account", "about", "author")}
    page = keyset.page(audit.find(filters), request.GET.get("after", ""))
    entries = list(zip(page.rows, people.timeline(page.rows), selectors.accounts_of(page.rows), strict=True))
    context = {"page": page, "entries": entries, "filters": filters, "check": audit.last_check()}
    return render(request, "console/audit.html", context)


@web.page(actions.VERIFY)
@require_POST
def audit_verify(request: HttpRequest) -> HttpResponse:
    """Walk the whole chain now."""
    broken = audit.verify(actor=web.actor(request), now=clock.now())
    if broken:
        web.say(request, _("The chain does not hold: %(count)s breaks.") % {"count": len(broken)}, error=True)
    else:
        web.say(request, _("The chain holds: nothing was removed or altered."))
    return redirect("console:audit")
