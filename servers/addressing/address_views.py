"""The addresses of an account, and the pools of every place for staff (SRV-3)."""

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from invoicing import actions as invoicing_actions
from panel.core import clock
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, places, providers
from servers.addressing import address_selectors, blocks, giving_back, moving
from servers.models import Address, AddressHolding, Server


@page(actions.SEE_ADDRESSES)
@require_http_methods(["GET", "POST"])
def address_list(request: HttpRequest) -> HttpResponse:
    """Where each address is, where it may go, and what was held before."""
    asking, error = actor(request), ""
    if request.method == "POST":
        try:
            say(request, _done(request))
        except RuleViolation as refusal:
            error = refusal.sentence
        else:
            return redirect("servers:address_list")
    found = address_selectors.mine(asking, request.GET.get("after", ""))
    part = request.GET.get("part") == "addresses" and not error
    may_order = invoicing_actions.CHANGE_SUBSCRIPTION.permits(asking)
    context = {
        "found": found, "page": found.page, "error": error, "here": request.get_full_path() if found.page.first else "",
        "may_move": actions.MOVE_ADDRESS.permits(asking), "may_give_back": actions.GIVE_BACK_ADDRESS.permits(asking),
        "topic": f"account:{asking.account_id}", "may_order": may_order,
    }  # fmt: skip
    if not part:
        context |= {"past": address_selectors.past(asking),
                    "orderable": address_selectors.orderable(asking) if may_order else ()}  # fmt: skip
    template = "servers/address_list.html" + "#addresses" * part
    return render(request, template, context, status=422 if error else 200)


def _done(request: HttpRequest) -> str:
    asking, sent, now = actor(request), request.POST, clock.now()
    held = AddressHolding.objects.visible_to(asking).now().filter(pk=_number(sent.get("holding", "")))
    holding = held.select_related("address").first()
    if holding is None or sent.get("deed") not in ("move", "give_back"):
        raise Http404("address")
    if sent["deed"] == "give_back":
        giving_back.give_back(holding.address, actor=asking, now=now)
        return _("%(ip)s goes back at the renewal; until then it stays yours.") % {"ip": holding.address.ip}
    to = None
    if sent.get("to"):
        to = Server.objects.visible_to(asking).filter(reference=sent["to"]).first()
        if to is None:
            raise Http404("server")
    moving.move(holding.address, to, actor=asking, now=now)
    return _("%(ip)s is on its way. The page shows when it is there.") % {"ip": holding.address.ip}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


class BlockForm(forms.Form):
    """A network and the place that gives it out."""

    place = forms.ChoiceField(label=gettext_lazy("Place"))
    network = forms.CharField(
        label=gettext_lazy("Network"), max_length=60,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Such as 192.0.2.0/24 or 2001:db8::/64. Its first address is the gateway’s."),
    )  # fmt: skip


@page(actions.STAFF_POOLS)
@require_http_methods(["GET", "POST"])
def pool_list(request: HttpRequest) -> HttpResponse:
    """What each place has left, who held an address, and what rests."""
    asking, words = actor(request), request.GET.get("q", "").strip()[:80]
    form = BlockForm(request.POST or None)
    growable = [(name, places.label(name)) for name in providers.places() if places.capabilities(name).any_block]
    form.fields["place"].choices = growable  # type: ignore[attr-defined]
    if request.method == "POST":
        actions.ADD_BLOCK.check(asking)
        if form.is_valid():
            sent = form.cleaned_data
            try:
                row = blocks.add(sent["place"], sent["network"], actor=asking, now=clock.now())
            except RuleViolation as refusal:
                form.add_error(refusal.field, refusal.sentence)
            else:
                say(request, _("%(network)s is given out from now on.") % {"network": row.network})
                return redirect("servers:staff_pool_list")
    holders = address_selectors.holders(words) if words else None
    context = {
        "pools": address_selectors.pools(), "words": words, "holders": holders, "no_address": words and holders is None,
        "resting": address_selectors.resting(), "form": form, "growable": growable,
        "may_add": actions.ADD_BLOCK.permits(asking),
        "address": Address.objects.filter(pk=holders[0].address_id).first() if holders else None,
    }  # fmt: skip
    return render(request, "servers/staff_pool_list.html", context, status=422 if form.errors else 200)
