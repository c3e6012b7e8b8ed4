"""A server's traffic as charts: the last day by hour, a week, a month, the traffic month against its allowance."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from panel.core.charts import Chart, Series
from panel.core.quantities import bytes_in_words
from servers.models import Server
from servers.selectors import Traffic, curve

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPANS: dict[str, str | Promise] = {
    "24h": gettext_lazy("24 hours"),
    "7d": gettext_lazy("7 days"),
    "30d": gettext_lazy("30 days"),
    "period": gettext_lazy("This traffic month"),
}
_STEPS = {"24h": (24 * HOUR, HOUR), "7d": (7 * DAY, 6 * HOUR), "30d": (30 * DAY, DAY)}


def stretch(span: str, *, traffic: Traffic, now: datetime) -> tuple[datetime, datetime]:
    """From when to when a span goes, by full hours; anything that is no key of SPANS is the last day."""
    until = now.replace(minute=0, second=0, microsecond=0) + HOUR
    if span == "period":
        return traffic.month.starts_at, min(until, traffic.month.ends_at)
    return until - _STEPS.get(span, _STEPS["24h"])[0], until


def sums(hours: Sequence[tuple[datetime, int, int]]) -> dict[str, int]:
    """Bytes in, out and together."""
    rx, tx = sum(rx for _hour, rx, _tx in hours), sum(tx for _hour, _rx, tx in hours)
    return {"rx": rx, "tx": tx, "total": rx + tx}


def draw(server: Server, span: str, *, traffic: Traffic, now: datetime) -> Chart:
    """The chart of `span` (a key of SPANS; anything else is the last day)."""
    if span == "period":
        return _period(server, traffic, now)
    length, step = _STEPS.get(span, _STEPS["24h"])
    since, until = stretch(span, traffic=traffic, now=now)
    points = curve(server, since=since, until=until, step=step)
    return Chart(
        title=_("Traffic, %(span)s") % {"span": SPANS.get(span, SPANS["24h"])},
        labels=[_label(start, by_hour=step < DAY, with_day=length > DAY) for start in points.starts],
        series=[Series(_("Into the server"), points.rx), Series(_("Out of the server"), points.tx, kind="line")],
        show=bytes_in_words,
    )


def _period(server: Server, traffic: Traffic, now: datetime) -> Chart:
    """The month's sum by day, with the forecast to its end and the allowance as a line (SRV-5)."""
    month, days = traffic.month, (traffic.month.ends_on - traffic.month.starts_on).days
    until = min(now, month.ends_at)
    points = curve(server, since=month.starts_at, until=until, step=DAY)
    sums = list(accumulate((rx or 0) + (tx or 0) for rx, tx in zip(points.rx, points.tx, strict=True)))
    values: list[float | None] = [*map(float, sums), *[None] * (days - len(sums))][:days]
    forecast_from = None
    if traffic.forecast and len(sums) < days:
        forecast_from, left = len(sums), days - len(sums)
        for ahead in range(1, left + 1):
            values[forecast_from + ahead - 1] = traffic.used + (traffic.forecast.total - traffic.used) * ahead / left
    return Chart(
        title=_("Traffic month, both directions together"),
        labels=[_label(month.starts_at + DAY * index + HOUR, by_hour=False, with_day=True) for index in range(days)],
        series=[Series(_("Used so far"), values, forecast_from=forecast_from)],
        limit=float(traffic.included) or None, limit_label=_("Included"), show=bytes_in_words,
    )  # fmt: skip


def _label(instant: datetime, *, by_hour: bool, with_day: bool) -> str:
    local = timezone.localtime(instant)
    if not by_hour:
        return date_format(local, pgettext("pattern of a date", "j M"))
    return date_format(local, pgettext("pattern of a date", "j M") + " H:i" if with_day else "H:i")
