"""Limits of new accounts and spending caps (SUB-4): what reaches a limit is within it, what is beyond is refused."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from invoicing.limiting.limit_rules import CAP, MONTH, SERVICES, Spent, Standing, reached, refused
from panel.terms.numbers import LimitTerms

LAW = LimitTerms(paid_invoices=1, services=3, month=50_000, warn_at=(80, 100), closed_ports=(25,))
CENTS = st.integers(min_value=0, max_value=100_000)
DAY = date(2026, 3, 1)


@given(CENTS, CENTS, CENTS, CENTS, st.none() | st.integers(min_value=1, max_value=100_000))
def test_what_an_old_account_orders_is_bound_by_its_cap_alone(
    invoiced: int, ordered: int, metered: int, wanted: int, cap: int | None
) -> None:
    spent = Spent(DAY, invoiced, ordered, metered)
    why = refused(Standing(99, 1, raised=False), spent, wanted, cap, LAW)
    assert (why == CAP) == (cap is not None and invoiced + ordered + metered + wanted > cap)


@given(st.integers(min_value=0, max_value=6), CENTS, CENTS)
def test_a_new_account(services: int, invoiced: int, wanted: int) -> None:
    why = refused(Standing(services, 0, raised=False), Spent(DAY, invoiced), wanted, None, LAW)
    expected = SERVICES if services >= 3 else MONTH if invoiced + wanted > 50_000 else None
    assert why == expected
    assert refused(Standing(services, 0, raised=True), Spent(DAY, invoiced), wanted, None, LAW) is None


@given(CENTS, st.integers(min_value=1, max_value=100_000))
def test_warnings_come_at_the_percentage_and_not_before(total: int, cap: int) -> None:
    assert reached(Spent(DAY, total), cap, LAW.warn_at) == [at for at in (80, 100) if total / cap * 100 >= at - 1e-9]
