"""The staff's page of one finding, and what is decided on it."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from panel.core import clock
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, places, wording
from servers.drifting import deciding, drift_rules
from servers.drifting.drift_rules import Decision
from servers.drifting.drift_wording import DONE, EFFECTS, ELSEWHERE, ICONS, LABELS, SENTENCES
from servers.models import Discrepancy


class DecideForm(forms.Form):
    """Why, and the reference typed."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    typed = forms.CharField(label=gettext_lazy("Type the reference to confirm"), max_length=200)

    def __init__(self, *args: object, ref: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["typed"].help_text = ref
        self.fields["typed"].widget.attrs.update(autocomplete="off", spellcheck="false")


@page(actions.DECIDE_FINDING)
@require_http_methods(["GET", "POST"])
def finding(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Discrepancy.objects.select_related("server__account", "operation"), pk=pk)
    asked = request.POST.get("decision", "") if request.method == "POST" else ""
    state, cards, error = deciding.found(row), [], ""
    chooses = places.capabilities(row.place).chooses_address
    effects = {**EFFECTS, **ELSEWHERE} if chooses else EFFECTS
    for decision in drift_rules.offered(state):
        sent = request.POST if asked == decision else None
        form = DecideForm(sent, ref=row.ref, auto_id=f"{decision}-%s")
        if sent is not None and form.is_valid():
            try:
                deciding.decide(row, decision, **form.cleaned_data, actor=actor(request), now=clock.now())
            except RuleViolation as refusal:
                if refusal.field in form.fields:
                    form.add_error(refusal.field, refusal.sentence)
                else:
                    error = refusal.sentence
            else:
                say(request, str(DONE[decision]))
                return redirect("servers:staff_finding", row.pk)
        refused = drift_rules.why_not(state, decision)
        cards.append({
            "decision": decision, "title": LABELS[decision], "effect": effects[decision], "icon": ICONS[decision],
            "form": form, "reason": SENTENCES[refused] if refused else "", "danger": decision is not Decision.ADOPT,
        })  # fmt: skip
    context = {
        "row": row, "cards": cards, "error": error, "title": wording.FINDINGS[row.kind],
        "decided": deciding.is_decided(row), "place": places.label(row.place),
        "nothing": _("The panel repairs this by itself, or it is put right at the place."),
    }  # fmt: skip
    return render(request, "servers/staff_finding.html", context, status=422 if asked else 200)
