"""Customers, and what needs a second person."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from panel.accounts import actions as account_actions
from panel.accounts import approvals
from panel.accounts.models import Account, Approval
from panel.console import customers, selectors
from panel.core import clock, keyset, web
from panel.core.errors import RuleViolation


@web.page(account_actions.STAFF_CUSTOMERS)
@require_safe
def customer_list(request: HttpRequest) -> HttpResponse:
    """Every account; `?words=` a name, company, reference or e-mail."""
    words, which = request.GET.get("words", "").strip()[:80], request.GET.get("which", "")
    page = keyset.page(selectors.customers(words, which), request.GET.get("after", ""))
    context = {"page": page, "lines": customers.lines(page.rows), "words": words, "which": which}
    return render(request, "console/customer_list.html", context)


@web.page(account_actions.STAFF_CUSTOMERS)
@require_safe
def customer_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One customer: services, money, requests, cases, restrictions, people, proofs and journal."""
    account = get_object_or_404(Account.objects.visible_to(web.actor(request)), reference=reference)
    context = {"account": account, **customers.everything(account, web.actor(request))}
    return render(request, "console/customer_detail.html", context)


@web.page(account_actions.STAFF_APPROVE)
@require_safe
def approval_list(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, and what was decided lately."""
    return _approvals(request)


def _approvals(request: HttpRequest, refusal: str = "", status: int = 200) -> HttpResponse:
    rows = Approval.objects.select_related("account").prefetch_related("votes__user")
    mine = web.actor(request).user_id
    waiting = [
        {"row": row, "voted": any(vote.user_id == mine for vote in row.votes.all()), "url": customers.link_to(row)}
        for row in rows.filter(state=Approval.State.OPEN).order_by("pk")
    ]
    decided = keyset.page(rows.exclude(state=Approval.State.OPEN), request.GET.get("after", ""), size=20)
    context = {"waiting": waiting, "decided": decided, "refusal": refusal}
    return render(request, "console/approval_list.html", context, status=status)


@web.page(account_actions.STAFF_APPROVE)
@require_POST
def approval_vote(request: HttpRequest, pk: int) -> HttpResponse:
    """One person's word, with a reason when it is no."""
    agrees = request.POST.get("word") == "yes"
    reason = request.POST.get("reason", "").strip()
    row = get_object_or_404(Approval, pk=pk)
    try:
        if not agrees and not reason:
            raise RuleViolation(_("Please say why you refuse."))
        row = approvals.vote(row.pk, agrees=agrees, actor=web.actor(request), now=clock.now(), reason=reason)
    except RuleViolation as refusal:
        return _approvals(request, refusal.sentence, status=409)
    words = {
        Approval.State.OPEN: _("Your word is kept; another person must agree."),
        Approval.State.GRANTED: _("Granted: it is carried out now."),
        Approval.State.REFUSED: _("Refused; the reason is kept."),
    }
    web.say(request, words[Approval.State(row.state)])
    return redirect("console:approval_list")
