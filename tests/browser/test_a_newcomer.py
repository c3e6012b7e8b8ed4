"""The main walk, as somebody does it who has never been here: sign up, confirm, order, pay, watch it being built, look
at the traffic; and what comes when somebody complains about the new server."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from tests.browser.conftest import House
from tests.support.bank import DECLINED, GOOD, SECURE
from tests.support.eyes import Eyes

BUILT = 60_000  # milliseconds a simulated server may take on a busy machine
LIVE = 30_000
PASSWORD = "quiet-harbour-71-lantern"


def sign_up(page: Page, name: str) -> None:
    """Opens an account and confirms the address, in the mails of the test installation."""
    email = f"{name.lower()}@newcomer.example"
    page.goto("/")
    page.get_by_role("link", name="Open one").click()
    page.get_by_label(re.compile("^E-?mail")).fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Telephone").fill("+33 1 84 00 00 01")
    page.get_by_label("Private person").check()
    page.get_by_label("Street and number").fill("3 rue du Lac")
    page.get_by_label("Postcode").fill("74000")
    page.get_by_label("City").fill("Annecy")
    page.get_by_label(re.compile("I accept the terms")).check()
    page.get_by_role("button", name="Open the account").click()
    page.get_by_role("link", name="Open its mails").click()
    newest = page.get_by_role("row").filter(has_text=email).get_by_role("link").first
    expect(newest).to_be_visible(timeout=LIVE)
    newest.click()
    page.get_by_role("link", name=re.compile("confirm-email")).click()
    page.get_by_role("button", name=re.compile("Confirm")).click()
    expect(page.get_by_role("heading", name=f"Hello {name}")).to_be_visible()


def order(page: Page, name: str) -> None:
    """From the dashboard to the page of an order that awaits its payment."""
    page.goto("/")
    page.get_by_role("link", name="Order a server").first.click()
    page.get_by_role("link", name="Order VPS S").click()
    page.get_by_label("Name of the server").fill(name)
    page.get_by_label(re.compile("I have read and accept")).check()
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_role("button", name="Pay")).to_be_visible()


def pay(page: Page, card: str) -> None:
    """To the provider's page, and the card typed there."""
    page.get_by_role("button", name="Pay", exact=True).click()
    page.wait_for_url(re.compile("/test-bank/"), timeout=LIVE)
    page.locator("input[name=number]").fill(card)
    page.locator("input[name=expiry]").fill("12 / 34")
    page.locator("input[name=cvc]").fill("123")
    page.locator("input[name=name]").fill("A Newcomer")
    page.get_by_role("button", name=re.compile("^Pay")).click()


def test_the_main_walk(house: House, sees: Callable[..., Eyes]) -> None:
    page = sees().page
    sign_up(page, "Marion")
    order(page, "first-1")
    pay(page, GOOD)
    # back in the panel, it is built before their eyes: nothing is reloaded by hand
    page.wait_for_url(re.compile("/services/orders/"), timeout=LIVE)
    expect(page.get_by_text("Your service is ready")).to_be_visible(timeout=BUILT)
    page.get_by_role("link", name="Open it").click()
    expect(page.get_by_role("heading", name="first-1")).to_be_visible()
    expect(page.locator("#server-live [data-announce]")).to_have_text(re.compile("Running"), timeout=BUILT)
    page.get_by_role("link", name="Traffic", exact=True).click()
    expect(page.get_by_role("heading", name="Traffic of first-1")).to_be_visible()
    page.goto("/billing/invoices/")
    expect(page.get_by_role("row")).to_have_count(2)
    somebody_complains(page, sees)


def somebody_complains(owner: Page, sees: Callable[..., Eyes]) -> None:
    """A stranger reports the server; staff starts the case; the customer finds it and answers."""
    owner.goto("/servers/")
    ip = owner.locator("[data-copy]").first.get_attribute("data-copy") or ""
    stranger = sees(width=390).page
    stranger.goto("/report/")
    stranger.get_by_label("IP address").fill(ip)
    stranger.get_by_label("When was it seen?").fill(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}")
    stranger.get_by_label("Why is it illegal").fill("A film of ours is offered there without our licence.")
    stranger.get_by_label("Your name or organisation").fill("Les Films du Lac")
    stranger.get_by_label("Your e-mail").fill("rights@films-du-lac.example")
    stranger.get_by_role("button", name="Send the report").click()
    expect(
        stranger.get_by_text("Please", exact=False).first
    ).to_be_visible()  # good faith must be confirmed: nothing is lost
    assert stranger.get_by_label("IP address").input_value() == ip
    stranger.get_by_label(re.compile("good faith")).check()
    stranger.get_by_role("button", name="Send the report").click()
    expect(stranger.get_by_text(re.compile("REP-"))).to_be_visible()

    staff = sees("staff").page
    staff.goto("/ops/reports/")
    staff.get_by_role("row").filter(has_text=ip).get_by_role("link").first.click()
    staff.get_by_role("button", name="Start the case").click()
    expect(staff.get_by_role("heading", name="Clock and ladder")).to_be_visible()

    owner.goto("/")
    owner.locator("#alerts").get_by_role(
        "link", name=re.compile(f"Answer|Open the case.*{re.escape(ip)}")
    ).first.click()
    expect(owner.get_by_text("Please answer")).to_be_visible(timeout=LIVE)
    owner.get_by_label("Your answer").fill("The film is gone, and the account that offered it too.")
    owner.get_by_role("button", name="Send").click()
    expect(owner.get_by_text("The clock stands", exact=True)).to_be_visible()
    expect(staff.get_by_text("The film is gone", exact=False)).to_be_visible(timeout=LIVE)  # by itself


def test_a_declined_card_and_one_that_asks_the_bank(sees: Callable[..., Eyes]) -> None:
    """A refusal leaves nothing behind and says so; with 3-D Secure the bank asks, and then it is paid."""
    page = sees(width=390).page
    sign_up(page, "Basile")
    order(page, "poor-1")
    pay(page, DECLINED)
    expect(page.get_by_text("The card was refused by the bank.")).to_be_visible(timeout=LIVE)
    page.get_by_role("link", name=re.compile("Return to the shop|Cancel and go back")).click()
    expect(page.get_by_text("This order was cancelled")).to_be_visible(timeout=LIVE)
    expect(page.get_by_text("Nothing was provided and nothing is charged.")).to_be_visible()
    page.goto("/servers/")
    expect(page.get_by_text("No server", exact=False).first).to_be_visible()

    order(page, "secure-1")
    pay(page, SECURE)
    page.get_by_role("button", name="Authorise").click()
    page.wait_for_url(re.compile("/services/orders/"), timeout=LIVE)
    expect(page.get_by_text("Your service is ready")).to_be_visible(timeout=BUILT)
