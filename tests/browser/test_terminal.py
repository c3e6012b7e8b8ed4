"""As a customer I work on my server in the browser: a real machine, its real SSH, a real browser (SRV-8)."""

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from servers.providers.local.driver import LocalNodeDriver
from tests.support import hosts
from tests.support.eyes import Eyes
from tests.support.program import Program
from tests.support.wire import eventually

pytestmark = pytest.mark.local

BEGIN = """
import os, django, json
os.environ["DJANGO_SETTINGS_MODULE"] = "panel.settings"
django.setup()
from panel.core import clock
from panel.accounts.models import Account, Membership, User, actor_of
from servers.models import Server, TerminalPermit, TerminalSession
now = clock.now()
"""
SCENE = """
from tests.browser.cast import _session
from tests.support.machines import subscribe
from tests.support.world import World
world = World()
world.now = now
alice = world.customer("Alice")
subscribe(world, alice, name="web-1", place="local-1", image="slim")
sam = User.objects.get(pk=world.staff("infrastructure").user_id)
print(json.dumps({"owner": _session(alice.user, alice.account, now), "staff": _session(sam, None, now)}))
"""
SERVER = """
server = Server.objects.get()
print(json.dumps({"reference": server.reference, "state": server.state}))
"""
OPENED = """
rows = TerminalSession.objects.order_by("pk")
print(json.dumps([[row.ending, row.by_staff, row.connected_at is not None] for row in rows]))
"""


class House:
    """The program with one real server, and its people."""

    def __init__(self, program: Program, driver: LocalNodeDriver, cookies: dict[str, str]) -> None:
        self.program, self.driver, self.cookies = program, driver, cookies
        assert eventually(lambda: self.ask(SERVER)["state"] == "running", 60), self.ask(SERVER)
        self.server = self.ask(SERVER)["reference"]

    def ask(self, script: str) -> Any:
        return json.loads(self.program.manage(script=BEGIN + script))

    def opened(self) -> Any:
        return self.ask(OPENED)


@pytest.fixture(scope="module")
def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("terminal")
    bridge, subnet = f"t{secrets.token_hex(4)}", hosts.free_subnet()
    environment = {
        "LOCAL": "1", "CLAUSE_LOCAL_BRIDGE": bridge, "CLAUSE_LOCAL_SUBNET": subnet, "CLAUSE_DATABASE_URL": "",
        "CLAUSE_REDIS_URL": "", "CLAUSE_REQUIRE_STAFF_MFA": "no",
    }  # fmt: skip
    driver = LocalNodeDriver(data_dir=folder / "local", bridge=bridge, subnet=subnet)
    program = Program(folder, environment=environment)
    try:
        program.start()
        cookies = json.loads(program.manage(script=BEGIN + SCENE))
        yield House(program, driver, cookies)
    finally:
        program.end_group()
        for node in driver.list_nodes():
            driver.destroy_node(node)
    assert hosts.leftovers(folder, bridge) == []


@pytest.fixture
def sees(house: House, browser: Browser) -> Iterator[Callable[..., Eyes]]:
    """A tab of the owner or of staff; whatever is wrong in it fails the test at its end."""
    opened: list[Eyes] = []

    def open_tab(who: str = "owner", **how: Any) -> Eyes:
        opened.append(Eyes(browser, house.program.base, cookie=house.cookies[who], **how))
        return opened[-1]

    yield open_tab
    problems = [problem for eyes in opened for problem in eyes.problems()]
    for eyes in opened:
        eyes.close()
    assert problems == []


@pytest.fixture
def at(house: House) -> str:
    """The page; terminals are permitted."""
    assert house.ask(PERMITTED) == "in_force"
    return f"/servers/{house.server}/terminal/"


PERMITTED = """
from servers.terminals import permits
server = Server.objects.get()
alice = Membership.objects.get(account=server.account, is_owner=True)
row = permits.of(server)
if row is None or row.state != "in_force":
    permits.permit(server, actor=actor_of(alice.user, account_id=server.account_id), now=now)
import time
for _ in range(100):
    row = permits.of(server)
    if row.state == "in_force":
        break
    time.sleep(0.1)
print(json.dumps(row.state))
"""
STATE = "print(json.dumps(TerminalPermit.objects.get().state))"


