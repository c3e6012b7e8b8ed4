"""The staff's pages of direct debits: what waits for a file and why it may not go, the files, and single debits."""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from invoicing import actions
from invoicing.chasing import rejection_fees
from invoicing.debiting import batches, debit_rules, debit_selectors, debits, outcomes
from invoicing.debiting.debit_forms import DiscardForm, MakeForm, ProofForm, UntilForm
from invoicing.handing_out import Made
from invoicing.issuing import downloads
from invoicing.models import BatchState, Debit, DebitBatch, DebitState
from invoicing.paying import rejections
from invoicing.paying.payment_rules import OURS
from invoicing.quoting.quote_forms import refuse
from panel.core import clock, web
from panel.core.calendars import paris_date
from panel.core.errors import RuleViolation

PAGE = 40


@web.page(actions.STAFF_DEBITS)
@require_safe
def debit_list(request: HttpRequest) -> HttpResponse:
    """The dry run up to a day, and the button that makes the file."""
    now = clock.now()
    asked = UntilForm(request.GET) if "until" in request.GET else None
    until = asked.cleaned_data["until"] if asked is not None and asked.is_valid() else debit_rules.soon(paris_date(now))
    page = Paginator(debits.announced(), PAGE).get_page(request.GET.get("page"))
    due = batches.candidates(until, now=now)
    going = [one for one in due if not one.hindrance]
    context = {
        "until": until, "until_form": asked or UntilForm(initial={"until": until}),
        "going": len(going), "cents": sum(one.debit.cents for one in going), "kept": len(due) - len(going),
        "candidates": debits.judged(page.object_list, now=now), "page": page,
        "make_form": MakeForm(), "may_make": actions.MAKE_DEBITS.permits(web.actor(request)),
        "missed": debit_selectors.missed(now).count(),
    }  # fmt: skip
    return render(request, "invoicing/staff_debit_list.html", context)


@web.page(actions.STAFF_DEBITS)
@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    """Every file that was made."""
    page = Paginator(DebitBatch.objects.select_related("made_by"), PAGE).get_page(request.GET.get("page"))
    return render(request, "invoicing/staff_debit_batch_list.html", {"page": page})


@web.page(actions.MAKE_DEBITS)
@require_POST
def debit_make(request: HttpRequest) -> HttpResponse:
    """Make the file; the same form sent twice makes one."""
    form = MakeForm(request.POST)
    if not form.is_valid():
        return redirect("invoicing_staff:debit_list")
    given = form.cleaned_data
    batch = batches.make(key=given["key"], until=given["until"], actor=web.actor(request), now=clock.now())
    return redirect("invoicing_staff:debit_batch_detail", batch.reference)


@web.page(actions.MAKE_DEBITS)
@require_POST
def debit_announce(request: HttpRequest) -> HttpResponse:
    """Announce again, with a new day, all whose days passed without a file; the same form sent twice does it once."""
    now = clock.now()
    debits.announce_missed(key=request.POST.get("key", "")[:64] or now.isoformat(), now=now)
    web.say(request, _("They are being announced to the customers again, with another day."))
    return redirect("invoicing_staff:debit_list")


def _batch(reference: str) -> DebitBatch:
    return get_object_or_404(DebitBatch.objects.select_related("made_by", "sent_by", "blob"), reference=reference)


@web.page(actions.STAFF_DEBITS)
@require_safe
def batch_detail(request: HttpRequest, reference: str) -> HttpResponse:
    """One file: what became of each debit in it."""
    return _page(request, _batch(reference))


