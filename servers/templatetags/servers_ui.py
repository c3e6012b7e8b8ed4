"""Small pieces that several pages of servers share."""

from functools import lru_cache
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _

from panel.core import badges, rows
from panel.core.quantities import bytes_in_words, duration_in_words
from panel.core.templatetags.ui import badge, label, meter, when
from servers import months, places, wording
from servers.fleet import Fleet, Row
from servers.models import Server
from servers.rules import Power
from servers.selectors import Traffic
from servers.watching.shown import Shown

register = template.Library()

POWER: dict[str, tuple[str | Promise, str, str]] = {
    Power.ON: (pgettext_lazy("power", "On"), "good", "power"),
    Power.OFF: (gettext_lazy("Off"), "neutral", "stopped"),
    Power.PENDING: (gettext_lazy("Coming up"), "info", "working"),
    Power.GONE: (gettext_lazy("No machine"), "bad", "bad"),
    Power.UNKNOWN: (gettext_lazy("Unknown"), "neutral", "help"),
}


@register.simple_tag
def state_word(state: str) -> str | Promise:
    """The word of a server's state, for filters."""
    return badges.of(state, "server").word


@register.simple_tag
def power_label(power: str) -> SafeString:
    """What the host says, as a badge of its own: it is a fact beside the state, not the state."""
    word, tone, icon = POWER[power]
    return label(word, tone, icon)


@register.simple_tag
def used_meter(server: Server, traffic: Traffic) -> SafeString:
    """The usage bar of a traffic month with its forecast."""
    return _meter(server, traffic.used, traffic.included, traffic.forecast_total)


@register.filter
def lets_any_key_in(server: Server) -> bool:
    """Whether a rescue system at the server's place lets in every key of the account, also one added since."""
    return places.capabilities(server.place).rescue_keys


@register.simple_tag
def finding_word(kind: str) -> str | Promise:
    """What a kind of discrepancy is called."""
    return wording.FINDINGS[kind]


@register.simple_tag
def fleet_table(found: Fleet) -> SafeString:
    """The rows of the fleet, drawn by Jinja2: this list has to stay fast."""
    zone = timezone.get_current_timezone_name()
    return _fleet_table(tuple(found.rows), found.past, tuple(places.labels().items()), get_language() or "", zone)


@lru_cache(maxsize=128)
def _fleet_table(
    found: tuple[Row, ...], past: bool, labels: tuple[tuple[str, str], ...], language: str, zone: str
) -> SafeString:
    """A function of its values: the same rows for the next colleague are not drawn again."""
    words = {
        "fleet": _("Fleet"), "name": _("Name"), "customer": _("Customer"), "state": _("State"), "address": _("Address"),
        "place": _("Place"), "traffic": _("Traffic this month"), "held": _("Held"),
    }  # fmt: skip
    cells = [
        (row.reference, row.name, row.account, row.account_reference, row.state, row.reachable, row.address,
         row.blocked, row.place, bytes_in_words(row.used, language=language), row.percent, row.held_from,
         row.held_until)
        for row in found
    ]  # fmt: skip
    return rows.draw(
        "servers/fleet.html", rows=cells, past=past, words=words, base=reverse("servers:staff_server_list"),
        badges={state: badge(state, "server") for state in {row.state for row in found}},
        unreachable=badge("unreachable", "server"), blocked=badge("blocked", "address"),
        places={place: escape(name) for place, name in labels}, when=lambda instant: when(Context(), instant),
    )  # fmt: skip


@register.inclusion_tag("servers/_vitals_meters.html", takes_context=True)
def vitals_meters(context: Context, server: Server, shown: Shown) -> dict[str, Any]:
    """Processors, memory, disk and network of a machine as they were read last."""
    found = shown.rates
    of = _("%(used)s of %(whole)s")
    memory = [bytes_in_words(part, binary=True) for part in shown.memory or ()]
    disk = [bytes_in_words(part) for part in shown.disk or ()]
    rates = None if found.rx_rate is None or found.tx_rate is None else (_rate(found.rx_rate), _rate(found.tx_rate))
    return {
        "row": shown.row, "shell": context.get("shell"), "now": context.get("now"), "rates": rates,
        "cpu": found.cpu_percent, "cpu_name": _("Use of the processors"),
        "cpu_text": _("of %(count)s vCPU") % {"count": server.size["vcpu"]},
        "memory": shown.memory, "memory_name": _("Used memory"), "disk": shown.disk, "disk_name": _("Used disk"),
        "memory_text": of % {"used": memory[0], "whole": memory[1]} if memory else "",
        "disk_text": of % {"used": disk[0], "whole": disk[1]} if disk else "",
        "up": duration_in_words(shown.up) if shown.up else "",
        "load": number_format(found.load, 2) if found.load is not None else "",
    }  # fmt: skip


def _rate(each_second: float) -> str:
    return _("%(size)s/s") % {"size": bytes_in_words(round(each_second))}


@register.simple_tag
def traffic_meter(server: Server) -> SafeString:
    """The usage bar of a row annotated with `month_bytes` and `month_given`."""
    included = months.left(server.included_bytes, getattr(server, "month_given", 0))
    return _meter(server, getattr(server, "month_bytes", None) or 0, included, None)


def _meter(server: Server, used: int, included: int, forecast: int | None) -> SafeString:
    text = _("%(used)s of %(included)s") % {"used": bytes_in_words(used), "included": bytes_in_words(included)}
    name = _("Traffic of %(name)s") % {"name": server.name}
    return meter(used, included, name, text, forecast)
