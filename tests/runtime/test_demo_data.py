"""A demo world whose building was interrupted is known as such, and goes without the installation's key."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection

from panel.runtime import demo_data


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.CLAUSE_DATA = tmp_path
    return tmp_path


def test_an_interrupted_demo_world_is_known_until_one_is_finished(data: Path) -> None:
    with pytest.raises(KeyboardInterrupt), demo_data.building():
        raise KeyboardInterrupt
    assert demo_data.is_unfinished()
    with demo_data.building():
        pass
    assert not demo_data.is_unfinished()


def test_everything_of_it_goes_and_the_key_stays(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "files" / "ab").mkdir(parents=True)
    left = ["secret-key", "lock"]
    for name in (*left, "clause.sqlite3", "clause.sqlite3-wal", "simulated-platform.json", "demo-unfinished"):
        (data / name).write_text("x")
    monkeypatch.setattr(demo_data.connections, "close_all", lambda: None)
    if connection.vendor != "sqlite":
        with pytest.raises(CommandError, match="embedded"):
            demo_data.throw_away()
        return
    demo_data.throw_away()
    assert sorted(path.name for path in data.iterdir()) == sorted(left)
