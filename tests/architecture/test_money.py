"""Money is whole cents and decimals. A float near it is a cent lost one day."""

import ast
import re
from pathlib import Path

from tests.architecture import source

MONEY = re.compile(r"(^|_)(cents?|prices?|amounts?|euros?|eur|vat|fees?|refunds?|refunded|invoiced)(_|$)")


def names(node: ast.AST) -> set[str]:
    """Every identifier below `node`."""
    found = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    found |= {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    return found | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg | ast.keyword) and each.arg}


def about_money(node: ast.AST) -> bool:
    return any(MONEY.search(name) for name in names(node))


def floats_in(statement: ast.AST) -> list[int]:
    """Lines with a float literal or a conversion to float."""
    lines = []
    for node in ast.walk(statement):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
        conversion = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if literal or conversion:
            lines.append(node.lineno)  # type: ignore[attr-defined]
    return lines


def simple_statements(path: Path) -> list[ast.stmt]:
    compound = (
        ast.FunctionDef
        | ast.AsyncFunctionDef
        | ast.ClassDef
        | ast.If
        | ast.For
        | ast.While
        | ast.With
        | ast.Try
        | ast.Match
    )
    return [
        node for node in ast.walk(source.tree(path)) if isinstance(node, ast.stmt) and not isinstance(node, compound)
    ]


def test_no_statement_about_money_holds_a_float() -> None:
    found = [
        f"{source.name(path)}:{line}"
        for path in source.files(".py")
        for statement in simple_statements(path)
        if about_money(statement)
        for line in floats_in(statement)
    ]
    assert found == []


def test_money_is_never_divided_into_a_float() -> None:
    """`cents / 100` is a float; `Decimal(cents) / 100` and `cents // 100` are not."""
    found = []
    for path in source.files(".py"):
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                sides = [side for side in (node.left, node.right) if isinstance(side, ast.Name | ast.Attribute)]
                if any("cents" in name for side in sides for name in names(side)):
                    found.append(f"{source.name(path)}:{node.lineno}")
    assert found == []


def test_no_model_keeps_a_float() -> None:
    for path in source.files(".py"):
        assert "FloatField" not in names(source.tree(path)), source.name(path)


def test_only_one_place_moves_funds() -> None:
    """Every debit of funds names its credits; whoever booked on their account directly would forget to."""
    booking = re.compile(r"\b(?:debit|credit)\((?:ledger\.)?FUNDS\b")
    found = [path.name for path in source.files(".py") if booking.search(path.read_text(encoding="utf-8"))]
    assert set(found) - {"test_money.py"} == {"funds.py"}
