"""Each page, once for each kind of persona, in a pairwise mix of theme, language and width: nothing that axe objects
to, nothing the policy refuses, no error, no foreign request, no sideways scroll, no text cut, overlapping or sticking
out of its box."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product

import pytest

from tests.browser.conftest import House
from tests.browser.visits import COLUMN, LOOKS, NO_PAGE, Visit, visits
from tests.pages.expectations import PAGES
from tests.support.eyes import Eyes, chromium

AT_ONCE = 2
GLANCED = ("limited",)  # the same pages as the owner's, with less on them: each in its first look alone
WIDTHS = (390, 768, 1440)


def test_theme_language_and_width_meet_pairwise() -> None:
    for one, other in combinations(range(3), 2):
        met = {(look[one], look[other]) for look in LOOKS}
        assert met == set(product({look[one] for look in LOOKS}, {look[other] for look in LOOKS}))


def test_what_is_left_out_exists() -> None:
    assert set(NO_PAGE) <= set(PAGES)


@pytest.mark.parametrize("who", COLUMN)
def test_every_page_looks_right(house: House, who: str) -> None:
    wanted = visits(who, house.things)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda part: walk(house, who, wanted[part::AT_ONCE]), range(AT_ONCE)))
    problems = [problem for part in found for problem in part]
    assert not problems, f"{len(problems)} problems on {len(wanted)} pages:\n" + "\n".join(problems)


def walk(house: House, who: str, wanted: Sequence[Visit]) -> list[str]:
    """What is wrong on these pages, in a browser of this thread's own."""
    found = []
    with chromium() as browser:
        for language in ("en", "fr"):
            eyes = Eyes(browser, house.base, cookie=house.cookies.get(who, ""), language=language)
            for visit in (each for each in wanted if each.language == language):
                found += [
                    f"{visit.name} {visit.path} for {who}: {problem}"
                    for problem in problems_of(eyes, visit, glance=who in GLANCED)
                ]
            eyes.close()
    return found


def problems_of(eyes: Eyes, visit: Visit, *, glance: bool) -> list[str]:
    """First as the mix says, with every rule of axe; unless a `glance` is enough, then the other widths, and the other
    theme's contrasts."""
    eyes.width(visit.width)
    eyes.wear(visit.theme, visit.language)
    response = eyes.open(visit.path)
    if response.status != visit.status:
        return [f"answers {response.status}, not {visit.status}"]
    if eyes.path != visit.path:
        return [f"leads to {eyes.path}"]
    eyes.theme(visit.theme)
    found = [f"{visit.theme}: {problem}" for problem in eyes.axe()]
    for width in (visit.width,) if glance else WIDTHS:
        eyes.width(width)
        found += [f"at {width} px: {problem}" for problem in eyes.layout()]
    if glance:
        return found + eyes.problems()
    other = "light" if visit.theme == "dark" else "dark"
    eyes.theme(other)
    found += [f"{other}: {problem}" for problem in eyes.axe(rules=["color-contrast"])]
    return found + eyes.problems()
