"""SUB-12, SRV-8: wherever it dies, the machine has its new size, was restarted once, and its log says so once."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "machines": 1, "servers": {"running": 1}, "documents": [], "ledger": 0, "subscriptions": {"active": 1},
    "orders": {}, "payments": {}, "blocked": 0, "cases": {}, "restrictions": {}, "steps": [], "open": {},
    "log": [["create", "done"], ["resize", "done"]], "server": ["running", "vps-larger", 40, 200],
    "machine": ["vps-larger", "on", 40, 2], "months": 1,
}  # fmt: skip


def test_a_resize_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("resize", EXPECTED, 5, capsys)
