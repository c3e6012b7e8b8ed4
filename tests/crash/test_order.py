"""SUB-2, SUB-3, INV-12: wherever it dies, a paid order is one payment, one subscription, one invoice."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {
    "orders": {"paid": 1}, "payments": {"succeeded": 1}, "subscriptions": {"active": 1}, "charges": [708], "sold": 1,
    "documents": [["F2026-000001", 590, 118, 708]], "machines": 0, "servers": {"ordered": 1}, "ledger": 0,
    "blocked": 0, "cases": {}, "restrictions": {}, "steps": [], "open": {"servers.create": 1},
}  # fmt: skip


def test_an_order_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("order", EXPECTED, 12, capsys)