def text(page: Page) -> str:
    """The screen as it is read."""
    return "\n".join(row.rstrip() for row in page.locator("[data-screen] .t-row").all_inner_texts()).rstrip()


def reads(page: Page, words: str | re.Pattern[str]) -> None:
    expect(page.locator("[data-screen]")).to_contain_text(words)


def opens(eyes: Eyes, path: str) -> Page:
    """A shell that waits for a command."""
    eyes.open(path)
    eyes.page.get_by_role("button", name="Open the terminal").click()
    expect(eyes.page.locator("#terminal[data-state=open]")).to_be_visible()
    reads(eyes.page, "root@web-1:~#")
    return eyes.page


def does(page: Page, line: str) -> None:
    page.keyboard.type(f"{line}\n")


def test_the_customer_permits_it_first(house: House, sees: Callable[..., Eyes]) -> None:
    eyes, tech = sees(), sees("staff")
    eyes.open(f"/servers/{house.server}/")
    eyes.page.get_by_role("link", name="Terminal").click()
    expect(eyes.page.locator("#terminal-door")).to_contain_text("Nobody has permitted terminals")
    tech.open(f"/ops/servers/{house.server}/terminal/")
    expect(tech.page.locator("#terminal-door")).to_contain_text("Nobody has permitted terminals")
    expect(tech.page.get_by_role("button", name="Permit terminals")).to_have_count(0)

    eyes.page.get_by_role("button", name="Permit terminals").click()
    expect(eyes.page.get_by_role("button", name="Open the terminal")).to_be_visible()
    expect(tech.page.locator("#terminal-door")).to_contain_text("The customer has not let staff in")
    eyes.page.get_by_role("button", name="Let staff in").click()
    page = opens(tech, f"/ops/servers/{house.server}/terminal/")
    expect(eyes.page.locator("#terminal-opened")).to_contain_text("Our staff")

    eyes.page.get_by_role("button", name="Keep staff out").click()
    expect(page.locator("[data-how]")).to_contain_text("not permitted any more")
    expect(eyes.page.locator("#terminal-opened")).to_contain_text("No longer permitted")


def test_commands_colours_letters_and_ctrl_c(sees: Callable[..., Eyes], at: str) -> None:
    page = opens(sees(), at)
    does(page, "echo 'h\u00e9llo \u4f60\u597d' $((6*7))")
    reads(page, "h\u00e9llo \u4f60\u597d 42")
    assert page.locator(".t-wide").first.bounding_box()["width"] > 12  # type: ignore[index]
    does(page, "printf '\\e[31mred\\e[0m \\e[48;5;24mblue\\e[0m\\n'")
    assert page.locator(".t-f1", has_text="red").last.evaluate("e => getComputedStyle(e).color") == "rgb(255, 138, 128)"
    assert page.locator(".t-b24").last.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(0, 95, 135)"

    does(page, "clear; sleep 600; echo never")
    page.wait_for_timeout(400)
    page.keyboard.press("Control+c")
    does(page, "echo after:$?")
    reads(page, "after:130")
    assert "\nnever" not in text(page)

    does(page, "yes flood of output")
    page.wait_for_timeout(1000)
    began = time.monotonic()
    page.keyboard.press("Control+c")
    does(page, "clear; echo calm")
    expect(page.locator("[data-screen] .t-row").nth(0)).to_have_text(re.compile("^calm"))
    assert time.monotonic() - began < 5, "what was on its way is soon over"
    assert page.locator("[data-past] .t-row").count() <= 500


