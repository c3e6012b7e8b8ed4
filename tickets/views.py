"""A customer's requests."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from panel.accounts import selectors as people
from panel.core import clock, files, web
from panel.core.errors import RuleViolation
from tickets import actions, conversation, kinds, rules, selectors
from tickets.forms import ReplyForm, RequestForm
from tickets.models import Attachment, Ticket

PER_PAGE = 25


@web.page(actions.SEE)
@require_safe
def ticket_list(request: HttpRequest) -> HttpResponse:
    """The account's requests, infringement notices among them."""
    actor = web.actor(request)
    which, words = request.GET.get("show", ""), request.GET.get("q", "")
    rows = selectors.requests(actor, which=which, words=words)
    context = {
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")), "which": which, "words": words,
        "counts": selectors.counts(actor),
    }  # fmt: skip
    return render(request, "tickets/ticket_list.html", context)


@web.page(actions.OPEN)
def ticket_new(request: HttpRequest) -> HttpResponse:
    """Support > Request > Open a request (TIC-1)."""
    actor = web.actor(request)
    form = RequestForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            ticket = conversation.open_ticket(
                people.account(actor), department=data["department"], title=data["title"], body=data["body"],
                actor=actor, via=rules.Via.WEB, now=clock.now(), attachments=data["attachments"],
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            web.say(request, _("Request %(number)s is open.") % {"number": ticket.number})
            return redirect("tickets:ticket_detail", ticket.number)
    return render(request, "tickets/ticket_new.html", {"form": form}, status=422 if form.errors else 200)


@web.page(actions.SEE)
def ticket_detail(request: HttpRequest, number: str) -> HttpResponse:
    """One request: its thread and the answer form. A request of a special kind has a page of its own."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor), number=number)
    if elsewhere := kinds.get(ticket.kind).page(ticket, staff=False):
        return redirect(elsewhere)
    form = ReplyForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        actions.REPLY.check(actor, ticket)
        if form.is_valid():
            conversation.reply(
                ticket, form.cleaned_data["body"], actor=actor, via=rules.Via.WEB, now=clock.now(),
                attachments=form.cleaned_data["attachments"],
            )  # fmt: skip
            web.say(request, _("Your answer is in the thread."))
            return redirect("tickets:ticket_detail", number)
    kind = kinds.get(ticket.kind)
    context = {
        "ticket": ticket, "lines": selectors.thread(ticket, staff=False), "form": form,
        "card": kind.card(ticket, staff=False), "settled": kind.settled(ticket),
    }  # fmt: skip
    return render(request, "tickets/ticket_detail.html", context, status=422 if form.errors else 200)


@web.page(actions.CLOSE)
@require_POST
def ticket_close(request: HttpRequest, number: str) -> HttpResponse:
    """The customer needs no further answer."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor), number=number)
    if not kinds.get(ticket.kind).settled(ticket):
        raise Http404
    conversation.close(ticket, actor=actor, now=clock.now())
    web.say(request, _("Request %(number)s is closed. Writing in it opens it again.") % {"number": number})
    return redirect(conversation.page_of(ticket, staff=actor.is_staff and actor.account_id is None))


@web.page(actions.DOWNLOAD)
@require_safe
def attachment(request: HttpRequest, pk: int) -> HttpResponse:
    """A file of a message, always as a download and never as a page. Files of internal notes are staff's."""
    actor = web.actor(request)
    rows = Attachment.objects.visible_to(actor).select_related("blob", "message")
    if not actions.NOTE.permits(actor):
        rows = rows.filter(message__internal=False)
    found = get_object_or_404(rows, pk=pk)
    return HttpResponse(
        files.read(found.blob),
        content_type="application/octet-stream",
        headers={"Content-Disposition": content_disposition_header(as_attachment=True, filename=found.name) or ""},
    )
