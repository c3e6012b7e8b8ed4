"""Each story has a simulated place of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.providers.simulated.control import Control
from tests.support.machines import simulated_place


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Control]:
    with simulated_place(tmp_path) as control:
        yield control
