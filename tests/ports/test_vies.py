"""The port to the register of VAT numbers: the adapter against the strict imitation, in its good and bad moods."""

from collections.abc import Iterator

import pytest

from invoicing import vies
from invoicing.loopback import Asked, Office, Reply
from invoicing.vies import simulated
from invoicing.vies.commission import CommissionRegister
from invoicing.vies.simulated import SimulatedVies
from panel.core.errors import ProviderError

OURS, THEIRS = "FR44732829320", "DE136695976"


@pytest.fixture
def office() -> Iterator[SimulatedVies]:
    running = SimulatedVies()
    yield running
    running.stop()


def test_a_valid_number_is_a_yes_with_a_proof(office: SimulatedVies) -> None:
    first, second = (office.register(OURS).ask(THEIRS) for _ in range(2))
    assert first.valid
    assert first.consultation.startswith("WAPI")
    assert first.consultation != second.consultation
    assert office.asked == [THEIRS, THEIRS]


def test_an_unknown_number_is_a_no(office: SimulatedVies) -> None:
    office.mood(simulated.INVALID, number=THEIRS)
    assert office.register(OURS).ask(THEIRS).valid is False
    assert office.register(OURS).ask("ATU13585627").valid is True


def test_a_number_of_no_form_is_a_no(office: SimulatedVies) -> None:
    assert office.register(OURS).ask("DE000000000").valid is False


@pytest.mark.parametrize("mood", [*simulated.OUTAGES, simulated.SILENT, simulated.GARBAGE, simulated.OTHER_NUMBER,
                                  simulated.NO_ANSWER])  # fmt: skip
def test_an_outage_is_neither_yes_nor_no(office: SimulatedVies, mood: str) -> None:
    office.mood(mood, times=1)
    with pytest.raises(ProviderError) as refused:
        office.register(OURS).ask(THEIRS)
    assert not refused.value.permanent
    assert office.register(OURS).ask(THEIRS).valid, "and the next question is answered"


def test_nobody_there_is_no_answer(office: SimulatedVies) -> None:
    base = office.base
    office.stop()
    with pytest.raises(ProviderError):
        CommissionRegister(base, OURS, seconds=2).ask(THEIRS)


def test_a_late_answer_is_none() -> None:
    import threading

    done = threading.Event()

    def answer(asked: Asked) -> Reply:
        done.wait(5)
        return Reply(200, {})

    slow = Office(answer, "slow")
    try:
        with pytest.raises(ProviderError):
            CommissionRegister(slow.base, OURS, seconds=0.2).ask(THEIRS)
    finally:
        done.set()
        slow.stop()


def test_our_own_number_must_be_right(office: SimulatedVies) -> None:
    with pytest.raises(ProviderError) as refused:
        office.register("FR00000000000").ask(THEIRS)
    assert refused.value.permanent, "asking again does not mend it: staff must"


def test_only_an_encrypted_address_is_taken(settings: object) -> None:
    settings.CLAUSE_VIES = {"url": "http://register.example/rest"}  # type: ignore[attr-defined]
    assert [found.id for found in vies.check_settings()] == ["invoicing.E002"]
    settings.CLAUSE_VIES = {"url": "https://register.example/rest"}  # type: ignore[attr-defined]
    assert vies.check_settings() == []
