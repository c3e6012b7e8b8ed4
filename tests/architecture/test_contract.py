"""A rule's id is its name everywhere, and its numbers stand in the terms alone."""

import ast
import re

from tests.architecture import source

ID = re.compile(r"\b(?:ACC|LEG|PRV|SUB|SRV|DOM|TIC|PRJ|ABU|INV)-\d+\b")
CONTRACT = source.ROOT / "docs" / "contract.md"
# Amounts of the first terms that are too particular to stand anywhere by chance: texts, cents, and hours or days.
AMOUNTS = {"1.30", "12.90", "90.00", "280.00", 9000, 28000}
SPANS = {("hours", 48), ("hours", 72), ("days", 15), ("days", 365)}


def test_every_rule_named_in_code_or_tests_is_in_the_contract() -> None:
    known = set(re.findall(r"^\| (" + ID.pattern + r") \|", CONTRACT.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(known) > 80, "the contract's table is not read rightly"
    unknown = {
        f"{source.name(path)}: {rule}"
        for path in source.files(".py", ".html", ".toml", ".txt", folders=(*source.ROOMS, *source.BESIDE))
        for rule in set(ID.findall(path.read_text(encoding="utf-8"))) - known
    }
    assert unknown == set()


def test_what_the_contract_says_is_done_names_files_that_exist() -> None:
    for line in CONTRACT.read_text(encoding="utf-8").splitlines():
        if ID.match(line.removeprefix("| ")):
            for name in re.findall(r"`([\w/.-]+\.\w+)`", line.rsplit("|", 2)[1]):
                assert (source.ROOT / name).exists(), f"{name}, in: {line[:60]}"


def test_no_number_of_the_terms_stands_in_code() -> None:
    found = []
    for path in source.files(".py"):
        if "tests" in path.parts or source.name(path).startswith(("panel/terms/", "panel/demo/")):
            continue
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Constant) and type(node.value) in (str, int) and node.value in AMOUNTS:
                found.append(f"{source.name(path)}:{node.lineno} {node.value!r}")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "timedelta":
                spans = {(word.arg, getattr(word.value, "value", None)) for word in node.keywords}
                if spans & SPANS:
                    found.append(f"{source.name(path)}:{node.lineno} {spans & SPANS}")
    assert found == [], "ask the terms"
