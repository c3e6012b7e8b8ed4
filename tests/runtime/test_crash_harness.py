"""The crash harness itself: it finds every commit, kills there, and would notice what is done twice."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.support.crashing import Stage, url_of

pytestmark = [pytest.mark.crash, pytest.mark.postgres]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage("tests.runtime.crash_scene", database_url=url_of(settings.DATABASES["default"])) as stage:
        yield stage


def test_whatever_is_killed_where_all_is_done_once(stage: Stage) -> None:
    points, expected = stage.points()
    assert expected == {"decided": 1, "outside": 1, "written": 1, "open": 0}
    named = [point for point in points if not point.startswith("commit ")]
    assert named == ["test.once:claimed:1", "test.once:written:1", "test.once:performed:1", "test.once:closed:1"]
    assert len(points) - len(named) >= 3, "the decision, the claim and the closing are committed"
    for point in points:
        assert stage.after_killing(point) == expected, point
    print(f"killed at {len(points)} points")


def test_a_point_that_is_not_reached_is_a_failure(stage: Stage) -> None:
    with pytest.raises(AssertionError, match="did not come to"):
        stage.after_killing("no.such:1")
