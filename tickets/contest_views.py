"""The pages of contested documents: the customer asks and withdraws, staff decides (TIC-6, INV-9)."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from invoicing import actions as invoicing_actions
from invoicing.contesting import contesting
from invoicing.contesting.contest_rules import RULES, State
from invoicing.models import Contest, Invoice, InvoiceKind
from panel.core import clock, web
from panel.core.errors import RuleViolation
from tickets import actions, contests, rules
from tickets.contest_forms import ContestForm, DecisionForm, MakeContestForm
from tickets.models import Ticket


@web.page(invoicing_actions.CONTEST)
def contest_new(request: HttpRequest, number: str) -> HttpResponse:
    """Dispute an invoice, or ask for the waiver of a late fee; why it cannot be, where it cannot."""
    actor, now = web.actor(request), clock.now()
    invoice = get_object_or_404(Invoice.objects.visible_to(actor).select_related("account"), number=number)
    stands, waiver = contesting.standing(invoice, at=now), invoice.kind == InvoiceKind.STATEMENT
    form = ContestForm(
        request.POST or None,
        request.FILES or None,
        invoice=invoice,
        most=contesting.open_to_dispute(invoice),
        waiver=waiver,
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        try:
            contest = contests.open_contest(
                invoice, form.wanted(), why=form.cleaned_data["why"], actor=actor, via=rules.Via.WEB, now=now,
                attachments=form.cleaned_data["attachments"],
            )  # fmt: skip
        except RuleViolation as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        else:
            web.say(request, _("We decide by %(day)s; until then nothing more happens to this invoice.")
                    % {"day": contest.last_day.isoformat()})  # fmt: skip
            return _back(request, contest)
    context = {
        "invoice": invoice, "form": form, "stands": stands, "waiver": waiver, "law": contesting.law(invoice),
    }  # fmt: skip
    return render(request, "tickets/contest_new.html", context, status=422 if form.errors else 200)


def _back(request: HttpRequest, contest: Contest) -> HttpResponse:
    """To the request; to the invoice for who may pay but sees no requests."""
    if actions.SEE.permits(web.actor(request)):
        return redirect("tickets:ticket_detail", contest.reference)
    return redirect("invoicing:invoice_detail", contest.invoice.number)


@web.page(invoicing_actions.CONTEST)
@require_POST
def contest_withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """The customer takes it back."""
    actor = web.actor(request)
    contest = get_object_or_404(Contest.objects.visible_to(actor), reference=number)
    contests.withdraw(contest, actor=actor, now=clock.now())
    web.say(request, _("It is withdrawn. The invoice counts from its due date again."))
    return _back(request, contest)


@web.page(invoicing_actions.STAFF_CONTEST)
def contest_decide(request: HttpRequest, number: str) -> HttpResponse:
    """Accept, in whole or in part, or refuse; the credit note follows at once."""
    actor = web.actor(request)
    rows = Contest.objects.visible_to(actor).select_related("invoice", "account")
    contest = get_object_or_404(rows, reference=number)
    if contest.state != State.OPEN:
        return redirect("tickets_staff:ticket_detail", number)
    form = DecisionForm(
        request.POST or None, invoice=contest.invoice, most=contesting.left(contest.invoice), wanted=contest.wanted
    )
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            contests.decide(
                contest, form.granted(), reason=said["reason"], refund=said["refund"], actor=actor, now=clock.now()
            )
        except RuleViolation as refused:
            form.add_error(refused.field if refused.field in form.fields else None, refused.sentence)
        else:
            web.say(request, _("Decided, and told to the customer."))
            return redirect("tickets_staff:ticket_detail", number)
    context = {"contest": contest, "invoice": contest.invoice, "form": form, "rule": RULES[contest.kind]}
    return render(request, "tickets/staff_contest_decide.html", context, status=422 if form.errors else 200)


@web.page(invoicing_actions.STAFF_CONTEST)
def contest_make(request: HttpRequest, number: str) -> HttpResponse:
    """An ordinary request turns out to dispute an invoice."""
    actor = web.actor(request)
    ticket = get_object_or_404(Ticket.objects.visible_to(actor).select_related("account"), number=number)
    if not contests.may_become(ticket, actor):
        raise Http404
    form = MakeContestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["number"].strip().upper()
        invoice = Invoice.objects.filter(account=ticket.account_id, number=wanted).select_related("account").first()
        try:
            if invoice is None:
                raise RuleViolation(_("This customer has no such invoice."), rule="TIC-6", field="number")
            contests.make_contest(ticket, invoice, actor=actor, now=clock.now())
        except RuleViolation as refused:
            form.add_error("number", refused.sentence)
        else:
            web.say(request, _("The request disputes invoice %(number)s now.") % {"number": wanted})
            return redirect("tickets_staff:ticket_detail", number)
    context = {"ticket": ticket, "form": form}
    return render(request, "tickets/staff_contest_make.html", context, status=422 if form.errors else 200)
