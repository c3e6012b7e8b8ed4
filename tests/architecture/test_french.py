"""French is whole: every text of the sources stands in the catalogue, rightly written; mails have both languages."""

import ast
import re
from functools import cache

from babel.messages.catalog import Catalog
from babel.messages.catalog import Message as Entry

from panel.core import badges
from tests.architecture import source
from tests.support import messages

PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|%[sd]|\{\w*\}|<[^>]+>")
NOT_TEXT = re.compile(r"<[^>]+>|https?://\S+|{%.*?%}|{{.*?}}")
NO_BREAK = "\u00a0\u202f"
LOOSE = re.compile(
    rf"'|(?<![{NO_BREAK}])[;?!](?:\s|$)|(?<![{NO_BREAK}]):(?:\s|$)|\u00ab(?![{NO_BREAK}])|(?<![{NO_BREAK}])\u00bb"
)
BADGE = re.compile(r'{% badge "([a-z_]+)"(?: "([a-z_]+)")?')


@cache
def french() -> Catalog:
    return messages.catalogue("fr")


@cache
def said() -> tuple[messages.Message, ...]:
    return tuple(messages.messages())


def forms(entry: Entry) -> list[str]:
    return [entry.string] if isinstance(entry.string, str) else list(entry.string)


def entries() -> list[Entry]:
    return [entry for entry in french() if entry.id]


def test_every_text_of_the_sources_is_translated() -> None:
    missing = []
    for one in said():
        entry = french().get(one.text, context=one.context or None)
        if entry is None or not all(forms(entry)) or (one.plural and len(forms(entry)) != french().num_plurals):
            missing.append(f"{one.file}: {one.text!r}")
    assert missing == [], "make messages, then write the French into panel/locale/fr/LC_MESSAGES/django.po"


def test_a_refusal_is_a_text_of_the_catalogue() -> None:
    """People read it on the page: no `RuleViolation("...")` without its `_`. (Answers of the API are English.)"""

    def bare(node: ast.AST) -> bool:
        while isinstance(node, ast.BinOp):
            node = node.left
        return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))

    found = [
        f"{source.name(path)}:{node.lineno}"
        for path in source.files(".py")
        if "api" not in path.parts
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RuleViolation"
        if node.args and bare(node.args[0])
    ]
    assert found == []


def test_the_catalogue_holds_nothing_else_and_nothing_doubtful() -> None:
    known = {one.key for one in said()}
    texts = [(entry.context or "", entry.id if isinstance(entry.id, str) else entry.id[0]) for entry in entries()]
    assert [text for text in texts if text not in known] == [], "make messages"
    assert [entry.id for entry in entries() if entry.fuzzy] == []
    assert not french().fuzzy, "a doubtful header makes the compiler leave the whole catalogue out"


def test_placeholders_and_tags_are_the_same() -> None:
    for entry in entries():
        original = entry.id if isinstance(entry.id, str) else entry.id[-1]
        for form in forms(entry):
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(original)), entry.id


def test_the_typography_is_french() -> None:
    """No-break spaces before a colon, a semicolon, a question or exclamation mark and inside quotes; no straight
    apostrophe."""
    loose = [form for entry in entries() for form in forms(entry) if LOOSE.search(NOT_TEXT.sub("", form))]
    assert loose == []
    for path in source.files(".txt"):
        if path.name.endswith(".fr.txt"):
            text = NOT_TEXT.sub("", path.read_text(encoding="utf-8").replace("Subject:", "", 1))
            assert LOOSE.search(text) is None, source.name(path)


def test_every_mail_is_written_in_both_languages() -> None:
    found = {str(path)[: -len(".en.txt")]: path.suffixes[-2] for path in source.files(".txt") if "mail" in path.parts}
    assert found
    for stem in found:
        for language in ("en", "fr"):
            assert source.ROOT.joinpath(f"{stem}.{language}.txt").is_file(), f"{stem}.{language}.txt is missing"


def test_a_mail_tells_the_same_in_both_languages() -> None:
    for path in source.files(".txt"):
        if path.name.endswith(".en.txt"):
            other = path.with_name(path.name.replace(".en.txt", ".fr.txt"))
            assert _values(other.read_text()) == _values(path.read_text()), source.name(other)


def _values(text: str) -> set[str]:
    return {value.partition("|")[0].strip() for value in re.findall(r"{{(.*?)}}", text)}


def test_every_state_that_a_page_names_has_its_word() -> None:
    """A state outside the table would show its English code."""
    for path in source.files(".html"):
        for state, kind in BADGE.findall(path.read_text(encoding="utf-8")):
            assert badges.find(state, kind) is not None, f"{source.name(path)}: {kind} {state}"
