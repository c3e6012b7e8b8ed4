"""No debit without active mandate, pre-notification old enough, and a TARGET debit day; none after revocation or 36
idle months (invariant 23). And the calendars that it stands on."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invoicing.debiting import debit_rules, mandate_rules, pain008
from invoicing.debiting.debit_rules import Standing
from invoicing.debiting.pain008 import Creditor, Wanted
from invoicing.paying import collection_rules, payment_rules
from panel.core.calendars import is_target_day, is_working_day, target_day_from
from panel.core.errors import ProviderError
from panel.terms.numbers import DebitTerms

DAYS = st.dates(date(2025, 1, 1), date(2035, 12, 31))
TERMS = st.one_of(
    st.builds(DebitTerms, st.integers(1, 30)), st.builds(DebitTerms, st.integers(1, 30), st.integers(1, 15))
)
CLOSED = ["2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-12-25", "2027-03-26", "2026-05-09"]
STATES = (mandate_rules.DRAFT, mandate_rules.ACTIVE, mandate_rules.CANCELLED, mandate_rules.EXPIRED)


@pytest.mark.parametrize("day", CLOSED)
def test_banks_are_closed(day: str) -> None:
    assert not is_target_day(date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2026-05-08", "2026-07-14", "2026-11-11", "2026-05-14"])
def test_french_holidays_are_no_holidays_of_banks(day: str) -> None:
    assert is_target_day(date.fromisoformat(day))
    assert not is_working_day(date.fromisoformat(day))


def test_the_26th_of_december_on_a_weekday() -> None:
    assert target_day_from(date(2025, 12, 25)) == date(2025, 12, 29)


@given(DAYS, TERMS)
def test_the_first_day_is_a_target_day_with_the_days_between(told: date, terms: DebitTerms) -> None:
    first = debit_rules.first_day(told, terms)
    assert is_target_day(first)
    between = [told + timedelta(days=n) for n in range(1, (first - told).days)]
    if terms.notice_working_days is None:
        assert (first - told).days >= terms.notice_days
    else:
        assert sum(map(is_working_day, between)) >= terms.notice_working_days


@given(
    told=DAYS, terms=TERMS, ahead=st.integers(-5, 60), signed=st.integers(0, 1500),
    used=st.none() | st.integers(0, 1500),
    state=st.sampled_from(STATES), contested=st.booleans(), due=st.sampled_from([100, 90, 0]),
    told_at_all=st.booleans(), today_ahead=st.integers(-5, 60), named=st.integers(0, 1),
)  # fmt: skip
def test_what_goes_into_a_file_holds_to_every_condition(
    told: date, terms: DebitTerms, ahead: int, signed: int, used: int | None, state: str, contested: bool, due: int,
    told_at_all: bool, today_ahead: int, named: int,
) -> None:  # fmt: skip
    debit_on = debit_rules.first_day(told, terms) + timedelta(days=ahead)
    last = debit_on - timedelta(days=used) if used is not None else None
    lapses = mandate_rules.lapses_on(debit_on - timedelta(days=signed), last)
    of = Standing(
        debit_on, 100, due, contested, state, lapses, told if told_at_all else None,
        debit_on + timedelta(days=named) if told_at_all else None, 100, terms,
    )  # fmt: skip
    today = told + timedelta(days=today_ahead)
    if debit_rules.hindrance(of, today=today):
        return
    assert (state, contested, due, told_at_all, named) == (mandate_rules.ACTIVE, False, 100, True, 0)
    assert is_target_day(debit_on)
    assert debit_on >= debit_rules.first_day(told, terms)
    assert debit_on > today
    assert debit_on < mandate_rules.lapses_on(last or debit_on - timedelta(days=signed), None)


def test_one_that_holds_to_all_goes() -> None:
    terms = DebitTerms(14)
    good = Standing(date(2026, 4, 16), 100, 100, False, "active", date(2029, 3, 2), date(2026, 4, 2), date(2026, 4, 16),
                    100, terms)  # fmt: skip
    assert debit_rules.hindrance(good, today=date(2026, 4, 15)) == ""
    for change, why in (
        ({"mandate_state": "cancelled"}, "no_mandate"), ({"mandate_lapses_on": date(2026, 4, 16)}, "idle"),
        ({"contested": True}, "contested"), ({"due_cents": 99}, "settled"), ({"told_on": None}, "untold"),
        ({"told_cents": 99}, "differs"), ({"told_on": date(2026, 4, 3)}, "too_young"),
    ):  # fmt: skip
        assert debit_rules.hindrance(replace(good, **change), today=date(2026, 4, 15)) == why  # type: ignore[arg-type]
    assert debit_rules.hindrance(good, today=date(2026, 4, 16)) == "too_late"
    unsent = replace(good, told_on=None, told_debit_on=None, told_cents=None)
    assert debit_rules.hindrance(unsent, today=date(2026, 4, 15)) == "untold"
    assert debit_rules.hindrance(unsent, today=date(2026, 4, 16)) == "too_late", "its day is missed: it is told anew"
    once, twice = [date(2026, 4, 16)], [date(2026, 4, 2), date(2026, 4, 16)]
    for days, why in ((once, "too_late"), (twice, "missed"), ([date(2026, 4, 20), *once], "too_late")):
        for of in (good, unsent):
            assert debit_rules.hindrance(replace(of, told_days=days), today=date(2026, 4, 16)) == why
    assert debit_rules.hindrance(replace(good, told_days=twice), today=date(2026, 4, 15)) == "", "its day is reached"


@given(st.dates(date(2020, 1, 1), date(2099, 12, 31)), st.text("ABCDEFGHJK23456789", min_size=8, max_size=8))
def test_a_groups_name_is_found_again(day: date, signs: str) -> None:
    name = debit_rules.group(f"SDD-{signs}", day)
    assert len(name) <= 35
    assert debit_rules.of_group(name) == (f"SDD-{signs}", day)


@pytest.mark.parametrize("name", ["", "SDD-1", "SDD-12345678-261399", "x-26111", "NOTPROVIDED"])
def test_another_name_is_no_group(name: str) -> None:
    assert debit_rules.of_group(name) is None


def test_codes_that_kill_a_mandate_are_never_tried_again_and_none_of_ours() -> None:
    assert mandate_rules.DEADLY <= collection_rules.FINAL
    assert not mandate_rules.DEADLY & payment_rules.OURS
    assert not {"AM04", "MS03"} & collection_rules.FINAL


US = Creditor("Ours & Fils SAS", "FR7630006000011234567890189", "FR72ZZZ123456", "AGRIFRPPXXX")


def wanted(number: int, cents: int, day: date) -> Wanted:
    return Wanted(f"PAY-{number:08d}", cents, day, f"MDT-{number:08d}", date(2026, 3, 2), "Zoë Müller <& Söhne>",
                  "DE89370400440532013000", "Clause F2026-000001")  # fmt: skip


@pytest.mark.parametrize("format_", pain008.FORMATS)
def test_a_file_that_breaks_its_schema_is_not_written(format_: str) -> None:
    """Time and again: the schema is read once."""
    wrong = replace(wanted(1, 100, date(2026, 4, 16)), mandate="M" * 36)
    for _ in range(2):
        with pytest.raises(ProviderError, match="breaks its schema") as refused:
            pain008.write(US, [wrong], reference="SDD-1", made_at=datetime(2026, 4, 2, 9, tzinfo=UTC), format_=format_)
        assert refused.value.permanent


@pytest.mark.parametrize("format_", pain008.FORMATS)
@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 99_999_999), st.integers(0, 3)), min_size=1, max_size=6))
def test_a_file_adds_up_and_is_the_same_again(format_: str, rows: list[tuple[int, int]]) -> None:
    from defusedxml import ElementTree

    made = datetime(2026, 4, 2, 9, tzinfo=UTC)
    days = [date(2026, 4, 16), date(2026, 4, 17), date(2026, 4, 20), date(2026, 4, 21)]
    debits = [wanted(number, cents, days[day]) for number, (cents, day) in enumerate(rows)]
    raw = pain008.write(US, debits, reference="SDD-ABCDEFGH", made_at=made, format_=format_)
    assert raw == pain008.write(US, reversed(debits), reference="SDD-ABCDEFGH", made_at=made, format_=format_)
    root = ElementTree.fromstring(raw)
    space = root.tag[: root.tag.index("}") + 1]
    head = root.find(f"{space}CstmrDrctDbtInitn/{space}GrpHdr")
    assert head is not None
    assert head.findtext(f"{space}NbOfTxs") == str(len(rows))
    assert (head.findtext(f"{space}CtrlSum") or "").replace(".", "").lstrip("0") == str(sum(cents for cents, _ in rows))
    names = [node.text for node in root.iter(f"{space}PmtInfId")]
    assert sorted(names) == sorted({debit_rules.group("SDD-ABCDEFGH", one.debit_on) for one in debits})


def test_settings_that_a_bank_would_refuse() -> None:
    good = {"creditor_id": "FR72ZZZ123456", "bic": "", "format": "pain.008.001.08"}
    iban = "FR7630006000011234567890189"
    assert pain008.problems(good, iban) == []
    assert pain008.problems({**good, "creditor_id": ""}, "nonsense") == []
    for change in (
        {"creditor_id": "FR71ZZZ123456"}, {"bic": "X"}, {"format": "pain.008"}, {"format": "pain.008.001.02"},
    ):  # fmt: skip
        assert len(pain008.problems({**good, **change}, iban)) == 1
    assert len(pain008.problems(good, "FR7630006000011234567890188")) == 1
