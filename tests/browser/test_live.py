"""A change of state reaches every open page of its owner within two seconds, and nobody else's socket."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import WebSocket, expect

from tests.browser.conftest import House
from tests.support.eyes import Eyes

WITHIN = 2.0  # seconds from the moment the panel knows


class Ear:
    """What a tab's socket receives."""

    def __init__(self, eyes: Eyes) -> None:
        self.heard: list[dict[str, Any]] = []
        eyes.page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.heard.extend(json.loads(frame)))


def badge(eyes: Eyes) -> Any:
    return eyes.page.locator("#server-live [data-announce]")


def test_power_reaches_the_owner_at_once_and_nobody_else(house: House, sees: Callable[..., Eyes]) -> None:
    path = f"/servers/{house.things['server']}/"
    acting, watching, stranger = sees("owner"), sees("owner", width=390), sees("stranger")
    own, foreign = Ear(watching), Ear(stranger)
    for eyes, where in ((acting, path), (watching, path), (stranger, "/servers/")):
        eyes.open(where)
        expect(eyes.page.locator("#live[data-state=live]")).to_be_attached()
    expect(badge(watching)).to_have_text(re.compile("Running"))

    acting.page.get_by_role("link", name="Stop").click()
    acting.page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(acting.page.get_by_role("dialog")).to_have_count(0)
    began = time.monotonic()
    while not own.heard and time.monotonic() - began < WITHIN:
        watching.page.wait_for_timeout(20)
    assert own.heard, "the other browser of the owner heard nothing"
    expect(badge(watching)).to_have_text(re.compile("Stopp|under way"), timeout=15_000)
    expect(badge(watching)).to_have_text(re.compile("Stopped"), timeout=30_000)
    told = len(own.heard)

    watching.page.get_by_role("button", name="Start").click()
    expect(badge(acting)).to_have_text(re.compile("Running"), timeout=30_000)
    assert len(own.heard) >= told
    told_of_others = [message for message in foreign.heard if message["event"] != "missed"]  # that is their own account
    assert told_of_others == [], "a stranger's socket was told of it"


def test_what_the_page_shows_follows_within_two_seconds_of_the_panel(house: House, sees: Callable[..., Eyes]) -> None:
    """From the click in one browser to what can be read in the other."""
    path = f"/servers/{house.things['server']}/"
    acting, watching = sees("owner"), sees("owner")
    own = Ear(watching)
    for eyes in (acting, watching):
        eyes.open(path)
        expect(eyes.page.locator("#live[data-state=live]")).to_be_attached()
    acting.page.get_by_role("link", name="Reboot").click()
    acting.page.get_by_role("dialog").get_by_role("button", name="Reboot").click()
    began = time.monotonic()
    newest = watching.page.locator("#server-live .timeline > li").first
    expect(newest).to_contain_text("Reboot", timeout=WITHIN * 1000)
    assert time.monotonic() - began < WITHIN
    assert own.heard


def test_how_the_machine_does_is_read_anew_while_the_page_is_open(house: House, sees: Callable[..., Eyes]) -> None:
    watching, stranger = sees("owner"), sees("stranger")
    foreign = Ear(stranger)
    stranger.open("/servers/")
    watching.open(f"/servers/{house.things['server']}/")
    expect(watching.page.locator("#live[data-state=live]")).to_be_attached()
    read = watching.page.locator("#server-vitals time").last  # below what was read stands when
    expect(read).to_be_attached(timeout=90_000)
    for _ in range(2):
        before = read.get_attribute("datetime")
        expect(read).not_to_have_attribute("datetime", before or "", timeout=20_000)
    expect(watching.page.locator("#server-vitals [role=meter]")).to_have_count(3)
    assert watching.axe() == []
    assert [message for message in foreign.heard if message["event"] == "servers.vitals.read"] == []


CUT = """(() => {
    window.cut = false; window.held = [];
    window.WebSocket = class extends WebSocket {
        constructor(...words) { super(...words); held.push(this); if (window.cut) this.close(); }
    };
})();"""


def test_after_a_cut_the_page_is_right_again(house: House, sees: Callable[..., Eyes]) -> None:
    """What happened while no socket could be had shows as soon as there is one."""
    path = f"/servers/{house.things['server']}/"
    acting, watching = sees("owner"), sees("owner")
    watching.page.add_init_script(CUT)
    for eyes in (acting, watching):
        eyes.open(path)
        expect(eyes.page.locator("#live[data-state=live]")).to_be_attached()
    expect(badge(watching)).to_have_text(re.compile("Running"), timeout=30_000)
    watching.page.evaluate("cut = true; held.at(-1).close()")
    expect(watching.page.locator("#live[data-state=lost]")).to_be_attached()
    acting.page.get_by_role("link", name="Stop").click()
    acting.page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(badge(acting)).to_have_text(re.compile("Stopped"), timeout=30_000)
    expect(badge(watching)).to_have_text(re.compile("Running"))  # nobody could tell this page yet
    watching.page.evaluate("cut = false")
    expect(watching.page.locator("#live[data-state=live]")).to_be_attached(timeout=30_000)
    expect(badge(watching)).to_have_text(re.compile("Stopped"), timeout=WITHIN * 1000)
    watching.page.get_by_role("button", name="Start").click()
    expect(badge(acting)).to_have_text(re.compile("Running"), timeout=30_000)


SLOW_SOCKET = """(() => {
    const send = WebSocket.prototype.send, kept = [];
    WebSocket.prototype.send = function (words) { kept.push(() => send.call(this, words)); };
    window.release = () => kept.forEach((call) => call());
})();"""


def test_what_happens_while_the_socket_of_a_page_is_still_on_its_way_is_made_up_for(
    house: House, sees: Callable[..., Eyes]
) -> None:
    """The page was read before the change, and its socket watches after it: no message is left to come."""
    path = f"/servers/{house.things['server']}/"
    acting, watching = sees("owner"), sees("owner")
    watching.page.add_init_script(SLOW_SOCKET)
    for eyes in (acting, watching):
        eyes.open(path)
        expect(eyes.page.locator("#live[data-state=live]")).to_be_attached()
    expect(badge(watching)).to_have_text(re.compile("Running"), timeout=30_000)
    acting.page.get_by_role("link", name="Stop").click()
    acting.page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(badge(acting)).to_have_text(re.compile("Stopped"), timeout=30_000)
    expect(badge(watching)).to_have_text(re.compile("Running"))  # nobody told this page yet
    watching.page.evaluate("release()")
    expect(badge(watching)).to_have_text(re.compile("Stopped"), timeout=WITHIN * 1000)
    acting.page.get_by_role("button", name="Start").click()
    expect(badge(watching)).to_have_text(re.compile("Running"), timeout=30_000)
