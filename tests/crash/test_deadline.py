"""ABU-3, ABU-11: wherever it dies, the 48 h step is one block and one fee."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "machines": 1, "servers": {"running": 1}, "blocked": 1, "cases": {"running": 1}, "restrictions": {"active": 1},
    "documents": [["F2026-000001", 9000, 1800, 10800]], "steps": [["deactivate", "effective", 1]], "ledger": 0,
    "subscriptions": {"active": 1}, "orders": {}, "payments": {}, "open": {},
}  # fmt: skip


def test_a_deadline_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("deadline", EXPECTED, 10, capsys)
