"""Staff's queue of requests."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from panel.accounts import selectors as people
from panel.core import clock, web
from tickets import actions, contests, conversation, doubts, kinds, rules, selectors
from tickets.forms import StaffReplyForm
from tickets.models import Ticket

PER_PAGE = 50


@web.page(actions.QUEUE)
@require_safe
def staff_ticket_list(request: HttpRequest) -> HttpResponse:
    """Whoever waits longest stands first."""
    actor = web.actor(request)
    which, department, words = (request.GET.get(name, "") for name in ("show", "department", "q"))
    rows = selectors.queue(actor, which=which, department=department, words=words)
    context = {
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")), "which": which, "words": words,
        "department": department, "departments": Ticket.Department.choices, "counts": selectors.counts(actor),
    }  # fmt: skip
    return render(request, "tickets/staff_ticket_list.html", context)


@web.page(actions.QUEUE)
def staff_ticket_detail(request: HttpRequest, number: str) -> HttpResponse:
    """The thread with its notes, the answer form, and what happened."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor).select_related("account", "assigned_to"), number=number)
    elsewhere = kinds.get(ticket.kind).page(ticket, staff=True)
    if elsewhere:
        return redirect(elsewhere)
    form = StaffReplyForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        actions.NOTE.check(actor, ticket) if data["internal"] else actions.REPLY.check(actor, ticket)
        conversation.reply(
            ticket, data["body"], actor=actor, via=rules.Via.WEB, now=clock.now(), attachments=data["attachments"],
            internal=data["internal"],
        )  # fmt: skip
        web.say(request, _("The note is kept.") if data["internal"] else _("The answer is sent."))
        return redirect("tickets_staff:ticket_detail", number)
    kind = kinds.get(ticket.kind)
    context = {
        "ticket": ticket, "lines": selectors.thread(ticket, staff=True), "form": form,
        "log": people.timeline(conversation.history(ticket)), "card": kind.card(ticket, staff=True),
        "settled": kind.settled(ticket), "may_contest": contests.may_become(ticket, actor),
    }  # fmt: skip
    return render(request, "tickets/staff_ticket_detail.html", context, status=422 if form.errors else 200)


@web.page(actions.TAKE)
@require_POST
def staff_ticket_take(request: HttpRequest, number: str) -> HttpResponse:
    """Take the request over, or give it back."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor), number=number)
    mine = ticket.assigned_to_id == actor.user_id
    conversation.assign(ticket, user_id=None if mine else actor.user_id, actor=actor, now=clock.now())
    return redirect(conversation.page_of(ticket, staff=True))


@web.page(actions.VOUCH)
@require_POST
def staff_ticket_vouch(request: HttpRequest, number: str, pk: str, verb: str) -> HttpResponse:
    """A mail that only its subject ties to the request: the customer's, or somebody else's."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor), number=number)
    message = get_object_or_404(ticket.messages, pk=int(pk))
    deed = doubts.vouch if verb == "vouch" else doubts.deny
    deed(message.pk, actor=actor, now=clock.now())
    web.say(request, _("The mail counts as the customer's.") if verb == "vouch" else _("The mail stays a note."))
    return redirect(conversation.page_of(ticket, staff=True))


@web.page(actions.CLOSE)
@require_POST
def staff_ticket_close(request: HttpRequest, number: str) -> HttpResponse:
    """The request is done."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor), number=number)
    if not kinds.get(ticket.kind).settled(ticket):
        raise Http404
    conversation.close(ticket, actor=actor, now=clock.now())
    web.say(request, _("Request %(number)s is closed.") % {"number": number})
    return redirect("tickets_staff:ticket_detail", number)
