"""Every setting an operator can make stands in docs/operations/settings.md, and nothing else does."""

import re

from tests.architecture import source

TABLE = source.ROOT / "docs" / "operations" / "settings.md"


def documented() -> set[str]:
    names: set[str] = set()
    for row in re.findall(r"^\| ([^|]+) \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE):
        first = ""
        for name in re.findall(r"`([A-Z_]+)`", row):
            names.add(first.rsplit("_", 1)[0] + name if name.startswith("_") else name)
            first = first if name.startswith("_") else name
    return names


def read_by_the_program() -> set[str]:
    reading = re.compile(
        r"env\.(?:text|flag|number|words|required)\(\s*[\"']([A-Z_]+)[\"']|environ\.get\(\"(CLAUSE_[A-Z_]+)\""
    )
    found: set[str] = set()
    for path in source.files(".py", folders=("panel",)):
        found |= {one or two for one, two in reading.findall(path.read_text(encoding="utf-8"))}
    return {name for name in found if not name.startswith("CLAUSE_CRASH_")}


def test_settings_and_their_table_agree() -> None:
    assert read_by_the_program() == documented()
