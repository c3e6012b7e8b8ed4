"""`make picture`: the README's picture, taken of a fresh demo world as its customer sees it."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.eyes import Eyes, chromium
from tests.support.program import ROOT, Program

PATIENCE = 240.0  # seconds for the demo world
PICTURE = ROOT / "docs" / "picture.png"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Program(Path(folder), bare=False, patience=PATIENCE) as program:
        _, email, password = next(
            line.rsplit(maxsplit=2) for line in (Path(folder) / "demo-logins.txt").read_text().splitlines()
        )
        with chromium() as browser:
            eyes = Eyes(browser, program.base)
            eyes.open("/account/login/")
            eyes.page.locator("input[name=login]").fill(email)
            eyes.page.locator("input[name=password]").fill(password)
            eyes.page.locator("main button[type=submit]").first.click()
            eyes.page.locator("h1", has_text="Hello").wait_for()
            eyes.open("/")  # without the greeting
            eyes.page.locator("#live[data-state=live]").wait_for()
            eyes.page.screenshot(path=PICTURE)
            eyes.close()
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
