"""One clock: `now` is an argument from the edge inwards. Only an edge asks what time it is."""

import ast
import re

from tests.architecture import source

WALL_CLOCKS = {"now", "utcnow", "today"}
OWNERS = {"datetime", "date", "timezone"}
THE_CLOCK = "panel/core/clock.py"
EDGES = re.compile(
    r"(views|staff_views|hook_views|api|tasks|middleware|forms|allauth_adapter|context|web)\.py$|_views\.py$"
    r"|/management/commands/|/templatetags/|^panel/(runtime/|celery|health|live_socket|terminal_socket|api/|demo/)"
    r"|^panel/core/(operations|ticking|shell)\.py$|^invoicing/paying/webhook_door\.py$"
)


def test_nobody_reads_a_wall_clock_but_the_clock() -> None:
    found = []
    for path in source.files(".py"):
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WALL_CLOCKS:
                owner = node.func.value
                owner_name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if owner_name in OWNERS and source.name(path) != THE_CLOCK:
                    found.append(f"{source.name(path)}:{node.lineno}")
    assert found == [], "take `now` as an argument"


def test_only_edges_ask_the_clock() -> None:
    found = [
        source.name(path)
        for path in source.files(".py")
        if "clock.now()" in path.read_text(encoding="utf-8") and not EDGES.search(source.name(path))
    ]
    assert [name for name in found if name != THE_CLOCK] == [], "take `now` as an argument"
