"""SUB-5, INV-2: wherever it dies, a billing run makes one invoice a period, without gap."""

import pytest

from tests.crash.everywhere import killed_everywhere

pytestmark = [pytest.mark.crash, pytest.mark.postgres]

EXPECTED = {  # two renewals at 5.90, each with 3 GB beyond its volume at 1.30
    "numbers": [1, 2, 3, 4], "chain": [], "nets": [590, 590, 980, 980], "ledger": 0,
    "periods": 4, "rated": 2, "still": 0, "run": ["done", 2, 2, 0],
}  # fmt: skip


def test_a_billing_run_that_is_killed_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    killed_everywhere("billing", EXPECTED, 10, capsys)
