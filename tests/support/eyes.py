"""Headless Chromium, and what it notices on a page: accessibility, refusals, errors, foreign requests, layout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

from tests.support import presence

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
HEIGHT = 900
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LAYOUT = (Path(__file__).parent / "layout.js").read_text()
NOTE_REFUSALS = """window.refusals = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.refusals.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));"""
AXE = """async (options) => (await axe.run(document, { ...options, resultTypes: ["violations"] })).violations.map(
    (each) => `${each.id}: ${each.nodes.slice(0, 4).map((node) => [
        node.target.join(" "), ...node.any.concat(node.all, node.none).slice(0, 1).map((check) => check.message)
    ].join(" ")).join(" | ")}`)"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of this thread's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=presence.chromium(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Eyes:
    """One tab, and everything that went wrong in it; `context` is closed with it."""

    def __init__(
        self, browser: Browser, base: str, *, cookie: str = "", theme: str = "light", language: str = "en",
        width: int = 1440, script: bool = True,
    ) -> None:  # fmt: skip
        self.base, self._host = base, urlsplit(base).netloc
        self.context: BrowserContext = browser.new_context(
            base_url=base, viewport={"width": width, "height": HEIGHT}, locale=language, java_script_enabled=script,
            color_scheme="light", reduced_motion="reduce", timezone_id="Europe/Paris",
        )  # fmt: skip
        self.wear(theme, language)
        if cookie:
            self.context.add_cookies([{"name": "sessionid", "value": cookie, "url": base}])
        self.context.add_init_script(NOTE_REFUSALS)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.errors: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def wear(self, theme: str, language: str) -> None:
        """Choose theme and language as somebody before log-in does."""
        pairs = (("theme", theme), ("django_language", language))
        self.context.add_cookies([{"name": name, "value": value, "url": self.base} for name, value in pairs])

    def _heard(self, message: ConsoleMessage) -> None:
        at = urlsplit(message.location.get("url", ""))
        own_status = message.text.startswith("Failed to load resource") and at.path == urlsplit(self.page.url).path
        if message.type == "error" and not own_status:
            self.errors.append(f"console: {message.text} ({at.path})")

    def _asked(self, request: Request) -> None:
        at = urlsplit(request.url)
        if at.scheme not in ("data", "blob", "about") and at.netloc != self._host:
            self.errors.append(f"foreign request: {request.url}")

    def open(self, path: str) -> Response:
        response = self.page.goto(path, wait_until="load")
        assert response is not None, path
        return response

    @property
    def path(self) -> str:
        """Where this tab is, with its query."""
        return self.page.url.removeprefix(self.base)

    def width(self, pixels: int) -> None:
        self.page.set_viewport_size({"width": pixels, "height": HEIGHT})

    def theme(self, name: str) -> None:
        """What the system asks for, and what the person chose."""
        self.page.emulate_media(color_scheme="dark" if name == "dark" else "light")
        self.page.evaluate(
            """(name) => { document.documentElement.dataset.theme = name;
            return new Promise((done) => setTimeout(() => requestAnimationFrame(done), 30)); }""", name,
        )  # fmt: skip

    def layout(self) -> list[str]:
        """Sideways scroll, text that is cut, text over text, at the present width."""
        return list(self.page.evaluate(LAYOUT))

    def axe(self, *, rules: list[str] | None = None) -> list[str]:
        """Violations of WCAG 2.2 AA and of good practice; `rules`: of these alone."""
        only: dict[str, Any] = {"type": "rule", "values": rules} if rules else {"type": "tag", "values": RULES}
        if self.page.evaluate("typeof window.axe === 'undefined'"):
            self.page.evaluate(AXE_SCRIPT)
        return list(self.page.evaluate(AXE, {"runOnly": only}))

    def refusals(self) -> list[str]:
        """What the content security policy has refused on the present page."""
        return [f"refused: {each}" for each in self.page.evaluate("window.refusals")]

    def problems(self) -> list[str]:
        """Errors since the last call, and refusals of the present page."""
        found, self.errors = [*self.errors, *self.refusals()], []
        return found

    def close(self) -> None:
        self.context.close()
