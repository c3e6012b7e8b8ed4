"""Whether the SSH of machines answers: many at once, and those that stay silent less and less often (SRV-12)."""

from collections.abc import Sequence
from datetime import datetime

from servers import providers, remote
from servers.models import AddressHolding, Server, Vitals
from servers.providers.simulated import SimulatedCloud
from servers.rules import Power
from servers.watching import vitals_rules

PATIENCE = 3.0  # seconds


def reachable(seen: Sequence[tuple[Server, Power]], *, now: datetime, rested: bool = False) -> dict[int, bool | None]:
    """By server: whether its SSH answers; None where there is nothing to ask. A machine that has long been silent is
    asked again after its pause, or once its power has changed; `rested`: now, whatever its pause."""
    found: dict[int, bool | None] = {}
    asked: list[Server] = []
    for server, power in seen:
        if power in {Power.OFF, Power.GONE}:
            found[server.pk] = False
        elif not rested and server.power == power and (pause := server.vitals.ask_at) is not None and pause > now:
            found[server.pk] = server.reachable
        else:
            asked.append(server)
    answers = _answers(asked)
    found.update(answers)
    _remember([server for server in asked if answers[server.pk] is not None], answers, now)
    return found


def _answers(servers: Sequence[Server]) -> dict[int, bool | None]:
    found: dict[int, bool | None] = {}
    outside = []
    for server in servers:
        cloud = providers.get(server.place) if server.place in providers.places() else None
        if isinstance(cloud, SimulatedCloud):
            found[server.pk] = cloud.answers_ssh(server.provider_ref)
        else:
            outside.append(server.pk)
    held = AddressHolding.objects.filter(server__in=outside, until=None, is_first=True)
    first = {pk: str(ip) for pk, ip in held.values_list("server_id", "address__ip")}
    greeted = remote.who_greets(sorted(set(first.values())), timeout=PATIENCE)
    return found | {pk: first[pk] in greeted if pk in first else None for pk in outside}


def _remember(servers: Sequence[Server], answers: dict[int, bool | None], now: datetime) -> None:
    """Count how often in a row each was silent, and when it is asked next."""
    changed = []
    for server in servers:
        row = server.vitals
        silent = 0 if answers[server.pk] else row.silent + 1
        if silent or row.silent:
            row.silent = silent
            row.ask_at = now + pause if (pause := vitals_rules.pause(silent)) else None
            changed.append(row)
    Vitals.objects.bulk_update(changed, ("silent", "ask_at"), batch_size=200)
