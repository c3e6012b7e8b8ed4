"""LEG-1, LEG-2, LEG-6: which number applies when has one answer, and it names its source."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from panel import terms
from panel.core import calendars
from panel.terms.versions import Terms, applicable, versions

OLD = versions("say_digital")[0]
NEW = replace(OLD, name="say_digital/2026-09", effective=date(2026, 9, 1))
JOINED = datetime(2026, 2, 1, tzinfo=UTC)


def at(instant: datetime, announced: dict[str, datetime] | None = None, joined: datetime | None = JOINED) -> Terms:
    return applicable([OLD, NEW], announced or {}, joined, instant)


def test_a_number_names_its_source() -> None:
    number = OLD.number("ABU-3", "fee")
    assert (number.value, number.rule, number.source, number.version) == (
        "90.00", "ABU-3", "TOS 6.6", "say_digital/2026-01"
    )  # fmt: skip


def test_typed_numbers_are_those_of_the_contract() -> None:
    assert OLD.copyright.response == timedelta(hours=48)
    assert (OLD.copyright.address_fee, OLD.copyright.termination_fee) == (9000, 28000)
    assert OLD.bandwidth.unit_price == Decimal("1.30")
    assert (OLD.brake.limit, OLD.brake.notice) == (10, timedelta(hours=24))


def test_a_new_version_applies_15_days_after_it_was_announced_to_this_user() -> None:
    told = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)
    announced = {NEW.name: told}
    last = calendars.days_later(told, 15)  # LEG-2: 24:00 Paris of the 15th day
    assert at(last - timedelta(seconds=1), announced) is OLD
    assert at(last, announced) is NEW


def test_who_was_not_told_keeps_the_old_version() -> None:
    assert at(datetime(2027, 1, 1, tzinfo=UTC)) is OLD


def test_who_joins_later_has_the_version_in_force_then() -> None:
    assert at(datetime(2026, 9, 3, tzinfo=UTC), joined=datetime(2026, 9, 2, tzinfo=UTC)) is NEW


def test_an_early_announcement_does_not_bring_it_forward() -> None:
    announced = {NEW.name: datetime(2026, 7, 1, tzinfo=UTC)}
    assert at(datetime(2026, 8, 31, 12, tzinfo=UTC), announced) is OLD


def test_a_visitor_reads_the_newest_in_force() -> None:
    assert at(datetime(2026, 8, 1, tzinfo=UTC), joined=None) is OLD
    assert at(datetime(2026, 9, 2, tzinfo=UTC), joined=None) is NEW


def test_a_signed_quote_comes_first() -> None:
    sources = ["site", "terms-of-use", "quote", "service-clauses"]
    assert terms.order_of_precedence(OLD, sources) == ["quote", "service-clauses", "terms-of-use", "site"]


def test_every_document_exists_in_both_languages_with_its_numbers_filled_in() -> None:
    for document in OLD.documents:
        for language in ("en", "fr"):
            text = OLD.text(document, language)
            assert text.startswith("# ")
            assert "{" not in text
    assert "48 heures" in OLD.text("terms-of-use", "fr")


def test_a_switch_that_nothing_reads_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the text says "may" and no clock is there to act, a person decides: true would do nothing."""
    (tmp_path / "someone").mkdir()
    table = '[version]\nlabel = "1"\neffective = "2026-01-01"\n\n[automatic]\n"SRV-6" = true\n'
    file = tmp_path / "someone" / "1.toml"
    monkeypatch.setitem(versions.__wrapped__.__globals__, "ROOT", tmp_path)
    read = versions.__wrapped__
    file.write_text(table)
    (made,) = read("someone")
    assert [made.automatic(rule) for rule in ("SRV-6", "INV-7", "OPR-3")] == [True, False, True]
    with pytest.raises(KeyError):
        made.automatic("ABU-6")
    file.write_text(f'{table}"ABU-6" = true\n')
    with pytest.raises(ValueError, match="ABU-6"):
        read("someone")
