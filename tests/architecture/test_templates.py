"""The content security policy is strict: nothing inline, nothing from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import source

FORBIDDEN = {
    "an inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script\b(?![^>]*\bsrc=)", re.IGNORECASE),
    "an event handler": re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE),
    "a javascript: address": re.compile(r"javascript:", re.IGNORECASE),
    "something from elsewhere": re.compile(
        r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE
    ),
}
DATA = re.compile(r"<script\b[^>]*type=[\"']application/json[\"'][^>]*>", re.IGNORECASE)


def templates() -> Iterator[Path]:
    for path in source.files(".html"):
        if "templates" in path.parts and "mail" not in path.parts:
            yield path


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_holds(what: str) -> None:
    found = []
    for path in templates():
        text = DATA.sub(
            "",
            re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL),
        )
        found += [f"{source.name(path)}: {hit[0]}" for hit in FORBIDDEN[what].finditer(text)]
    assert found == []


def test_python_makes_no_inline_style_either() -> None:
    for path in source.files(".py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<[a-z]+[^>\n]* style=", text), source.name(path)
