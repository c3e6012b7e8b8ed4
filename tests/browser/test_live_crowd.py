"""A browser sees a change within two seconds while 1,000 other sockets are open, and some of them read nothing."""

import re
import resource
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import House
from tests.support.eyes import Eyes
from tests.support.sockets import Kind, crowd

WITHIN = 2.0  # seconds


def test_the_program_has_room_for_thousands_of_sockets(house: House) -> None:
    soft, hard = resource.prlimit(house.program.process.pid, resource.RLIMIT_NOFILE)
    assert soft >= min(hard, 65_536)


def test_a_change_is_seen_within_two_seconds_among_a_thousand_sockets(house: House, sees: Callable[..., Eyes]) -> None:
    path, topics = f"/servers/{house.things['server']}/", house.things["topics"]
    acting, watching = sees("owner"), sees("owner")
    for eyes in (acting, watching):
        eyes.open(path)
        expect(eyes.page.locator("#live[data-state=live]")).to_be_attached()
    own = [topics["server"], topics["account"]]
    badge = watching.page.locator("#server-live [data-announce]")
    expect(badge).to_have_text(re.compile("Running"), timeout=60_000)
    kinds = [
        Kind("owner", 500, house.cookies["owner"], own),
        Kind("deaf", 50, house.cookies["owner"], own, deaf=True),
        Kind("stranger", 450, house.cookies["stranger"], [topics["stranger"]]),
    ]
    with crowd(house.program.port, house.base, kinds) as others:
        acting.page.get_by_role("link", name="Reboot").click()
        acting.page.get_by_role("dialog").get_by_role("button", name="Reboot").click()
        began = time.monotonic()
        expect(watching.page.locator("#server-live .timeline > li").first).to_contain_text(
            "Reboot", timeout=WITHIN * 1000
        )
        assert time.monotonic() - began < WITHIN
        expect(badge).to_have_text(re.compile("Running"), timeout=30_000)
        time.sleep(1)
    assert len(others.heard["owner"]) == 500
    assert min(others.heard["owner"]) >= 2  # under both names
    assert set(others.heard["stranger"]) == {0}
