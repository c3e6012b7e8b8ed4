"""A change of the firewall is asked for, withdrawn, decided (TIC-5)."""

import json
from dataclasses import replace

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
from servers.networking import firewall_requests, firewall_rules, firewalls
from servers.networking.firewall_requests import Change
from servers.networking.firewall_rules import Rule, Wrong
from servers.networking.network_forms import RuleForm, given
from tickets.conversation import page_of
from tickets.models import Ticket


class AskForm(RuleForm):
    """A rule to be added, one to go, or one in the place of another; and why."""

    what = forms.ChoiceField(
        label=gettext_lazy("What is to change"),
        choices=[
            ("add", gettext_lazy("A rule more")), ("remove", gettext_lazy("A rule less")),
            ("replace", gettext_lazy("One rule in the place of another")),
        ],
    )  # fmt: skip
    remove = forms.ChoiceField(
        label=gettext_lazy("The rule that goes"), required=False,
        help_text=gettext_lazy("Not for a rule more. The fields after it describe the new rule."),
    )  # fmt: skip
    why = forms.CharField(
        label=gettext_lazy("Why"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Our team reads it before it decides."),
    )  # fmt: skip
    field_order = ("what", "remove", "direction", "action", "protocol", "ports", "peers", "why")

    def __init__(self, *args: object, rules: tuple[Rule, ...], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        del self.fields["note"]
        self._rules = {_name(rule): rule for rule in rules}
        choices = [(name, firewall_requests.told(rule)) for name, rule in self._rules.items()]
        self.fields["remove"].choices = [("", _("none")), *choices]  # type: ignore[attr-defined]
        if not rules:
            del self.fields["remove"]
            self.fields["what"].choices = [("add", _("A rule more"))]  # type: ignore[attr-defined]

    def change(self) -> Change:
        """What the form asks for. RuleViolation for a rule that cannot be, or none chosen."""
        what, chosen = self.cleaned_data["what"], self.cleaned_data.get("remove", "")
        if what != "add" and not chosen:
            raise RuleViolation(_("Choose the rule that goes."), field="remove")
        try:
            add = None if what == "remove" else firewall_rules.rule_of({**given(self), "note": ""})
        except Wrong as wrong:
            raise firewalls.violation(wrong) from wrong
        return Change(add, None if what == "add" else self._rules[chosen])


def _name(rule: Rule) -> str:
    """What stands for a rule in the form, wherever in the list it is by then."""
    return json.dumps(firewall_rules.row_of(replace(rule, note="")), sort_keys=True)


@page(actions.ASK_FIREWALL)
@require_http_methods(["GET", "POST"])
def firewall_ask(request: HttpRequest, reference: str) -> HttpResponse:
    """By whom may write requests; who may manage servers can change it at once instead."""
    server = selectors.find_or_404(actor(request), reference)
    rules = firewalls.of(server).own.rules
    form = AskForm(request.POST or None, rules=rules)
    if request.method == "POST" and form.is_valid():
        try:
            change, why = form.change(), form.cleaned_data["why"]
            row = firewall_requests.ask(server, change, why=why, actor=actor(request), now=clock.now())
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            say(request, _("Our team has your request and decides."))
            return redirect(page_of(row.ticket))
    context = {
        "server": server, "form": form, "reason": actions.ASK_FIREWALL.refusal(actor(request), server),
        "may_change": actions.FIREWALL.permits(actor(request)),
    }  # fmt: skip
    return render(request, "servers/firewall_ask.html", context, status=422 if form.errors else 200)


@page(actions.ASK_FIREWALL)
@require_POST
def firewall_request_withdraw(request: HttpRequest, number: str) -> HttpResponse:
    ticket = _ticket(request, number)
    try:
        firewall_requests.withdraw(ticket, actor=actor(request), now=clock.now())
        say(request, _("The request is withdrawn; nothing has changed."))
    except RuleViolation as refusal:
        say(request, refusal.sentence, error=True)
    return redirect(page_of(ticket))


@page(actions.DECIDE_FIREWALL)
@require_POST
def firewall_request_decide(request: HttpRequest, number: str) -> HttpResponse:
    """Staff: it applies itself, or nothing changes."""
    ticket, words = _ticket(request, number), request.POST.get("words", "")[:4000]
    asking, now, what = actor(request), clock.now(), request.POST.get("decision", "")
    try:
        if what == "accept":
            sure = request.POST.get("sure") == "yes"
            firewall_requests.accept(ticket, words=words, sure=sure, actor=asking, now=now)
        elif what == "refuse":
            firewall_requests.refuse(ticket, reason=words, actor=asking, now=now)
        else:
            raise Http404(what)
        say(request, _("Decided; the customer is told."))
    except RuleViolation as refusal:
        say(request, refusal.sentence, error=True)
    return redirect(page_of(ticket, staff=True))


def _ticket(request: HttpRequest, number: str) -> Ticket:
    rows = Ticket.objects.visible_to(actor(request)).select_related("account")
    ticket = rows.filter(number=number, kind=firewall_requests.KIND).first()
    if ticket is None:
        raise Http404(number)
    return ticket
