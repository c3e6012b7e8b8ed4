"""One program with the demo world, and one browser, for the whole session. The demo world is lived through once (it
costs the better part of a minute), and every test shares it: who changes something changes something of their own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support import presence
from tests.support.eyes import Eyes, chromium
from tests.support.program import Program

BUILDING = 240.0  # seconds for the demo world on a busy machine
expect.set_options(timeout=15_000)  # milliseconds; a test that counts them says its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class House:
    """The running program, the cookies of its personas, and the ids of what can be looked at."""

    program: Program
    cookies: dict[str, str]
    things: dict[str, Any]

    @property
    def base(self) -> str:
        return self.program.base


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if why := presence.missing("browser"):
        pytest.skip(f"needs {why}")
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Program(tmp_path_factory.mktemp("browser") / "data", bare=False, patience=BUILDING) as program:
        told = json.loads(program.manage(script="from tests.browser.cast import tell; tell()"))
        yield House(program, told["cookies"], told["things"])


@pytest.fixture
def sees(house: House, browser: Browser) -> Iterator[Callable[..., Eyes]]:
    """`sees("owner", width=390)`: a tab of that persona; what is wrong in any of them fails the test at its end."""
    opened: list[Eyes] = []

    def open_tab(who: str = "", **how: Any) -> Eyes:
        opened.append(Eyes(browser, house.base, cookie=house.cookies.get(who, ""), **how))
        return opened[-1]

    yield open_tab
    problems = [problem for eyes in opened for problem in eyes.errors]
    for eyes in opened:
        eyes.close()
    assert problems == []
