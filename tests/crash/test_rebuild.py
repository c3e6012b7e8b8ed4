"""SRV-8: wherever it dies, the disk was replaced once and the rescue system started once."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "machines": 1, "servers": {"running": 1}, "documents": [], "ledger": 0, "subscriptions": {"active": 1},
    "orders": {}, "payments": {}, "blocked": 0, "cases": {}, "restrictions": {}, "steps": [], "open": {},
    "log": [["create", "done"], ["rebuild", "done"], ["rescue", "done"]], "server": ["rocky-9", True],
    "machine": ["rocky-9", "on", 1, 3],
}  # fmt: skip


def test_a_rebuild_and_a_rescue_that_are_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("rebuild", EXPECTED, 12, capsys)
