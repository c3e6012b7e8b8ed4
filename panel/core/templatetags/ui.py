"""The components every page is made of. Shown in all their states on /ops/style/, told in docs/how-to/add-a-page.md."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.db.models import Model
from django.template import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone, translation
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, pgettext

from panel.core import badges, icons, kept, quantities, rows
from panel.core import charts as charting
from panel.core.money import format_eur

register = template.Library()
Text = str | Promise


def _now(context: Context) -> datetime:
    """The request's instant: `now` in the context, else the frame's."""
    found: datetime = context["now"] if "now" in context else context["shell"].now
    return found


# --- words and figures -------------------------------------------------------------------------------------------
@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """`{% icon "server" %}`: one of our names (panel.core.icons); decorative unless labelled."""
    return icons.draw(name, label)


@register.simple_tag
def badge(state: Any, kind: str = "") -> SafeString:
    """`{% badge server %}` or `{% badge "running" "server" %}`: icon, word and tone from the one table."""
    if isinstance(state, Model):
        kind, state = kind or str(state._meta.model_name), getattr(state, "state")  # noqa: B009 - every such model has one
    found = badges.of(str(getattr(state, "value", state)), kind)
    turning = " badge-turning" if found.turning else ""
    return format_html(
        '<span class="badge tone-{}{}">{}{}</span>', found.tone, turning, icons.draw(found.icon), found.word
    )


@register.simple_tag
def label(word: Text, tone: str = "neutral", icon_name: str = "tag") -> SafeString:
    """A badge that is no state: a role, a format, "Simulated"."""
    return format_html('<span class="badge tone-{}">{}{}</span>', tone, icons.draw(icon_name), word)


@register.simple_tag
def money(cents: int | None) -> str:
    """Integer cents as `EUR 1,234.50`; a dash for None. Put it in a `.num` cell."""
    return "\u2013" if cents is None else format_eur(cents, translation.get_language() or "en")


@register.filter
def unit_price(value: Decimal) -> str:
    """A price of one in EUR: two decimals, and more where it has more (0.002 a mail)."""
    return number_format(value, decimal_pos=max(2, -int(value.normalize().as_tuple().exponent)))


@register.filter
def figure(value: Decimal | int | str | None) -> str:
    """A quantity or a percentage, grouped, with the decimals it has and no idle zeros (`1,234.567`)."""
    if value is None or value == "":
        return ""
    number = Decimal(str(value)).normalize()
    return number_format(number, decimal_pos=max(0, -int(number.as_tuple().exponent)), force_grouping=True)


@register.simple_tag(name="bytes")
def bytes_tag(count: int | Decimal | None, binary: bool = False) -> str:
    """Bytes in words: decimal units, `binary=True` for memory (GiB); a dash for None."""
    return "\u2013" if count is None else quantities.bytes_in_words(count, binary=binary)


@register.filter
def initials(name: str) -> str:
    """Two letters for an avatar."""
    words = [word for word in str(name).replace("@", " ").replace(".", " ").split() if word[:1].isalnum()]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper() or "?"


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (("Android", "Android"), ("iPhone", "iOS"), ("Windows", "Windows"), ("Mac OS", "macOS"), ("Linux", "Linux"))


@register.filter
def device(user_agent: str) -> str:
    """`Firefox on Linux`, from what a browser says of itself; what it says, where that is not known."""
    browser = next((name for sign, name in BROWSERS if sign in user_agent), "")
    system = next((name for sign, name in SYSTEMS if sign in user_agent), "")
    if browser and system:
        return gettext("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or user_agent[:70]


@register.filter
def message_tone(level: str) -> str:
    """The tone of a message of django.contrib.messages."""
    return {"success": "good", "warning": "warn", "error": "bad"}.get(level, "info")


# --- times -------------------------------------------------------------------------------------------------------
def _day() -> str:
    """How a day is written, as Django's `date` filter spells patterns."""
    return pgettext("pattern of a date", "j M Y")


@register.simple_tag(takes_context=True)
def when(context: Context, instant: datetime | date | None, style: str = "datetime") -> SafeString:
    """An instant in the reader's zone, the zone named, UTC on hover. `style`: datetime, seconds, date, ago (both)."""
    if instant is None:
        return mark_safe("\u2013")
    if not isinstance(instant, datetime):
        return format_html('<time datetime="{}">{}</time>', instant.isoformat(), date_format(instant, _day()))
    zone, language = timezone.get_current_timezone_name(), translation.get_language()
    return _ago(instant, _now(context), zone, language) if style == "ago" else _moment(instant, style, zone, language)


def _ago(instant: datetime, now: datetime, zone: str, language: str | None) -> SafeString:
    ago = quantities.ago(instant, now)  # words of ours
    return mark_safe(f'{_moment(instant, "ago", zone, language)} <span class="muted nowrap">({ago})</span>')


