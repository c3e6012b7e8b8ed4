"""When a subscription ends and what its end costs. Pure. (SUB-6, SUB-7, SUB-8, OPR-8)"""

from datetime import date, timedelta
from decimal import Decimal

from invoicing.subscribing.period_rules import Period, following
from panel.core.money import Cents, euros, round_cents


def balance(anchor: date, interval: str, current: Period, committed_until: date | None) -> list[Period]:
    """The periods after `current` (which is invoiced) that begin within the commitment: their price becomes payable
    when the subscription ends before it (SUB-6)."""
    found: list[Period] = []
    while committed_until is not None and current.end < committed_until:
        current = following(anchor, interval, current)
        found.append(current)
    return found


def term(
    anchor: date, interval: str, current: Period, today: date, *, notice_days: int, committed_until: date | None
) -> date:
    """The first day without the subscription when its end is asked for on `today`: the end of the first period that is
    neither under commitment nor closer than `notice_days` (OPR-8)."""
    earliest = max(today + timedelta(days=notice_days), committed_until or today)
    while current.end < earliest:
        current = following(anchor, interval, current)
    return current.end


def code_fee(price: Cents, percent: Decimal) -> Cents:
    """SUB-7: the percentage of the price of one contractual period, once."""
    return round_cents(euros(price) * percent / 100)
