"""Which country an internet address belongs to, from the operator's own table (CLAUSE_IP_COUNTRIES).

The table is the usual CSV of such publishers: first address, last address, country (ISO 3166). Without one nothing is
known of a connection.
"""

import csv
from bisect import bisect_right
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings


@lru_cache(maxsize=2)
def _ranges(path: str) -> tuple[list[tuple[int, int]], list[tuple[tuple[int, int], str]]]:
    """Starts, and (end, country) beside them; an address is (version, number)."""
    rows = []
    with Path(path).open(encoding="utf-8", newline="") as file:
        for first, last, country, *_ in csv.reader(file):
            low, high = ip_address(first.strip()), ip_address(last.strip())
            rows.append(((low.version, int(low)), ((high.version, int(high)), country.strip().upper())))
    rows.sort()
    return [start for start, _ in rows], [end for _, end in rows]


def of(ip: str | None) -> str:
    """The country of `ip`, "" where the table does not know it or there is none."""
    path = settings.CLAUSE_IP_COUNTRIES
    if not ip or not path:
        return ""
    address = ip_address(ip)
    wanted = (address.version, int(address))
    starts, ends = _ranges(path)
    place = bisect_right(starts, wanted) - 1
    if place < 0 or wanted > ends[place][0]:
        return ""
    return ends[place][1]
