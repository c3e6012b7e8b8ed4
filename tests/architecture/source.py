"""The program's own files, as architecture tests read them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("panel", "invoicing", "tickets", "servers", "domains", "abuse")
BESIDE = ("tests", "bench")


def files(*endings: str, folders: tuple[str, ...] = ROOMS) -> Iterator[Path]:
    """Every file with one of `endings` in `folders`; migrations are generated and stay out."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in endings and path.is_file() and "migrations" not in path.parts:
                yield path


def name(path: Path) -> str:
    """As messages show it."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
