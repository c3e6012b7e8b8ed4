"""The pages of a limit: staff sets it, its owner answers, staff decides (SRV-7, SRV-13)."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from panel.core import clock
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, selectors
from servers.safeguarding import safeguards
from servers.safeguarding.safeguard_rules import Answer, Decision, How, Threat
from tickets.conversation import page_of
from tickets.models import Ticket


class LimitForm(forms.Form):
    """Why, how, and what the owner must do."""

    threat = forms.ChoiceField(label=gettext_lazy("Why"), choices=list(safeguards.THREATS.items()))
    how = forms.ChoiceField(label=gettext_lazy("What is done"), choices=list(safeguards.EFFECTS.items()))
    reason = forms.CharField(
        label=gettext_lazy("What was seen"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("The customer reads it: write in their language."),
    )  # fmt: skip
    steps = forms.CharField(
        label=gettext_lazy("What the customer must do"), max_length=4000, widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("The mandatory steps, as they go out by e-mail."),
    )  # fmt: skip


@page(actions.LIMIT)
@require_http_methods(["GET", "POST"])
def server_limit(request: HttpRequest, reference: str) -> HttpResponse:
    server = selectors.find_or_404(actor(request), reference)
    form = LimitForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = form.cleaned_data
        try:
            ticket = safeguards.limit(
                server, Threat(given["threat"]), How(given["how"]), reason=given["reason"], steps=given["steps"],
                actor=actor(request), now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
        else:
            say(request, _("%(server)s is being limited; its owner is told.") % {"server": server.name})
            return redirect(page_of(ticket, staff=True))
    context = {"server": server, "form": form}
    return render(request, "servers/staff_server_limit.html", context, status=422 if form.errors else 200)


@page(actions.ANSWER_LIMIT)
@require_POST
def limit_answer(request: HttpRequest, number: str) -> HttpResponse:
    """The owner: done, or not accepted."""
    ticket = _ticket(request, number)
    what = request.POST.get("answer", "")
    if what not in set(Answer):
        raise Http404(what)
    safeguards.answer(ticket, Answer(what), words=request.POST.get("words", "")[:4000], actor=actor(request),
                      now=clock.now())  # fmt: skip
    say(request, _("Our team has your answer."))
    return redirect(page_of(ticket))


@page(actions.LIMIT)
@require_POST
def limit_decide(request: HttpRequest, number: str) -> HttpResponse:
    """Staff: lift it, or let it stand."""
    ticket = _ticket(request, number)
    what, reason = request.POST.get("decision", ""), request.POST.get("reason", "")[:4000]
    if what not in set(Decision):
        raise Http404(what)
    try:
        safeguards.decide(ticket, Decision(what), reason=reason, actor=actor(request), now=clock.now())
        say(request, _("Decided; the customer is told."))
    except RuleViolation as refusal:
        say(request, refusal.sentence, error=True)
    return redirect(page_of(ticket, staff=True))


def _ticket(request: HttpRequest, number: str) -> Ticket:
    ticket = Ticket.objects.visible_to(actor(request)).filter(number=number, kind=safeguards.KIND).first()
    if ticket is None:
        raise Http404(number)
    return ticket
