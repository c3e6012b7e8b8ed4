"""A newcomer can read any file in one sitting, and its name says what is in it."""

import pytest

from tests.architecture import source

LONGEST_FILE = 450
LONGEST_FUNCTION = 70
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "services", "service", "common", "misc", "stuff", "lib"}
ALL = (*source.ROOMS, *source.BESIDE)


def test_no_file_is_too_long() -> None:
    long = {
        source.name(path): lines
        for path in source.files(".py", ".js", ".css", ".html", folders=ALL)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}, f"split what is longer than {LONGEST_FILE} lines"


def test_no_function_is_too_long() -> None:
    long = {
        f"{source.name(path)}:{function.lineno} {function.name}": lines
        for path in source.files(".py", folders=ALL)
        for function in source.functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert long == {}, f"split what is longer than {LONGEST_FUNCTION} lines"


def test_no_name_says_nothing() -> None:
    for path in source.files(".py", folders=ALL):
        parts = {part.lower() for part in path.relative_to(source.ROOT).with_suffix("").parts}
        assert not parts & NAMES_THAT_SAY_NOTHING, source.name(path)


@pytest.mark.parametrize("word", ["django.dispatch", "django.db.models.signals", "@receiver("])
def test_there_are_no_signals(word: str) -> None:
    """Down by a call, up by an event of the journal."""
    for path in source.files(".py"):
        assert word not in path.read_text(encoding="utf-8"), source.name(path)