def test_an_editor_top_and_what_was_before(sees: Callable[..., Eyes], at: str) -> None:
    page = opens(sees(), at)
    does(page, "clear; echo before; export HOME=/root; printf 'set nocompatible\\n' > ~/.vimrc; vi /root/note.txt")
    reads(page, re.compile("note.txt"))
    page.keyboard.type("ifirst line\nthird line")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    page.keyboard.type("the ")
    reads(page, "the first line")
    page.keyboard.press("Escape")
    page.keyboard.type(":wq\n")
    expect(page.locator("[data-screen] .t-row").nth(0)).to_have_text(re.compile("^before"))
    does(page, "clear; cat /root/note.txt")
    reads(page, re.compile("the first line.*third line", re.DOTALL))
    does(page, "top")
    reads(page, re.compile("PID USER"))
    page.keyboard.type("q")
    reads(page, "root@web-1:~#")  # top throws away what is typed before it has ended
    does(page, "clear; echo left")
    expect(page.locator("[data-screen] .t-row").nth(0)).to_have_text(re.compile("^left"))


def test_the_window_decides_the_size(sees: Callable[..., Eyes], at: str) -> None:
    eyes = sees(width=1280)
    page = opens(eyes, at)
    does(page, "clear; stty size")
    reads(page, re.compile(r"\d+ \d+"))
    wide = page.locator("[data-screen] .t-row").nth(0).inner_text().split()
    eyes.width(390)
    page.wait_for_timeout(600)
    does(page, "clear; stty size")
    expect(page.locator("[data-screen] .t-row").nth(0)).not_to_have_text(re.compile(" ".join(wide)))
    narrow = page.locator("[data-screen] .t-row").nth(0).inner_text().split()
    assert 30 < int(narrow[1]) < 60 < int(wide[1])
    assert page.locator("[data-screen] .t-row").count() == int(narrow[0])
    assert eyes.page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Control").click()
    page.keyboard.type("l")
    page.get_by_role("button", name="ArrowUp").click()
    reads(page, "stty size")
    assert eyes.axe() == []
    eyes.theme("dark")
    assert eyes.axe() == []


PASTE = """(text) => { const data = new DataTransfer(); data.setData("text/plain", text);
const paste = new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
document.querySelector("[data-input]").dispatchEvent(paste); }"""


def test_pasting_much_and_too_much(sees: Callable[..., Eyes], at: str) -> None:
    page = opens(sees(), at)
    does(page, "bind 'set enable-bracketed-paste on'; clear; echo ready")
    expect(page.locator("[data-screen] .t-row").nth(0)).to_have_text(re.compile("^ready"))
    page.evaluate(PASTE, "echo one\necho two\x1b[201~\n")
    page.wait_for_timeout(500)
    assert "\none" not in text(page), "what is pasted is not carried out before Enter"
    page.keyboard.press("Control+c")
    lines = "".join(f"{n} \u00e9\u4f60\U0001f600 {'x' * 50}\n" for n in range(2000))
    does(page, "clear; stty -echo; cat > /root/pasted; stty echo; sha256sum < /root/pasted; wc -l /root/pasted")
    page.wait_for_timeout(400)
    page.evaluate(PASTE, lines)
    page.keyboard.press("Control+d")
    reads(page, "2000 /root/pasted")
    reads(page, sha256(lines.encode()).hexdigest())
    page.evaluate(PASTE, "y" * 200_001)
    expect(page.get_by_text("too much to paste")).to_be_visible()


SLOW = """() => { const send = WebSocket.prototype.send, held = [];
WebSocket.prototype.send = function (words) {
    words.includes("ack") && !window.free ? held.push([this, words]) : send.call(this, words);
};
window.release = () => { window.free = true; held.forEach(([socket, words]) => send.call(socket, words)); }; }"""


def test_a_slow_browser_gets_the_latest_screen_and_no_queue(sees: Callable[..., Eyes], at: str) -> None:
    eyes = sees()
    frames: list[str] = []
    eyes.page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    page = opens(eyes, at)
    page.evaluate(SLOW)
    before = len([frame for frame in frames if '"n"' in frame])
    does(page, "clear; for n in $(seq 1 3000); do echo line $n; done; echo finished")
    page.wait_for_timeout(2500)
    sent = [frame for frame in frames if '"n"' in frame][before:]
    assert len(sent) <= 2, "nothing more until the browser has drawn"
    page.evaluate("window.release()")
    reads(page, "finished")
    assert len([frame for frame in frames if '"n"' in frame]) - before < 12


