"""The staff's pages of orders that are checked (SUB-4): the queue, one of them, the decision, mail domains."""

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.models import OrderReview
from invoicing.reviewing import deciding, review_selectors, standing
from invoicing.reviewing.review_forms import AcceptForm, MailDomainForm, RefusalForm
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40


@web.page(actions.STAFF_REVIEWS)
@require_safe
def review_list(request: HttpRequest) -> HttpResponse:
    """Orders that wait for a person, and those that were decided."""
    actor, which = web.actor(request), request.GET.get("which", "")
    found = review_selectors.decided(actor) if which == "decided" else review_selectors.waiting(actor)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    rows = [(row, review_selectors.in_words(row.reasons)) for row in page.object_list]
    return render(request, "invoicing/staff_review_list.html", {"page": page, "rows": rows, "which": which})


def _review(request: HttpRequest, pk: int) -> OrderReview:
    return get_object_or_404(review_selectors.reviews(web.actor(request)), pk=pk)


@web.page(actions.STAFF_REVIEWS)
@require_safe
def review_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """What is known of one order, its customer beside it, and the decision."""
    return _page(request, _review(request, pk), RefusalForm())


def _page(request: HttpRequest, review: OrderReview, refusal: RefusalForm, status: int = 200) -> HttpResponse:
    actor = web.actor(request)
    context = {
        "review": review, "order": review.order, "rows": review_selectors.rows(review), "account": review.account,
        "card": review_selectors.card(review.account), "lines": review.order.lines.all(),
        "refusal_form": refusal, "accept_form": AcceptForm(),
        "others": review.order.reviews.exclude(pk=review.pk),
        "may_decide": actions.STAFF_REVIEW.permits(actor) and not actions.STAFF_REVIEW.refusal(actor, review),
        "may_stand": actions.STAFF_STANDING.permits(actor),
    }  # fmt: skip
    return render(request, "invoicing/staff_review_detail.html", context, status=status)


@web.page(actions.STAFF_REVIEW)
@require_POST
def review_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept, or refuse with a reason that is told."""
    review, actor, now = _review(request, pk), web.actor(request), clock.now()
    if request.POST.get("word") == "accept":
        deciding.accept(review.pk, words=request.POST.get("note", ""), actor=actor, now=now)
        web.say(request, _("%(order)s is accepted.") % {"order": review.order.reference})
        return redirect("invoicing_staff:review_detail", pk)
    form = RefusalForm(request.POST)
    if not form.is_valid():
        return _page(request, review, form, status=422)
    deciding.refuse(review.pk, why=form.cleaned_data["why"], words=form.cleaned_data["words"], actor=actor, now=now)
    web.say(request, _("%(order)s is refused; the customer is told why.") % {"order": review.order.reference})
    return redirect("invoicing_staff:review_detail", pk)


@web.page(actions.STAFF_MAIL_DOMAINS)
def mail_domains(request: HttpRequest) -> HttpResponse:
    """Which mail domains count as throw-away: the list of the settings, and what staff says of a domain."""
    form = MailDomainForm(request.POST or None)
    if request.method == "POST":
        actor, now = web.actor(request), clock.now()
        try:
            if "forget" in request.POST:
                standing.forget_domain(request.POST["forget"], actor=actor, now=now)
                return redirect("invoicing_staff:mail_domains")
            if form.is_valid():
                standing.say_domain(form.cleaned_data["domain"], form.cleaned_data["disposable"], actor=actor, now=now)
                web.say(request, _("%(domain)s is noted.") % {"domain": form.cleaned_data["domain"]})
                return redirect("invoicing_staff:mail_domains")
        except RuleViolation as refusal:
            form.add_error(None, refusal.sentence)
    page = Paginator(review_selectors.mail_domains(), PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": page, "listed": sorted(settings.CLAUSE_DISPOSABLE_MAIL)}
    return render(request, "invoicing/staff_mail_domains.html", context, status=422 if form.errors else 200)
