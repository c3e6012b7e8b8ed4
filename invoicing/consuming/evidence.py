"""What a metered line of an invoice rests on: the rating, its arithmetic, and the readings or events beneath it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from invoicing.consuming import usage_rules
from invoicing.consuming.usage_models import MILLION
from invoicing.models import Consumption, InvoiceLine, PackageMeter, Subscription, UsageEvent
from invoicing.subscribing import kinds
from invoicing.subscribing.kinds import ReadDay, UsagePeriod
from panel.core.calendars import PARIS, start_of_paris_day
from panel.core.money import CENT

PREFIX = "usage:"


@dataclass(frozen=True, slots=True)
class Evidence:
    """`days` add up to `counted`, which is `consumption.quantity` unless usage came later."""

    line: InvoiceLine
    meter: str
    consumption: Consumption
    plan: PackageMeter | None
    days: list[ReadDay]
    counted: Decimal

    @property
    def unit_price(self) -> Decimal:
        """With its own decimals, two at least."""
        price = self.line.unit_price.normalize()
        return price.quantize(CENT) if price == price.quantize(CENT) else price


def of_line(line: InvoiceLine) -> Evidence | None:
    """What `line` rests on; None when it was not metered."""
    if not line.metered or line.period_start is None or line.subscription is None:
        return None
    meter = line.code.removeprefix(PREFIX)
    rated = Consumption.objects.filter(
        subscription=line.subscription, meter=meter, start__lte=line.period_start, end__gt=line.period_start
    )
    origin = line.credits.invoice_id if line.credits else line.invoice_id
    consumption = rated.filter(invoice__in=[line.invoice_id, origin]).order_by("number").first()
    if consumption is None:
        return None
    plan = PackageMeter.objects.filter(pk=consumption.evidence.get("plan")).first()
    days = read_days(line.subscription, meter, line.period_start, consumption.end, consumption.account_id)
    return Evidence(line, meter, consumption, plan, days, sum((one.quantity for one in days), Decimal(0)))


def read_days(row: Subscription, meter: str, start: date, end: date, account_id: int) -> list[ReadDay]:
    """A meter day by day, from `start` to `end` (excluded, Paris), as far as it is the account's to pay."""
    if meter in usage_rules.METERS:
        return kinds.get(row.service_kind).readings(row, meter, UsagePeriod(start, end), account_id)
    rows = (
        UsageEvent.objects.filter(
            subscription=row,
            account=account_id,
            meter=meter,
            at__gte=start_of_paris_day(start),
            at__lt=start_of_paris_day(end),
        )
        .order_by()
        .annotate(day=TruncDate("at", tzinfo=PARIS))
        .values_list("day")
        .annotate(sum=Sum("millionths"), events=Count("pk"), corrections=Count("pk", filter=Q(corrects__isnull=False)))
        .order_by("day")
    )
    return [ReadDay(day, Decimal(sum_) / MILLION, events, corrections) for day, sum_, events, corrections in rows]