@lru_cache(maxsize=4096)
def _moment(instant: datetime, style: str, zone: str, language: str | None) -> SafeString:
    """As drawn for the zone and the language in use: the same entries are shown again and again."""
    words = date_format(timezone.localtime(instant), _day() + {"date": "", "seconds": ", H:i:s"}.get(style, ", H:i"))
    if style != "date":
        words = f"{words} {quantities.zone_word(instant)}"
    utc = instant.astimezone(tz=timezone.get_fixed_timezone(0))
    return format_html(
        '<time class="nowrap" datetime="{}" title="{}">{}</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        words,
    )


@register.inclusion_tag("ui/countdown.html", takes_context=True)
def countdown(
    context: Context, deadline: datetime | None, paused: timedelta | bool | None = None, began: datetime | None = None
) -> dict[str, Any]:
    """Time left, the absolute instant beside it; told by the server's clock. `paused`: True, or what is left while the
    clock stands. `began`: the whole span, so that the tone turns at a half and at a tenth (else at 24 h and 6 h)."""
    now = _now(context)
    left = paused if isinstance(paused, timedelta) else (deadline - now if deadline else timedelta())
    whole = deadline - began if deadline and began else None
    warn, bad = (whole / 2, whole / 10) if whole else (timedelta(hours=24), timedelta(hours=6))
    stands = paused is not None and paused is not False
    tone = "info" if stands else "bad" if left <= bad else "warn" if left <= warn else "neutral"
    return {
        "deadline": deadline,
        "now": now,
        "paused": stands,
        "overdue": left < timedelta() and not stands,
        "left": quantities.duration_in_words(left),
        "tone": tone,
        "warn": int(warn.total_seconds()),
        "bad": int(bad.total_seconds()),
        "iso": deadline.isoformat() if deadline else "",
        "shell": context.get("shell"),
    }


# --- pictures ----------------------------------------------------------------------------------------------------
@register.simple_tag
def meter(
    used: float, total: float, label: Text, text: Text = "", forecast: float | None = None, progress: bool = False
) -> SafeString:
    """A usage bar: used of total, warned at 75 % and 100 %; `text` says it in words; `forecast` in the same unit. Of
    `progress` a full bar is a good one."""
    share = Decimal(str(used)) * 100 / Decimal(str(total)) if total else Decimal()
    ahead = Decimal(str(forecast)) * 100 / Decimal(str(total)) if forecast is not None and total else None
    tone = "bad" if share > 100 else "warn" if share >= 75 or (ahead is not None and ahead > 100) else "good"
    tone = "good" if progress else tone
    expected = "" if ahead is None else gettext("forecast %(forecast_percent)s %%") % {"forecast_percent": int(ahead)}
    return rows.draw(
        "ui/meter.html", label=label, text=text, percent=int(share), drawn=f"{min(share, Decimal(100)):.1f}", tone=tone,
        forecast=None if ahead is None else f"{min(ahead, Decimal(100)):.1f}", expected=expected,
    )  # fmt: skip


def _extremes(drawing: charting.Chart, index: int) -> str:
    """One series in a sentence, by its name where there are several."""
    found = drawing.extremes(index)
    if found is None:
        return ""
    facts = {
        "peak": drawing.show(found.peak[1]), "peak_at": found.peak[0], "last": drawing.show(found.last[1]),
        "last_at": found.last[0], "series": drawing.series[index].label,
    }  # fmt: skip
    if len(drawing.series) == 1:
        return gettext("Highest %(peak)s (%(peak_at)s), latest %(last)s (%(last_at)s).") % facts
    return gettext("%(series)s: highest %(peak)s (%(peak_at)s), latest %(last)s (%(last_at)s).") % facts


@register.inclusion_tag("ui/chart.html")
def chart(drawing: charting.Chart) -> dict[str, Any]:
    """A `panel.core.charts.Chart`: figure, summary sentence, legend, and a table with the same figures."""
    summary = drawing.summary or " ".join(_extremes(drawing, index) for index in range(len(drawing.series)))
    return {"chart": drawing, "summary": summary, "svg": mark_safe(drawing.svg())}  # numbers and class names


