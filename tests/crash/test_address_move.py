"""SRV-3: wherever it dies, an address that moves answers on one server, and the history names each in its time."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "machines": 2, "servers": {"running": 2}, "documents": [], "ledger": 0, "subscriptions": {"active": 2},
    "orders": {}, "payments": {}, "blocked": 0, "cases": {}, "restrictions": {}, "steps": [], "open": {},
    "answers": ["web-2"], "held": [["web-1", "web-1", False], ["web-2", "web-1", True]], "log": ["done"],
}  # fmt: skip


def test_a_move_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("address_move", EXPECTED, 5, capsys)
