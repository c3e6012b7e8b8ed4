"""How badly webhooks travel: decided by a seed and the event's number, so that a bad day can be had again."""

from __future__ import annotations

import random
from typing import Any

KEYS = {"seed": int, "late": float, "twice": float, "never": float, "shuffle": bool, "longest": float}


def delays(weather: dict[str, Any], number: int) -> list[float]:
    """Seconds after which event `number` is delivered: usually [0], none when it is lost, two when it is repeated.

    `late`, `twice` and `never` are probabilities from 0 to 1, `longest` the longest delay in seconds.
    """
    dice = random.Random(f"{weather.get('seed', 0)}:{number}")  # noqa: S311 - a simulation, not a secret
    lost, late, twice = dice.random(), dice.random(), dice.random()
    longest = weather.get("longest", 5.0)
    first, second = dice.uniform(0, longest), dice.uniform(0, longest)
    if lost < weather.get("never", 0):
        return []
    planned = [first if late < weather.get("late", 0) else 0.0]
    if twice < weather.get("twice", 0):
        planned.append(planned[0] + second)
    return planned
