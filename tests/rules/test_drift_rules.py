"""What may be decided on a finding, and when not."""

from hypothesis import given
from hypothesis import strategies as st

from servers.drifting import drift_rules
from servers.drifting.drift_rules import Decision, Found, WhyNot
from servers.drifting.drift_wording import DONE, EFFECTS, ICONS, LABELS, SENTENCES
from servers.rules import Finding, State

FOUND = st.builds(
    Found, kind=st.sampled_from(list(Finding)), open=st.booleans(), deciding=st.booleans(), busy=st.booleans(),
    state=st.sampled_from(["", *State]), lost=st.booleans(), key=st.sampled_from(["", "ssh-ed25519 AAAA"]),
)  # fmt: skip


@given(FOUND, st.sampled_from(list(Decision)))
def test_only_what_helps_and_only_while_it_is_open_and_nothing_else_goes_on(found: Found, decision: Decision) -> None:
    if drift_rules.why_not(found, decision) is None:
        assert found.open
        assert not found.deciding
        assert not found.busy
        assert decision in drift_rules.offered(found)
        assert decision is not Decision.ADOPT or found.lost, "a server with its own machine gets no other"
        assert decision is not Decision.REMAKE or found.state not in {State.SUSPENDED, State.DESTROYED}
        assert decision is not Decision.TRUST or found.key


def test_each_finding_a_person_decides_on_has_its_way_out() -> None:
    ways = {
        Finding.ORPHAN: Decision.REMOVE, Finding.DUPLICATE: Decision.REMOVE, Finding.MISSING: Decision.REMAKE,
        Finding.HOST_KEY: Decision.TRUST,
    }  # fmt: skip
    for kind, decision in ways.items():
        found = Found(kind, state="" if kind is Finding.ORPHAN else State.RUNNING, key="ssh-ed25519 AAAA")
        assert drift_rules.why_not(found, decision) is None
    gone = Found(Finding.DUPLICATE, state=State.STOPPED, lost=True)
    assert drift_rules.why_not(gone, Decision.ADOPT) is None
    assert drift_rules.why_not(Found(Finding.METER), Decision.REMOVE) is WhyNot.NOT_OFFERED


def test_there_is_a_word_for_each() -> None:
    assert set(LABELS) == set(EFFECTS) == set(ICONS) == set(DONE) == set(Decision)
    assert set(SENTENCES) == set(WhyNot)