def test_the_keyboard_is_left_by_shift_f6_and_history_is_looked_at(sees: Callable[..., Eyes], at: str) -> None:
    page = opens(sees(), at)
    does(page, "clear; seq 1 100")
    reads(page, "100")
    view = page.locator("[data-view]")
    bottom = view.evaluate("e => e.scrollTop")
    page.keyboard.press("Shift+PageUp")
    assert view.evaluate("e => e.scrollTop") < bottom
    expect(page.locator("[data-past]")).to_contain_text("42")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('[data-input]')"), "Tab is the shell's"
    page.keyboard.press("Shift+F6")
    assert page.evaluate("document.activeElement.matches('[data-close]')")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.matches('[data-full]')"), "Tab is the page's again"
    page.get_by_role("button", name="Read aloud").click()
    does(page, "clear; echo spoken words")
    expect(page.locator("[data-said]")).to_contain_text("spoken words")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Open the terminal")).to_be_focused()


def test_withdrawing_and_signing_out_end_it_at_once(house: House, sees: Callable[..., Eyes], at: str) -> None:
    page = opens(sees(), at)
    other = sees()
    other.open(at)
    other.page.get_by_role("link", name="Withdraw").click()
    began = time.monotonic()
    other.page.get_by_role("dialog").get_by_role("button", name="Withdraw it").click()
    expect(page.locator("[data-how]")).to_contain_text("not permitted any more")
    assert time.monotonic() - began < 4
    assert eventually(lambda: house.ask(STATE) == "ended", 20)
    assert house.opened()[-1] == ["withdrawn", False, True]

    assert house.ask(PERMITTED) == "in_force"
    page = opens(sees(), at)
    house.ask(ENDED_SESSIONS)
    expect(page.locator("[data-how]")).to_contain_text("not signed in any more")
    house.cookies.update(house.ask(SIGNED_IN))
    assert eventually(lambda: house.opened()[-1][0] == "signed_out", 5)


ENDED_SESSIONS = """
from panel.accounts import contacts
from django.db import transaction
contacts.end_sessions(Membership.objects.get(account=Server.objects.get().account, is_owner=True).user_id)
print(1)
"""
SIGNED_IN = """
from tests.browser.cast import _session
alice = Membership.objects.get(account=Server.objects.get().account, is_owner=True)
print(json.dumps({"owner": _session(alice.user, alice.account, now)}))
"""


def test_another_host_key_is_refused_in_clear_words(house: House, sees: Callable[..., Eyes], at: str) -> None:
    from servers.providers.local import power

    node = house.driver.list_nodes()[0]
    managed: Path = house.driver.records.home(node.id) / "managed"
    (managed / "ssh_host_ed25519_key").unlink()
    power.furnish(managed.parent, power.read_keys(managed.parent), "")
    house.driver.reboot_node(node)
    eyes = sees()
    eyes.open(at)
    eyes.page.get_by_role("button", name="Open the terminal").click()
    expect(eyes.page.locator("[data-how]")).to_contain_text("another host key")
    assert house.opened()[-1] == ["host_key", False, False]
    assert house.ask("""
from servers.models import Discrepancy
print(json.dumps([row.kind for row in Discrepancy.objects.filter(resolved_at=None)]))
""") == ["host_key"]


def test_a_stranger_cannot_open_it(house: House, sees: Callable[..., Eyes], at: str) -> None:
    """Not even by the socket itself."""
    stranger = house.ask("""
from tests.browser.cast import _session
from tests.support.world import World
world = World()
world.now = now
eve = world.customer("Eve")
print(json.dumps({"stranger": _session(eve.user, eve.account, now)}))
""")
    house.cookies.update(stranger)
    eyes = sees("stranger")
    eyes.open("/servers/")
    said = eyes.page.evaluate(
        """(path) => new Promise((done) => { const socket = new WebSocket(`ws://${location.host}${path}`);
        socket.onopen = () => socket.send('{"size": [80, 24]}'); socket.onmessage = (event) => done(event.data); })""",
        f"/ws/terminal/{house.server}/",
    )
    assert json.loads(said) == {"ended": "not_now"}