def _page(request: HttpRequest, batch: DebitBatch, form: DiscardForm | None = None) -> HttpResponse:
    rows = batch.debits.select_related("account", "invoice", "payment", "mandate").order_by("debit_on", "pk")
    wrong = batches.stopped(batch, now=clock.now()) if batch.state == BatchState.MADE else []
    sums = batch.debits.order_by().values("state").annotate(count=Count("pk"), cents=Sum("cents"))
    sent = batch.state == BatchState.SENT
    left = sum(one["count"] for one in sums if one["state"] == DebitState.PLACED) if sent else 0
    context = {
        "batch": batch, "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "sums": sums, "left": left, "wrong": wrong, "open": batch.state == BatchState.MADE,
        "form": form or DiscardForm(), "may_make": actions.MAKE_DEBITS.permits(web.actor(request)),
    }  # fmt: skip
    return render(request, "invoicing/staff_debit_batch.html", context, status=422 if form else 200)


@web.page(actions.MAKE_DEBITS)
@require_safe
def batch_file(request: HttpRequest, reference: str) -> HttpResponse:
    """The file as it was frozen."""
    batch = _batch(reference)
    return downloads.attachment(Made(f"{batch.reference}.xml", "application/xml", batches.content(batch)))


@web.page(actions.MAKE_DEBITS)
@require_POST
def batch_send(request: HttpRequest, reference: str) -> HttpResponse:
    """The file was handed to the bank."""
    already = request.POST.get("already") == "on"
    batches.hand_over(_batch(reference), already=already, actor=web.actor(request), now=clock.now())
    web.say(request, _("It is with the bank. What it collects is paid once its statement says so."))
    return redirect("invoicing_staff:debit_batch_detail", reference)


@web.page(actions.MAKE_DEBITS)
@require_POST
def batch_discard(request: HttpRequest, reference: str) -> HttpResponse:
    """The file is not handed over."""
    batch, form = _batch(reference), DiscardForm(request.POST)
    if form.is_valid():
        batches.discard(batch, reason=form.cleaned_data["reason"], actor=web.actor(request), now=clock.now())
        web.say(request, _("It is discarded; its debits wait for another file."))
        return redirect("invoicing_staff:debit_list")
    return _page(request, batch, form)


@web.page(actions.STAFF_DEBITS)
def debit_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One debit: its notices, its file, what the bank said; and what a person knows from the bank."""
    debit = get_object_or_404(debits.known(Debit.objects.select_related("batch", "receipt__file")), pk=pk)
    actor, now = web.actor(request), clock.now()
    may_say = debit.state in (DebitState.SENT, DebitState.COLLECTED) and actions.MAKE_DEBITS.permits(actor)
    form = ProofForm(request.POST or None)
    if request.method == "POST":
        actions.MAKE_DEBITS.check(actor)
        if form.is_valid():
            try:
                _say(debit, form, actor=actor, now=now)
            except RuleViolation as refusal:
                refuse(form, refusal)
            else:
                return redirect("invoicing_staff:debit_detail", pk)
    context = {
        "debit": debit, "form": form, "may_say": may_say,
        "again": debit.state == DebitState.REFUSED and debit.code in OURS and actions.MAKE_DEBITS.permits(actor),
        "fee": rejection_fees.of(debit.payment),
        "reason": rejections.reason(debit.code) if debit.code else "",
        "refundable": debit_rules.refundable_until(debit.debit_on),
        "contestable": debit_rules.contestable_until(debit.debit_on),
    }  # fmt: skip
    return render(request, "invoicing/staff_debit_detail.html", context, status=422 if form.errors else 200)


@web.page(actions.MAKE_DEBITS)
@require_POST
def debit_again(request: HttpRequest, pk: int) -> HttpResponse:
    """Collect anew what was refused through no fault of the customer."""
    debit = get_object_or_404(Debit.objects.select_related("invoice"), pk=pk)
    debits.collect_again(debit, now=clock.now())
    web.say(request, _("It is announced to the customer again, with another day."))
    return redirect("invoicing_staff:debit_list")


def _say(debit: Debit, form: ProofForm, **who: Any) -> None:
    code, proof, day = form.said
    if code:
        outcomes.say_refused(debit, code=code, proof=proof, day=day, **who)
    else:
        outcomes.say_collected(debit, proof=proof, day=day, **who)
