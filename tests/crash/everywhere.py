"""The worker dies by kill -9 at every commit and every outside call of a scene; after a fresh start it is as if nothing
had been. The points are those the scene really reaches, so a new one is killed as soon as it exists."""

from typing import Any

import pytest
from django.conf import settings

from tests.support.crashing import Stage, url_of


def killed_everywhere(scene: str, expected: dict[str, Any], at_least: int, capsys: pytest.CaptureFixture[str]) -> None:
    """The scene ends as `expected`, unharmed and killed at each of its points; there are `at_least` so many."""
    with Stage(f"tests.crash.scene_{scene}", database_url=url_of(settings.DATABASES["default"])) as stage:
        points, unharmed = stage.points()
        assert unharmed == expected
        assert len(points) >= at_least
        killed = [point for point in points if stage.after_killing(point) == expected]
    with capsys.disabled():
        print(f"\n{scene}: killed at {len(killed)} of {len(points)} points")
    assert killed == points
