"""The table of providers says what the adapters say."""

from servers.providers import table
from tests.architecture import source


def test_the_table_of_providers_is_current() -> None:
    kept = (source.ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    assert kept == table.render(), "python -m servers.providers.table > docs/providers.md"


def test_every_capability_is_in_it() -> None:
    assert table.unnamed() == set()
    assert table.WORDS.keys() <= set(dir(table.adapters()["local"].capabilities))