@register.inclusion_tag("ui/steps.html", takes_context=True)
def steps(context: Context, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A long action: each item has `title`, `state` (done, running, waiting, failed), optional `note` and `at`."""
    return {"items": items, "shell": context.get("shell")}


@register.simple_tag(takes_context=True)
def timeline(context: Context, entries: Sequence[dict[str, Any]]) -> SafeString:
    """What happened to an object: an entry has `title`, `at`, optional `icon`, `tone`, `note`, `rule`, `who`, `url`."""
    shown = ("title", "icon", "tone", "note", "rule", "who", "url")
    now, zone, language = _now(context), timezone.get_current_timezone_name(), translation.get_language()
    return _timeline(
        tuple((*(entry.get(name, "") for name in shown), _ago(entry["at"], now, zone, language)) for entry in entries)
    )


@lru_cache(maxsize=1024)
def _timeline(entries: tuple[tuple[Any, ...], ...]) -> SafeString:
    return rows.draw("ui/timeline.html", entries=entries, icon=icons.draw)


# --- controls ----------------------------------------------------------------------------------------------------
@register.simple_tag
def copy(text: Any, show: bool = True) -> SafeString:
    """A value in mono with a copy button; `show=False`: the button alone."""
    return format_html(
        '<span class="copied">{}<button type="button" class="copy" data-copy="{}" aria-label="{}">{}{}</button></span>',
        format_html('<span class="mono break">{}</span>', text) if show else "", text,
        gettext("Copy %(text)s") % {"text": text}, icons.draw("copy"), icons.draw("check"),
    )  # fmt: skip


@register.inclusion_tag("ui/empty.html")
def empty(title: Text, text: Text = "", icon: str = "inbox", url: str = "", action: Text = "") -> dict[str, Any]:
    """An empty list: what this is, why it is empty, the next deed."""
    return {"title": title, "text": text, "icon": icon, "url": url, "action": action}


@register.inclusion_tag("ui/pagination.html", takes_context=True)
def pagination(context: Context, page: Any) -> dict[str, Any]:
    """A Paginator's page: total, numbers, previous and next; keeps the query string."""
    return {
        "page": page,
        "pages": page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1),
        "request": context["request"],
    }


@register.inclusion_tag("ui/sort.html", takes_context=True)
def sort(context: Context, column: str, title: Text) -> dict[str, Any]:
    """The link inside a sortable `<th>`: `?sort=name`, then `?sort=-name`; the page reads it."""
    now = context["request"].GET.get("sort", "")
    following = f"-{column}" if now == column else column
    direction = "up" if now == column else "down" if now == f"-{column}" else ""
    return {"title": title, "value": following, "direction": direction, "request": context["request"]}


@register.inclusion_tag("ui/tabs.html", takes_context=True)
def tabs(context: Context, items: Sequence[tuple[Any, ...]], name: Text) -> dict[str, Any]:
    """Links between the pages of one object: (title, url) or (title, url, count); the longest that this address begins
    with is marked."""
    path = context["request"].path
    here = max((item[1] for item in items if path.startswith(item[1])), key=len, default="")
    made = [{"title": item[0], "url": item[1], "count": item[2] if len(item) > 2 else 0} for item in items]
    return {"items": made, "here": here, "name": name}


@register.simple_tag
def live(topic: str, url: str) -> SafeString:
    """Attributes of an element that is fetched again from `url` whenever `topic` ("server:12") speaks."""
    return format_html(' data-live="{}" data-live-url="{}"', topic, url)


@register.simple_tag
def asset(path: str) -> str:
    """As `static`, but never fails: for the pages shown when something else has failed."""
    try:
        return static(path)
    except ValueError:  # the manifest does not know it
        return f"{settings.STATIC_URL}{path}"


@register.filter
def moment(text: str) -> datetime | None:
    """An ISO 8601 text (from a JSON field) as an instant; None when it is none."""
    return parse_datetime(text) if text else None


@register.simple_tag(takes_context=True)
def frame(context: Context, name: str) -> SafeString:
    """A part of the frame (`ui/<name>.html`) that is kept from page to page: panel.core.kept says how."""
    return kept.draw(context, name)


# --- boxes with a body -------------------------------------------------------------------------------------------
@register.simple_block_tag
def card(
    content: str, title: Text = "", icon: str = "", flush: bool = False, extra: str = "", foot: str = "", tone: str = ""
) -> SafeString:
    """`{% card title=_("Access") icon="key" %} ... {% endcard %}`; `flush` for a table, `extra` right of the title."""
    drawing = icons.draw(icon) if icon else ""
    return rows.draw(
        "ui/card.html", content=content, title=title, icon=drawing, flush=flush, extra=extra, foot=foot, tone=tone
    )


@register.simple_block_tag
def notice(content: str, tone: str = "info", title: Text = "", icon: str = "") -> SafeString:
    """A paragraph that must be seen; `tone` of the table of tones."""
    signs = {"good": "good", "warn": "warning", "bad": "bad"}
    drawing = icons.draw(icon or signs.get(tone, "info"))
    return rows.draw("ui/notice.html", content=content, tone=tone, title=title, icon=drawing)


@register.simple_block_tag(takes_context=True)
def dialog(
    context: Context,
    content: str,
    name: str,
    title: Text,
    action: str = "",
    verb: Text = "",
    danger: bool = False,
    typed: str = "",
    icon: str = "",
) -> SafeString:
    """A confirmation named `name`, opened by `<a href="#name" data-dialog-open="name">`. With `action` it is a form
    whose button says `verb`; `typed`: that text must be typed first (the view checks field `confirm` again)."""
    drawn = {
        "content": content, "name": name, "title": title, "action": action, "verb": verb, "danger": danger,
        "typed": typed, "icon": icon, "csrf_token": context.get("csrf_token"),
    }  # fmt: skip
    return mark_safe(render_to_string("ui/dialog.html", drawn))
