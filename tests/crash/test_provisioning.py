"""SRV-1: wherever it dies, there is exactly one machine."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "machines": 1, "servers": {"running": 1}, "documents": [], "ledger": 0, "subscriptions": {"active": 1},
    "orders": {}, "payments": {}, "blocked": 0, "cases": {}, "restrictions": {}, "steps": [], "open": {},
}  # fmt: skip


def test_provisioning_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("provisioning", EXPECTED, 8, capsys)
