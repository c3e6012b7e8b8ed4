"""A plugin of pytest for the pass that only shows that an engine carries the stories too: of each story file the first
test. All of them are told on the other engine (tests/support/suite.py)."""

from pathlib import Path

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what follows the first test of a story file, after marks have chosen."""
    begun: set[Path] = set()
    kept, left = [], []
    for item in items:
        again = "stories" in item.path.parts and item.path in begun
        begun.add(item.path)
        (left if again else kept).append(item)
    if left:
        items[:] = kept
        config.hook.pytest_deselected(items=left)
