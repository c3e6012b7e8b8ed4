"""The port to the accredited platform: the adapter against the strict imitation, in its good and bad moods."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from invoicing import platforms
from invoicing.platforms import Flow, Platform
from invoicing.platforms.simulated import DOWN, GARBAGE, LIMIT, LOST_ANSWER, SimulatedPlatform
from panel.core.errors import ProviderError

INVOICE = Flow(platforms.INVOICE, "F2026-000001", "B2B", platforms.FACTUR_X, b"%PDF-1.7 ...")
REPORT = Flow(platforms.REPORT, "SALES-2026-03-01", "B2C", platforms.OURS, b"{}")


@pytest.fixture
def office() -> Iterator[SimulatedPlatform]:
    running = SimulatedPlatform()
    yield running
    running.stop()


@pytest.fixture
def platform(office: SimulatedPlatform) -> Platform:
    return office.platform()


def codes(platform: Platform, ref: str, times: int = 1) -> list[int]:
    found: list[int] = []
    for _ in range(times):
        found = [status.code for status in platform.statuses([ref])[ref]]
    return found


def test_an_invoice_is_taken_and_goes_its_way(platform: Platform) -> None:
    ref = platform.hand_in(INVOICE, key="k1")
    assert codes(platform, ref) == [200, 201]
    assert codes(platform, ref, times=9) == [200, 201, 202, 203, 204, 205]


def test_the_same_key_and_file_is_the_same_flow(office: SimulatedPlatform, platform: Platform) -> None:
    assert platform.hand_in(INVOICE, key="k1") == platform.hand_in(INVOICE, key="k1") == platform.find("k1")
    assert len(office.flows) == 1
    with pytest.raises(ProviderError) as refused:
        platform.hand_in(replace(INVOICE, content=b"%PDF-1.7 other"), key="k1")
    assert refused.value.permanent


def test_a_number_handed_in_twice_is_rejected(platform: Platform) -> None:
    platform.hand_in(INVOICE, key="k1")
    again = platform.hand_in(INVOICE, key="k2")
    (status,) = [status for status in platform.statuses([again])[again] if status.code == 213]
    assert status.note.startswith("REJ_UNI")


def test_an_answer_that_was_lost_is_found_again(office: SimulatedPlatform, platform: Platform) -> None:
    office.mood(LOST_ANSWER)
    with pytest.raises(ProviderError) as lost:
        platform.hand_in(INVOICE, key="k1")
    assert not lost.value.permanent
    assert platform.find("k1") is not None
    assert platform.find("never") is None
    assert len(office.flows) == 1


@pytest.mark.parametrize("mood", [DOWN, GARBAGE, LIMIT])
def test_trouble_is_worth_another_try(office: SimulatedPlatform, platform: Platform, mood: str) -> None:
    office.mood(mood)
    with pytest.raises(ProviderError) as trouble:
        platform.hand_in(INVOICE, key="k1")
    assert not trouble.value.permanent
    assert office.flows == {}


@pytest.mark.parametrize(
    "flow",
    [replace(INVOICE, content=b"<html>"), replace(INVOICE, rule="B2C"), replace(INVOICE, syntax="UBL"),
     replace(INVOICE, name=""), replace(REPORT, rule="B2B"), replace(REPORT, kind="Other")],
)  # fmt: skip
def test_what_is_wrong_is_refused_for_good(platform: Platform, flow: Flow) -> None:
    with pytest.raises(ProviderError) as refused:
        platform.hand_in(flow, key="k1")
    assert refused.value.permanent


def test_a_wrong_token_is_refused(office: SimulatedPlatform) -> None:
    with pytest.raises(ProviderError) as refused:
        office.platform("someone else").hand_in(INVOICE, key="k1")
    assert (refused.value.permanent, refused.value.code) == (True, "UNAUTHORIZED")


def test_a_report_is_accepted_and_an_unknown_flow_left_out(platform: Platform) -> None:
    ref = platform.hand_in(REPORT, key="r1")
    assert codes(platform, ref, times=5) == [200, 205]
    assert platform.statuses(["flow-99"]) == {}


def test_a_decision_ends_it(office: SimulatedPlatform, platform: Platform) -> None:
    ref = platform.hand_in(INVOICE, key="k1")
    office.decide(INVOICE.name, 210, "not ordered")
    told = platform.statuses([ref])[ref]
    assert [status.code for status in told] == [200, 210]
    assert told[-1].note == "not ordered"
    office.hold(INVOICE.name)
    assert codes(platform, ref, times=3) == [200, 210]


def test_a_collection_is_told_once(office: SimulatedPlatform, platform: Platform) -> None:
    ref = platform.hand_in(INVOICE, key="k1")
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    for _ in range(2):
        platform.collected(ref, {"20.00": 708}, at, key="c1")
    (told,) = office.flows[ref].collected
    assert told["amounts"] == [{"rate": "20.00", "amount": "7.08"}]
    with pytest.raises(ProviderError):
        platform.collected("flow-99", {"20.00": 708}, at, key="c2")


def test_it_remembers_over_a_restart(tmp_path: Path) -> None:
    first = SimulatedPlatform(tmp_path / "flows.json")
    ref = first.platform().hand_in(INVOICE, key="k1")
    first.stop()
    second = SimulatedPlatform(tmp_path / "flows.json")
    try:
        assert second.platform().find("k1") == ref
    finally:
        second.stop()


def test_a_platform_needs_https_and_a_token(settings: object) -> None:
    settings.CLAUSE_PLATFORM = {"url": "http://pa.example", "token": "", "simulated": False}  # type: ignore[attr-defined]
    assert len(platforms.check_settings()) == 2
    settings.CLAUSE_PLATFORM = {"url": "", "token": "", "simulated": False}  # type: ignore[attr-defined]
    assert platforms.check_settings() == []
    assert platforms.get() is None
