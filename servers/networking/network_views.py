"""The network of a server, on one page for its owner and one for staff (SRV-3, SRV-8)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from panel.core import clock
from panel.core.actors import Actor
from panel.core.errors import RuleViolation
from panel.core.web import actor, page, say
from servers import actions, enforcement, places, selectors
from servers.models import Firewall, PortTest, Server
from servers.networking import firewall_rules, firewall_wording, firewalls, port_tests, reverse_names
from servers.networking.firewall_rules import MOST_RULES, Policy, Rule, Verdict, Wrong
from servers.networking.network_forms import DefaultsForm, NameForm, PortForm, RuleForm, TemplateForm, given
from servers.rules import ON_THE_HOST


@page(actions.SEE)
@require_http_methods(["GET", "POST"])
def server_network(request: HttpRequest, reference: str) -> HttpResponse:
    return _network(request, reference, "servers/server_network.html", "servers:server_network")


@page(actions.STAFF_SEE)
@require_http_methods(["GET", "POST"])
def staff_server_network(request: HttpRequest, reference: str) -> HttpResponse:
    """The same, as staff sees it, with what went wrong."""
    return _network(request, reference, "servers/staff_server_network.html", "servers:staff_server_network")


def _network(request: HttpRequest, reference: str, template: str, here: str) -> HttpResponse:
    asking, now = actor(request), clock.now()
    server = selectors.find_or_404(asking, reference)
    row = firewalls.of(server)
    deed, _colon, number = request.POST.get("deed", "").partition(":") if request.method == "POST" else ("", "", "")
    if request.method == "POST" and deed not in DEEDS:
        raise Http404(deed)
    held = server.holdings.attached().select_related("address").order_by("-is_first", "pk")
    ips = [str(one.address.ip) for one in held]
    shown: dict[str, Any] = {
        "forms": _forms(request, row.own, deed, ips), "edited": _edited(request, row.own, deed), "ips": ips
    }  # fmt: skip
    if deed:
        asked = Asked(server, row, request, asking, now, int(number) if number.isdecimal() else 0)
        try:
            say(request, DEEDS[deed](asked))
        except RuleViolation as refusal:
            shown |= _refused(request, shown["forms"].get(_form_of(deed)), refusal)
        else:
            return redirect(here, reference)
    context = _context(server, row, asking) | shown | {"here": request.path}
    part = request.GET.get("part", "") if not deed else ""
    return render(request, f"{template}#{part}" if part in PARTS else template, context, status=422 if deed else 200)


def _form_of(deed: str) -> str:
    return {"add": "rule", "save": "rule", "again": "", "open": "", "remove": "", "up": "", "unname": "name"}.get(
        deed, deed
    )


def _forms(request: HttpRequest, own: Policy, deed: str, ips: list[str]) -> dict[str, forms.Form]:
    def sent(name: str) -> Any:
        return request.POST if _form_of(deed) == name else None

    number = _number(request.GET.get("edit", ""), own)
    kept = firewall_rules.row_of(own.rules[number - 1]) if number else None
    return {
        "rule": RuleForm(sent("rule"), initial=kept, auto_id="rule-%s"),
        "defaults": DefaultsForm(
            sent("defaults"), initial={"default_in": own.default_in, "default_out": own.default_out},
        ),
        "template": TemplateForm(sent("template"), auto_id="template-%s"),
        "name": NameForm(sent("name"), ips=ips, auto_id="name-%s"),
        "try": PortForm(sent("try"), ips=ips, auto_id="try-%s"),
    }  # fmt: skip


def _edited(request: HttpRequest, own: Policy, deed: str) -> int:
    """The number of the rule that the form changes; 0 where it adds one."""
    wanted = request.POST.get("deed", "").partition(":")[2] if deed == "save" else request.GET.get("edit", "")
    return _number(wanted, own)


def _number(text: str, own: Policy) -> int:
    return int(text) if text.isdecimal() and 0 < int(text) <= len(own.rules) else 0


def _refused(request: HttpRequest, form: forms.Form | None, refusal: RuleViolation) -> dict[str, Any]:
    """A mistake stands at its field; what needs a second thought comes back with everything that was sent."""
    if refusal.field == "sure":
        kept = [(name, value) for name, value in request.POST.items() if name not in ("csrfmiddlewaretoken", "sure")]
        return {"warning": refusal.sentence, "sent": kept}
    if form is not None and refusal.field in form.fields:
        form.is_valid()
        form.add_error(refusal.field, refusal.sentence)
        return {}
    return {"error": refusal.sentence}


def _context(server: Server, row: Firewall, asking: Actor) -> dict[str, Any]:
    able = places.capabilities(server.place).firewall
    own = row.own
    return {
        "server": server, "row": row, "policy": own, "able": able, "most": min(able.most, MOST_RULES) if able else 0,
        "rules": [(number, rule, _shown(rule)) for number, rule in enumerate(own.rules, start=1)],
        "reach": firewall_rules.reach(row.wanted), "reach_word": firewall_wording.REACH[firewall_rules.reach(own)],
        "default_in": firewall_wording.VERDICTS[own.default_in], "drops_in": own.default_in is Verdict.DROP,
        "default_out": firewall_wording.VERDICTS[own.default_out], "drops_out": own.default_out is Verdict.DROP,
        "templates": list(firewall_wording.TEMPLATES.values()), "on_the_host": server.state in ON_THE_HOST,
        "place": places.label(server.place), "simulated": places.is_simulated(server.place),
        "image": places.images(server.place).get(server.image, server.image),
        "restrictions": enforcement.restrictions_on(server), "may_change": actions.FIREWALL.permits(asking),
        "reason": actions.FIREWALL.refusal(asking, server), "may_ask": actions.ASK_FIREWALL.permits(asking),
        "topic": f"server:{server.pk}",
        "names": reverse_names.names_of(server), "may_name": actions.NAME_ADDRESS.permits(asking),
        "name_reason": actions.NAME_ADDRESS.refusal(asking, server),
        "tests": [(one, policy_lets(row, one)) for one in port_tests.latest(server)],
        "may_try": actions.TEST_PORT.permits(asking), "try_reason": actions.TEST_PORT.refusal(asking, server),
    }  # fmt: skip


def policy_lets(row: Firewall, test: PortTest) -> bool:
    """Whether the firewall lets everybody in at the port that was tried."""
    return firewall_rules.reach(row.wanted, test.port) is firewall_rules.Reach.EVERYBODY


def _shown(rule: Rule) -> dict[str, Any]:
    return {
        "direction": firewall_wording.DIRECTIONS[rule.direction], "action": firewall_wording.VERDICTS[rule.action],
        "protocol": firewall_wording.PROTOCOLS[rule.protocol], "ports": firewall_rules.ports_text(rule.ports),
        "peers": firewall_rules.peers_text(rule.peers),
        "drops": rule.action is Verdict.DROP, "outgoing": rule.direction is firewall_rules.Direction.OUT,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One deed asked on the page; `number` is the rule's it is about."""

    server: Server
    row: Firewall
    request: HttpRequest
    actor: Actor
    now: datetime
    number: int

    def change(self, policy: Policy) -> str:
        """What is said once the change is on its way."""
        seen = self.request.POST.get("seen", "")
        firewalls.change(
            self.server, policy, actor=self.actor, now=self.now, seen=int(seen) if seen.isdecimal() else None,
            sure=self.request.POST.get("sure") == "yes",
        )  # fmt: skip
        return _("The firewall is being changed. The page shows when it is in force.")

    @property
    def sent(self) -> Rule:
        """The rule that the form describes."""
        try:
            return firewall_rules.rule_of(given(RuleForm(self.request.POST)))
        except Wrong as wrong:
            raise firewalls.violation(wrong) from wrong

    @property
    def rules(self) -> list[Rule]:
        """The rules there are; Http404 where the deed is about one that is not."""
        made = list(self.row.own.rules)
        if self.number and self.number > len(made):
            raise Http404(str(self.number))
        return made

    def with_rules(self, made: list[Rule]) -> Policy:
        return replace(self.row.own, rules=tuple(made))


