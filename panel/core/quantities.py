"""Bytes and durations in words, in the reader's language. GB is 10^9 bytes (traffic, disks); GiB is 2^30 (memory)."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from django.utils import formats, timezone
from django.utils.translation import get_language, gettext, ngettext, override, pgettext

DECIMAL_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
NO_BREAK = "\u00a0"


def bytes_in_words(count: int | Decimal | float, *, binary: bool = False, language: str = "") -> str:
    """`12.4 GB`; whole numbers without decimals, else three significant figures, the decimal mark of the language (the
    reader's unless one is named)."""
    base, units = (1024, BINARY_UNITS) if binary else (1000, DECIMAL_UNITS)
    amount, sign = Decimal(str(count)), ""
    if amount < 0:
        amount, sign = -amount, "\u2212"
    step = 0
    while amount >= base and step < len(units) - 1:
        amount, step = amount / base, step + 1
    digits = 0 if step == 0 or amount == amount.to_integral_value() or amount >= 100 else 1 if amount >= 10 else 2
    rounded = amount.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{sign}{_figure(rounded, digits, units[step], language or get_language() or '')}"


@lru_cache(maxsize=4096)
def _figure(amount: Decimal, digits: int, unit: str, language: str) -> str:
    with override(language or None):
        byte = gettext("B")  # GB is Go in French
        return f"{formats.number_format(amount, decimal_pos=digits)}{NO_BREAK}{unit.replace('B', byte)}"


def duration_in_words(span: timedelta) -> str:
    """The two largest units: `2 d 3 h`, `47 h 59 min` up to three days, `4 min 10 s`, never negative."""
    seconds = max(0, int(abs(span.total_seconds())))
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours >= 72:
        return _join((hours // 24, gettext("d")), (hours % 24, gettext("h")))
    if hours:
        return _join((hours, gettext("h")), (minutes, gettext("min")))
    if minutes >= 10:
        return _join((minutes, gettext("min")))
    return _join((minutes, gettext("min")), (seconds, gettext("s")))


def ago(instant: datetime, now: datetime) -> str:
    """`3 hours ago`, `in 2 days`: only ever shown beside the absolute time."""
    seconds = int((now - instant).total_seconds())
    days, hours, minutes = (abs(seconds) // size for size in (86400, 3600, 60))
    return _ago(days, 0 if days else hours, 0 if days or hours else minutes, seconds > 0, get_language() or "")


@lru_cache(maxsize=4096)
def _ago(days: int, hours: int, minutes: int, past: bool, language: str) -> str:
    """In the language in use, which is `language`; at most one of the counts is not 0."""
    if days:
        span = ngettext("%(n)s day", "%(n)s days", days) % {"n": days}
    elif hours:
        span = ngettext("%(n)s hour", "%(n)s hours", hours) % {"n": hours}
    elif minutes:
        span = ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}
    else:
        return gettext("just now")
    return (gettext("%(span)s ago") if past else gettext("in %(span)s")) % {"span": span}


def instant_in_words(instant: datetime) -> str:
    """`26 Mar 2026, 22:00 CET`, in the zone and the language in use."""
    local = timezone.localtime(instant)
    return f"{formats.date_format(local, pgettext('pattern of a date', 'j M Y') + ', H:i')} {zone_word(instant)}"


def zone_word(instant: datetime) -> str:
    """The zone's short name at that instant: CET, CEST, or its offset where it has none."""
    local = timezone.localtime(instant)
    return local.tzname() or local.strftime("%z")


def _join(*parts: tuple[int, str]) -> str:
    shown = [f"{count}{NO_BREAK}{unit}" for count, unit in parts if count]
    return " ".join(shown) or f"0{NO_BREAK}{parts[-1][1]}"
