"""The customer's servers: list, one server with its power and traffic, SSH keys."""

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from invoicing import actions as invoicing_actions
from invoicing.limiting import limits
from panel import terms
from panel.accounts.models import Account
from panel.core import clock
from panel.core.errors import RuleViolation
from panel.core.quantities import duration_in_words
from panel.core.spreadsheets import spreadsheet
from panel.core.web import actor, page, say
from servers import actions, charting, keys, outages, places, selectors, upgrading, wording
from servers.forms import KeyForm, WarnForm
from servers.maintaining import maintenance_wording, status_selectors
from servers.models import Server, SshKey
from servers.networking import firewalls
from servers.rules import ALIVE, POWER_VERBS, Verb
from servers.terminals import terminal_actions
from servers.verbs import power
from servers.watching import shown


def _server(request: HttpRequest, reference: str) -> Server:
    return selectors.find_or_404(actor(request), reference)


def _part(request: HttpRequest, name: str) -> str:
    """The address under which a live page fetches one of its parts again."""
    query = request.GET.copy()
    query["part"] = name
    return f"{request.path}?{query.urlencode()}"


@page(actions.SEE)
@require_GET
def server_list(request: HttpRequest) -> HttpResponse:
    words, state = request.GET.get("q", "").strip()[:80], request.GET.get("state", "")
    before, label = request.GET.get("before", ""), request.GET.get("label", "")[:24]
    found = selectors.page_of_servers(
        actor(request), words=words, state=state, label=label, before=int(before) if before.isdecimal() else None
    )
    context = {
        "found": found, "words": words, "label": label, "labels": selectors.labels(actor(request)),
        "state": state if state in ALIVE else "",
        "topic": f"account:{actor(request).account_id}", "live_url": _part(request, "rows"),
        "states": ("running", "stopped", "suspended", "creating"), "may_order": actor(request).may("order"),
        "simulated": {place for place in {server.place for server in found.rows} if places.is_simulated(place)},
    }  # fmt: skip
    if request.GET.get("part") == "rows":
        return render(request, "servers/server_list.html#rows", context)
    account = Account.objects.visible_to(actor(request)).filter(pk=actor(request).account_id or 0).first()
    if account is not None and context["may_order"]:
        context["limits"] = limits.of(account, now=clock.now())
    return render(request, "servers/server_list.html", context)


@page(actions.SEE)
@require_GET
def server_detail(request: HttpRequest, reference: str) -> HttpResponse:
    server, now = _server(request, reference), clock.now()
    vitals = shown.vitals_of(server, now=now)
    if request.GET.get("part") == "vitals":
        return _vitals(request, server, vitals, now)
    detail, buttons = selectors.detail(server, now=now), wording.buttons(actor(request), server)
    context = {
        "detail": detail, "server": server, "traffic": detail.traffic, "steps": wording.creation_steps(detail.creation),
        "buttons": buttons, "reasons": wording.reasons(buttons),
        "log": wording.log_entries(detail.actions, reader=actor(request)),
        "busy": wording.VERBS[detail.busy_with.verb] if detail.busy_with else "", "place": places.label(server.place),
        "image": places.images(server.place).get(server.image, server.image),
        "simulated": places.is_simulated(server.place),
        "may_change_keys": actions.KEYS.permits(actor(request)), "may_manage": actions.MANAGE.permits(actor(request)),
        "may_open": terminal_actions.OPEN.permits(actor(request)), "closed_ports": firewalls.closed_ports(server),
        "now": now, "memory": server.size["memory_mb"] * 2**20,
        "topic": f"server:{server.pk}", "live_url": _part(request, "live"),
        "vitals": vitals, "vitals_url": _part(request, "vitals"),
    }  # fmt: skip
    if request.GET.get("part") == "live":
        return render(request, "servers/server_detail.html#live", context)
    context["interruptions"] = [
        maintenance_wording.shown(row, get_language() or "") for row in status_selectors.on_server(server)
    ]
    context["availability"] = outages.recent(server, now=now)
    context["promise"] = terms.version(server.subscription.terms_version).availability
    context["chart"] = charting.draw(server, "24h", traffic=detail.traffic, now=now)
    context["vitals_chart"] = shown.chart(vitals, now=now)
    context["keys_reason"] = actions.KEYS.refusal(actor(request), server) if context["may_change_keys"] else ""
    if context["may_change_keys"] and not context["keys_reason"]:
        on_it = {key.pk for key in detail.keys}
        rows = SshKey.objects.visible_to(actor(request)).filter(account_id=server.account_id, removed_at=None)
        context["key_choices"] = [(key, key.pk in on_it) for key in rows]
    return render(request, "servers/server_detail.html", context)


def _vitals(request: HttpRequest, server: Server, vitals: shown.Shown, now: datetime) -> HttpResponse:
    """How the machine does, alone: fetched again at each reading."""
    context = {
        "server": server, "vitals": vitals, "vitals_url": _part(request, "vitals"), "now": now,
        "place": places.label(server.place),
    }  # fmt: skip
    return render(request, "servers/_vitals.html", context)


