"""Pages of a service that goes over to another account: offered by who has it, taken by who shall (SUB-2, SUB-4)."""

from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions, selectors
from invoicing.models import ServiceTransfer, Subscription, TransferState
from invoicing.transferring import handing_over, transfers
from invoicing.transferring.transfer_forms import OfferForm, TakeOverForm
from panel.accounts import selectors as people
from panel.accounts import terms_in_force
from panel.core import clock, web
from panel.core.actors import Actor
from panel.core.errors import RuleViolation


def offers(actor: Actor, *, now: datetime) -> list[ServiceTransfer]:
    """What waits for the answer of the actor's account, for the list of its subscriptions."""
    if actor.account_id is None or not actions.TAKE_OVER.permits(actor):
        return []
    rows = ServiceTransfer.objects.filter(receiver=actor.account_id, state=TransferState.OFFERED, expires_at__gte=now)
    return list(rows.select_related("account", "subscription__package"))


def _subscription(request: HttpRequest, reference: str) -> Subscription:
    return get_object_or_404(selectors.subscriptions(web.actor(request)), reference=reference)


def _transfer(request: HttpRequest, reference: str) -> ServiceTransfer:
    rows = ServiceTransfer.objects.visible_to(web.actor(request))
    wanted = rows.select_related("account", "receiver", "subscription__package", "subscription__account", "invoice")
    return get_object_or_404(wanted, reference=reference)


def _offered(row: Subscription, form: OfferForm, *, actor: Actor, by_staff: bool = False) -> bool:
    """Whether the offer was made; else the form says why not."""
    if not form.is_valid():
        return False
    try:
        transfers.offer(
            row, to=form.cleaned_data["to"], reason=form.cleaned_data["reason"], actor=actor, now=clock.now(),
            by_staff=by_staff,
        )  # fmt: skip
    except RuleViolation as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        return False
    return True


# --- who gives it -----------------------------------------------------------------------------------------------------


@web.page(actions.TRANSFER)
def subscription_transfer(request: HttpRequest, reference: str) -> HttpResponse:
    """What a transfer means, then to whom and why; or the offer that stands."""
    row, now = _subscription(request, reference), clock.now()
    form = OfferForm(request.POST or None)
    if request.method == "POST" and _offered(row, form, actor=web.actor(request)):
        web.say(request, _("Offered. If this account exists, its owner is told; you read here when it answers."))
        return redirect("invoicing:subscription_transfer", reference)
    offered = transfers.open_offer(row)
    context = {
        "row": row, "name": selectors.described([row])[0]["name"], "form": form, "offered": offered,
        "refusal": "" if offered else transfers.why_not(row, now=now),
        "days": terms_in_force.at(row.account, now).transfer_days,
        "metered": transfers.is_metered(row),
        "past": row.transfers.filter(account=row.account_id).exclude(state=TransferState.OFFERED)[:10],
    }  # fmt: skip
    return render(request, "invoicing/subscription_transfer.html", context, status=422 if form.errors else 200)


@web.page(actions.TRANSFER)
@require_POST
def transfer_withdraw(request: HttpRequest, reference: str) -> HttpResponse:
    """Its giver takes the offer back."""
    row, actor = _transfer(request, reference), web.actor(request)
    if row.account_id != actor.account_id:
        raise Http404
    transfers.withdraw(row, actor=actor, now=clock.now())
    web.say(request, _("The offer is withdrawn."))
    return redirect("invoicing:subscription_transfer", row.subscription.reference)


# --- who is to have it ------------------------------------------------------------------------------------------------


def _page(request: HttpRequest, row: ServiceTransfer, form: TakeOverForm, *, status: int = 200) -> HttpResponse:
    actor, now = web.actor(request), clock.now()
    gives, language = row.account_id == actor.account_id, get_language() or "en"
    context = {"row": row, "gives": gives, "form": form, "service": selectors.described([row.subscription])[0]["name"]}
    if not gives and row.state == TransferState.OFFERED:
        account = people.account(actor)
        offer = handing_over.terms_for(row, account, actor, now=now, language=language)
        context |= {"offer": offer, "terms": terms_in_force.at(account, now)}
        context["metered"] = transfers.is_metered(row.subscription)
    if not gives and row.state not in (TransferState.OFFERED, TransferState.ACCEPTED):
        context["service"] = row.subscription.package.named(language)  # no longer theirs to read about
    return render(request, "invoicing/transfer_detail.html", context, status=status)


@web.page(actions.TAKE_OVER)
@require_safe
def transfer_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """The offer: what it is, what it costs, what is taken over, what is owed; or what became of it."""
    return _page(request, _transfer(request, reference), TakeOverForm())


@web.page(actions.TAKE_OVER)
@require_POST
def transfer_answer(request: HttpRequest, reference: str) -> HttpResponse:
    """Its receiver takes it over, or does not want it."""
    row, actor, form = _transfer(request, reference), web.actor(request), TakeOverForm(request.POST)
    if row.receiver_id is None or row.receiver_id != actor.account_id:
        raise Http404
    account, now = people.account(actor), clock.now()
    if request.POST.get("word") == "decline":
        transfers.decline(row, actor=actor, now=now)
        web.say(request, _("Declined. Nothing has changed for you."))
        return redirect("invoicing:subscription_list")
    if not form.is_valid():
        return _page(request, row, form, status=422)
    try:
        accepted = terms_in_force.at(account, now).order_documents
        handing_over.accept(row, account, accepted=accepted, actor=actor, ip=actor.ip, now=now)
    except RuleViolation as refusal:
        form.add_error(None, refusal.sentence)
        return _page(request, _transfer(request, reference), form, status=422)
    web.say(request, _("The service is yours. We confirm it by e-mail."))
    return redirect("invoicing:subscription_detail", row.subscription.reference)


# --- staff ------------------------------------------------------------------------------------------------------------


@web.page(actions.STAFF_TRANSFER)
def staff_transfer(request: HttpRequest, reference: str) -> HttpResponse:
    """Staff offers a service for its customer, with a reason, and withdraws an offer; only its receiver accepts."""
    row, actor = _subscription(request, reference), web.actor(request)
    withdrawing = request.POST.get("word") == "withdraw"
    form = OfferForm(request.POST if request.method == "POST" and not withdrawing else None)
    offered = transfers.open_offer(row)
    if withdrawing and offered is not None:
        transfers.withdraw(offered, actor=actor, now=clock.now())
        web.say(request, _("The offer is withdrawn."))
        return redirect("invoicing_staff:subscription_transfer", reference)
    if request.method == "POST" and not withdrawing and _offered(row, form, actor=actor, by_staff=True):
        web.say(request, _("Offered; both sides read of it in their account."))
        return redirect("invoicing_staff:subscription_transfer", reference)
    past = row.transfers.select_related("account", "receiver", "offered_by", "ended_by", "invoice")
    context = {
        "row": row, "name": selectors.described([row])[0]["name"], "form": form, "offered": offered, "past": past[:20],
        "refusal": "" if offered else transfers.why_not(row, now=clock.now()),
    }  # fmt: skip
    return render(request, "invoicing/staff_transfer.html", context, status=422 if form.errors else 200)
