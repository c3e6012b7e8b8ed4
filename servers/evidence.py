"""What a month of traffic rests on: hours and readings, told day by day (SRV-4)."""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from invoicing.subscribing.kinds import ReadDay
from panel.core.calendars import paris_date, start_of_paris_day
from servers import rules
from servers.models import Server, TrafficHour, TrafficReading
from servers.traffic_rules import Flag

PLAIN = {Flag.NORMAL, Flag.BASELINE}


def days(server: Server, account_id: int, start: date, end: date) -> list[ReadDay]:
    """Paris days from `start` to `end` (excluded) with anything counted or read for the account, in order: what another
    holder of the server used, even on the same day, is theirs."""
    since, until = start_of_paris_day(start), start_of_paris_day(end)
    counted: defaultdict[date, int] = defaultdict(int)
    read: defaultdict[date, int] = defaultdict(int)
    unusual: defaultdict[date, int] = defaultdict(int)
    hours = TrafficHour.objects.filter(server_id=server.pk, account_id=account_id, hour__gte=since, hour__lt=until)
    for hour, rx, tx in hours.values_list("hour", "rx_bytes", "tx_bytes"):
        counted[paris_date(hour)] += rx + tx
    readings = TrafficReading.objects.filter(server_id=server.pk, account_id=account_id, at__gte=since, at__lt=until)
    for at, verdict in readings.values_list("at", "verdict"):
        read[paris_date(at)] += 1
        unusual[paris_date(at)] += verdict not in PLAIN
    return [
        ReadDay(day, Decimal(counted[day]) / rules.GB, read[day], unusual[day])
        for day in sorted(counted.keys() | read.keys())
    ]