def _add(asked: Asked) -> str:
    return asked.change(asked.with_rules([*asked.rules, asked.sent]))


def _save(asked: Asked) -> str:
    made = asked.rules
    made[_place(asked)] = asked.sent
    return asked.change(asked.with_rules(made))


def _remove(asked: Asked) -> str:
    made = asked.rules
    del made[_place(asked)]
    return asked.change(asked.with_rules(made))


def _up(asked: Asked) -> str:
    made, place = asked.rules, _place(asked)
    if place:
        made[place - 1], made[place] = made[place], made[place - 1]
    return asked.change(asked.with_rules(made))


def _place(asked: Asked) -> int:
    if not 0 < asked.number <= len(asked.row.own.rules):
        raise Http404(str(asked.number))
    return asked.number - 1


def _defaults(asked: Asked) -> str:
    words = given(DefaultsForm(asked.request.POST))
    rules = [firewall_rules.row_of(rule) for rule in asked.row.own.rules]
    return asked.change(firewalls.policy_of({**words, "rules": rules}))


def _template(asked: Asked) -> str:
    words = given(TemplateForm(asked.request.POST))
    template = firewall_rules.TEMPLATES.get(words["template"])
    if template is None:
        raise Http404(words["template"])
    try:
        return asked.change(template.policy(words["peers"]))
    except Wrong as wrong:
        raise firewalls.violation(wrong) from wrong


def _again(asked: Asked) -> str:
    firewalls.apply_again(asked.server, actor=asked.actor, now=asked.now)
    return _("The firewall is set once more. The page shows when it is in force.")


def _open(asked: Asked) -> str:
    return asked.change(firewall_rules.OPEN)


def _try(asked: Asked) -> str:
    port = asked.request.POST.get("port", "")
    port_tests.ask(
        asked.server, asked.request.POST.get("ip", ""), int(port) if port.isdecimal() and len(port) < 7 else 0,
        actor=asked.actor, now=asked.now,
    )  # fmt: skip
    return _("The port is being tried. The page shows what we met.")


def _name(asked: Asked) -> str:
    ip, name = asked.request.POST.get("ip", ""), asked.request.POST.get("name", "")[:300]
    if not name.strip():
        raise RuleViolation(_("Write the name."), field="name")
    reverse_names.set_name(asked.server, ip, name, actor=asked.actor, now=asked.now)
    return _("The name is being checked and published. The page shows when it is.")


def _unname(asked: Asked) -> str:
    reverse_names.set_name(asked.server, asked.request.POST.get("ip", ""), "", actor=asked.actor, now=asked.now)
    return _("The name is being taken away.")


PARTS = frozenset({"firewall", "tests", "names"})
DEEDS: dict[str, Callable[[Asked], str]] = {
    "add": _add, "save": _save, "remove": _remove, "up": _up, "defaults": _defaults, "template": _template,
    "again": _again, "open": _open, "try": _try, "name": _name, "unname": _unname,
}  # fmt: skip
