"""One table of states for the whole product, and no state outside it."""

import pytest
from django.apps import apps
from django.db.models import Field

from panel.core import badges, icons

OURS = {"core", "terms", "accounts", "invoicing", "tickets", "servers", "domains", "abuse", "sandbox", "console", "api"}


def _states() -> list[tuple[str, str]]:
    """(kind, state) of every model of ours that has a `state` with choices."""
    found = []
    for model in apps.get_models():
        if model._meta.app_label in OURS:
            for column in model._meta.get_fields():
                if isinstance(column, Field) and column.name == "state" and column.choices:
                    found += [(str(model._meta.model_name), str(value)) for value, _word in column.flatchoices if value]
    return found


def test_every_state_of_every_model_has_its_badge() -> None:
    missing = [f"{kind}.{state}" for kind, state in _states() if badges.find(state, kind) is None]
    assert not missing, f"add to panel.core.badges.BADGES: {', '.join(missing)}"


@pytest.mark.parametrize("key", badges.BADGES)
def test_every_badge_has_an_icon_a_word_and_a_tone(key: str) -> None:
    badge = badges.BADGES[key]
    assert badge.icon in icons.NAMES
    assert str(badge.word)
    assert badge.tone in badges.TONES


def test_a_kind_may_have_its_own_meaning_of_a_common_state() -> None:
    assert badges.of("running", "server").word != badges.of("running", "operation").word
    assert badges.of("suspended", "server") == badges.of("suspended")


def test_a_state_nobody_described_still_shows_its_name() -> None:
    assert badges.of("half_baked").word == "Half baked"


def test_every_icon_is_in_the_package_and_is_drawn_without_style() -> None:
    for name in icons.NAMES:
        drawing = icons.draw(name)
        assert drawing.startswith("<svg ")
        assert "style" not in drawing