@page(actions.SEE)
@require_http_methods(["GET", "POST"])
def server_traffic(request: HttpRequest, reference: str) -> HttpResponse:
    server, now = _server(request, reference), clock.now()
    form = WarnForm(request.POST or None, initial={"warn_percent": server.warn_percent})
    if request.method == "POST":
        if not actions.WARN_AT.permits(actor(request)):
            raise PermissionDenied(actions.WARN_AT.name)
        if form.is_valid():
            Server.objects.filter(pk=server.pk).update(warn_percent=form.cleaned_data["warn_percent"])
            say(request, _("Your traffic warning is set."))
            return redirect("servers:server_traffic", reference)
    span = request.GET.get("span", "24h")
    traffic = selectors.traffic(server, now=now)
    since, until = charting.stretch(span, traffic=traffic, now=now)
    counted = selectors.hours(server, since=since, until=until)
    beyond = traffic.used >= traffic.included and invoicing_actions.CHANGE_SUBSCRIPTION.permits(actor(request))
    context = {
        "offer": upgrading.offer(server, traffic.used, now=now, language=get_language() or "") if beyond else None,
        "server": server, "traffic": traffic, "spans": charting.SPANS, "form": form,
        "doubts": server.doubtful_readings.filter(account=server.account_id, state="waiting").exists(),
        "months": server.months.filter(account=server.account_id)[:12],
        "chart": charting.draw(server, span, traffic=traffic, now=now),
        "span": span if span in charting.SPANS else "24h",
        "sums": charting.sums(counted),
        "topic": f"server:{server.pk}", "live_url": _part(request, "figures"), "unit_price": traffic.unit_price,
        "pace": duration_in_words(traffic.forecast.over) if traffic.forecast else "",
        "may_warn": actions.WARN_AT.permits(actor(request)), "now": now,
    }  # fmt: skip
    part = "#figures" if request.GET.get("part") == "figures" else ""
    return render(request, f"servers/server_traffic.html{part}", context)


@page(actions.SEE)
@require_GET
def server_traffic_file(request: HttpRequest, reference: str) -> HttpResponse:
    """The hours of a span as a file for a spreadsheet: UTC, in bytes."""
    server, now, span = _server(request, reference), clock.now(), request.GET.get("span", "24h")
    since, until = charting.stretch(span, traffic=selectors.traffic(server, now=now), now=now)
    head = [[_("Hour (UTC)"), _("Into the server, bytes"), _("Out of the server, bytes"), _("Together, bytes")]]
    rows = [
        [f"{hour:%Y-%m-%d %H:%M}", str(rx), str(tx), str(rx + tx)]
        for hour, rx, tx in selectors.hours(server, since=since, until=until)
    ]
    return spreadsheet(head + rows, f"{server.name}-traffic-{since:%Y-%m-%d}.csv")


@page(actions.START)
@require_POST
def server_power(request: HttpRequest, reference: str) -> HttpResponse:
    """Start, stop, cut or reboot; the action of the verb is checked inside the use case."""
    verb = request.POST.get("verb", "")
    if verb not in POWER_VERBS:
        raise Http404(verb)
    server = _server(request, reference)
    try:
        power.request(server, Verb(verb), actor=actor(request), now=clock.now())
        say(request, wording.asked(Verb(verb)))
    except RuleViolation as refusal:
        say(request, refusal.sentence, error=True)
    back = "servers:staff_server_detail" if actor(request).account_id is None else "servers:server_detail"
    return redirect(back, reference)


@page(actions.KEYS)
@require_POST
def server_keys(request: HttpRequest, reference: str) -> HttpResponse:
    """Have exactly the ticked keys of the account on the server (SRV-2)."""
    server, now = _server(request, reference), clock.now()
    actions.KEYS.check(actor(request), server)
    wanted = {int(one) for one in request.POST.getlist("keys") if one.isdecimal()}
    for key in SshKey.objects.visible_to(actor(request)).filter(account_id=server.account_id, removed_at=None):
        (keys.put_on if key.pk in wanted else keys.take_off)(key, server, now=now)
    say(request, _("The keys are being changed on the server."))
    return redirect("servers:server_detail", reference)


@page(actions.SEE_KEYS)
@require_GET
def key_list(request: HttpRequest) -> HttpResponse:
    rows = SshKey.objects.visible_to(actor(request)).filter(removed_at=None).prefetch_related("on_servers__server")
    return render(request, "servers/key_list.html", {"keys": rows, "may_change": actions.KEYS.permits(actor(request))})


@page(actions.KEYS)
@require_http_methods(["GET", "POST"])
def key_add(request: HttpRequest) -> HttpResponse:
    asking = actor(request)
    servers = (
        Server.objects.visible_to(asking)
        .exclude(state__in=["destroying", "destroyed", "failed"])
        .filter(place__in=[place for place in places.labels() if places.able(place, Verb.KEYS)])
        .order_by("name")
    )
    form = KeyForm(request.POST or None, servers=servers)
    if request.method == "POST" and form.is_valid():
        account = Account.objects.visible_to(asking).get(pk=asking.account_id or 0)
        given = form.cleaned_data
        try:
            key = keys.add(
                account, name=given["name"], public_key=given["public_key"], servers=given.get("servers") or (),
                actor=asking, now=clock.now(),
            )  # fmt: skip
        except RuleViolation as refusal:
            form.add_error(refusal.field or None, refusal.sentence)
        else:
            say(request, _("The key %(name)s was added.") % {"name": key.name})
            return redirect("servers:key_list")
    return render(request, "servers/key_add.html", {"form": form}, status=422 if form.errors else 200)


@page(actions.KEYS)
@require_POST
def key_delete(request: HttpRequest, pk: int) -> HttpResponse:
    key = SshKey.objects.visible_to(actor(request)).filter(pk=pk).first()
    if key is None:
        raise Http404(str(pk))
    stays = keys.remove(key, actor=actor(request), now=clock.now())
    say(request, _("The key %(name)s was removed, and is being taken off your servers.") % {"name": key.name})
    if stays:
        sentence = _("We cannot take it off %(servers)s: remove it there yourself, in /root/.ssh/authorized_keys.")
        say(request, sentence % {"servers": ", ".join(server.name for server in stays)}, error=True)
    return redirect("servers:key_list")
