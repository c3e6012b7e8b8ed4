"""The staff's pages of payments: find one, see what it moved and what the provider said, give funds back."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from invoicing import actions, selectors
from invoicing.forms import GiveBackForm
from invoicing.funding import funds, taken_back
from invoicing.models import Entry, Payment
from invoicing.paying import disputes
from invoicing.selling_by_hand import giving_up, sending_back, unmet
from panel.core import clock, web
from panel.core.errors import RuleViolation

PAGE = 40


@web.page(actions.STAFF_PAYMENTS)
@require_safe
def payment_list(request: HttpRequest) -> HttpResponse:
    """Payments of every customer, newest first."""
    state, words = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80]
    rows = selectors.payments(web.actor(request), state=state, words=words)
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "state": state, "words": words, "filtered": bool(state or words),
               "may_payouts": actions.STAFF_PAYOUTS.permits(web.actor(request))}  # fmt: skip
    return render(request, "invoicing/staff_payment_list.html", context)


def _payment(request: HttpRequest, reference: str) -> Payment:
    return get_object_or_404(selectors.payments(web.actor(request)), reference=reference)


@web.page(actions.STAFF_PAYMENTS)
@require_safe
def payment_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One payment: its purpose, its entry in the books, its refunds, and every message about it."""
    payment, actor = _payment(request, reference), web.actor(request)
    refunds = payment.refunds.all()
    booked = [("payment", payment.reference)]
    booked += [(kind, str(one.pk)) for one in refunds for kind in ("refund", "refund_returned")]
    ends = (*disputes.ENTRIES, taken_back.WRITTEN_OFF)
    booked += [(kind, one.provider_ref) for one in payment.disputes.all() for kind in ends]
    entries = Entry.objects.none()
    for kind, ref in booked:
        entries = entries | Entry.objects.filter(kind=kind, ref=ref)
    for one in payment.disputes.all():
        entries = entries | Entry.objects.filter(kind=taken_back.FROM_FUNDS, ref__startswith=f"{one.provider_ref}:")
    context = {
        "payment": payment, "refunds": refunds, "disputes": payment.disputes.all(),
        "messages_kept": payment.webhook_events.all()[:50],
        "entries": entries.prefetch_related("postings__ledger_account").order_by("pk"),
        "may_write_off": actions.STAFF_SELL.permits(actor) and giving_up.owed_of(payment) is not None,
        "may_ledger": actions.STAFF_LEDGER.permits(actor),
        "unmet": unmet.of(payment), "may_settle": actions.STAFF_SELL.permits(actor),
        "may_give_back": actions.STAFF_GIVE_BACK.permits(actor) and not actions.STAFF_GIVE_BACK.refusal(actor, payment),
    }  # fmt: skip
    return render(request, "invoicing/staff_payment_detail.html", context)


@web.page(actions.STAFF_GIVE_BACK)
def payment_give_back(request: HttpRequest, reference: str) -> HttpResponse:
    """Give a top-up back, with a reason, as far as the funds still hold it (INV-6)."""
    payment, actor = _payment(request, reference), web.actor(request)
    actions.STAFF_GIVE_BACK.check(actor, payment)
    left = payment.refundable_cents
    most = min(left, funds.balance(payment.account))
    form = GiveBackForm(request.POST or None, payment=payment, most=most)
    if request.method == "POST" and form.is_valid():
        try:
            asked = sending_back.give_top_up_back(
                payment, form.cents(), reason=form.cleaned_data["reason"], key=form.cleaned_data["key"], actor=actor,
                now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field if refusal.field in form.fields else None, refusal.sentence)
        else:
            waits = asked is not None and asked.state == asked.State.OPEN
            web.say(request, _("Another person must agree before it is given back.") if waits
                    else _("The refund is on its way."))  # fmt: skip
            return redirect("invoicing_staff:payment_detail", payment.reference)
    context = {"payment": payment, "form": form, "most": most}
    return render(request, "invoicing/staff_payment_give_back.html", context, status=422 if form.errors else 200)
