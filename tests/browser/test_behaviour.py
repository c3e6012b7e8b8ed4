"""What pages do under the hand: dialogs, double clicks, theme, language, palette, keyboard; and without any script."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import House
from tests.support.eyes import Eyes

HEAVIEST = 100_000  # bytes of the first view, as transferred


def test_the_first_view_weighs_less_than_100_kilobytes(house: House, sees: Callable[..., Eyes]) -> None:
    """Page, styles, scripts and icons of the dashboard, compressed as served, in a browser that has nothing yet."""
    eyes = sees("owner")
    network = eyes.context.new_cdp_session(eyes.page)
    network.send("Network.enable")
    sizes: list[float] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    eyes.open("/")
    eyes.page.wait_for_load_state("networkidle")
    assert len(sizes) > 5
    assert sum(sizes) < HEAVIEST, f"{sum(sizes):.0f} bytes in {len(sizes)} answers"


def test_what_destroys_asks_for_the_name(house: House, sees: Callable[..., Eyes]) -> None:
    """The button waits for the typed name; a way that destroys nothing does not ask."""
    page = sees("owner").page
    page.goto(f"/services/subscriptions/{house.things['subscription']}/")
    page.get_by_role("link", name="End the subscription").click()
    expect(page.get_by_role("button", name="End it at its term")).to_be_enabled()
    page.get_by_label(re.compile("At once")).check()
    button = page.get_by_role("button", name="End it now")
    expect(button).to_be_disabled()
    typed = page.locator("[data-typed]")
    typed.fill("something else")
    expect(button).to_be_disabled()
    typed.fill(typed.get_attribute("data-typed") or "")
    expect(button).to_be_enabled()
    page.get_by_label(re.compile("At its term")).check()
    expect(page.get_by_role("button", name="End it at its term")).to_be_enabled()


def test_a_dialog_gives_the_focus_back(sees: Callable[..., Eyes]) -> None:
    """It asks for the name too; Escape leaves everything as it was, and the focus where it came from."""
    page = sees("staff").page
    page.goto("/ops/style/")
    opener = page.get_by_role("link", name="Dialog with a typed name")
    opener.click()
    dialog = page.get_by_role("dialog")
    button = dialog.get_by_role("button", name=re.compile("Destroy"))
    expect(button).to_be_disabled()
    expect(dialog.get_by_role("link", name="Cancel")).to_be_focused()
    typed = dialog.locator("[data-typed]")
    typed.fill(typed.get_attribute("data-typed") or "")
    expect(button).to_be_enabled()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_a_form_is_sent_once(sees: Callable[..., Eyes]) -> None:
    """Two clicks in a row send one request."""
    page = sees("newcomer").page
    page.goto("/support/new/")
    page.get_by_label("Subject").fill("Pressed twice")
    page.get_by_label("Your request").fill("Once is enough.")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Open the request").dblclick()
    expect(page.get_by_role("heading", name="Pressed twice")).to_be_visible()
    assert len(sent) == 1
    page.goto("/support/")
    expect(page.get_by_role("link", name="Pressed twice")).to_have_count(1)


def test_messages_that_are_shown_are_in_order_for_who_hears_them(house: House, sees: Callable[..., Eyes]) -> None:
    """Toasts of a page that was just answered and of a script, each tone, in both themes."""
    eyes = sees("owner")
    page = eyes.page
    page.goto(f"/servers/{house.things['server']}/")
    page.get_by_role("button", name="Change keys").click()
    expect(page.locator("#toasts [role=status]")).to_contain_text("keys")
    assert eyes.axe() == []
    for theme in ("light", "dark"):
        eyes.theme(theme)
        page.evaluate(
            """() => ["good", "info", "warn", "bad"].forEach((tone) =>
            clause.toast(`It is ${tone}.`, { tone, url: tone === "info" ? "/" : "" }))"""
        )
        expect(page.locator("#toasts [role=status]")).not_to_have_count(0)
        expect(page.locator("#toasts [role=alert]")).not_to_have_count(0)
        assert eyes.axe() == []


def test_theme_and_language_are_kept(sees: Callable[..., Eyes]) -> None:
    """The theme changes at once, the language with the next page; both are still so on another page."""
    page = sees("newcomer").page
    page.goto("/")
    root = page.locator("html")
    page.locator("summary", has_text="Theme").click()
    with page.expect_response(re.compile("/preferences/")):
        page.get_by_role("button", name="Dark").first.click()
    expect(root).to_have_attribute("data-theme", "dark")
    page.goto("/servers/")
    expect(root).to_have_attribute("data-theme", "dark")
    page.locator("summary", has_text="Language").click()
    page.get_by_role("button", name="Français").first.click()
    expect(root).to_have_attribute("lang", "fr")
    page.goto("/")
    expect(root).to_have_attribute("lang", "fr")
    page.locator("summary", has_text="FR").click()
    page.get_by_role("button", name="English").first.click()
    expect(root).to_have_attribute("lang", "en")


def test_the_palette_leads_to_a_server(house: House, sees: Callable[..., Eyes]) -> None:
    page = sees("owner").page
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("db-1")
    expect(page.locator("#palette-results").get_by_role("link", name=re.compile("db-1"))).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="db-1")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Servers", level=1)).to_be_visible()


def test_the_drawer_on_a_phone(sees: Callable[..., Eyes]) -> None:
    page = sees("owner", width=390).page
    page.goto("/")
    page.get_by_role("button", name="Navigation").click()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Billing").click()
    expect(page.get_by_role("heading", name="Billing", level=1)).to_be_visible()


def test_an_order_without_any_script(sees: Callable[..., Eyes]) -> None:
    """A form with a mistake comes back with what was typed; then the order is placed, and cancelled again."""
    page = sees("newcomer", script=False).page
    page.goto("/services/order/vps-s/")
    page.get_by_label("Name of the server").fill("plain-1")
    page.get_by_label("Annually").check()
    page.get_by_role("button", name="Update the price").click()
    expect(page.locator("#price")).to_contain_text("59.00")
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_label("Name of the server")).to_have_value("plain-1")
    page.get_by_label(re.compile("I have read and accept")).check()
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_role("button", name="Pay", exact=True)).to_be_visible()
    page.get_by_role("link", name="Cancel the order").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("This order was cancelled")).to_be_visible()


def test_an_answer_without_any_script(house: House, sees: Callable[..., Eyes]) -> None:
    """The whole way of a request: open it, answer it, close it."""
    page = sees("newcomer", script=False, width=390).page
    page.goto("/support/new/")
    page.get_by_label("Subject").fill("By hand")
    page.get_by_label("Your request").fill("No script here.")
    page.get_by_role("button", name="Open the request").click()
    page.get_by_label("Your answer").fill("And one thing more.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("And one thing more.")).to_be_visible()


def test_an_answer_to_a_case_without_any_script(house: House, sees: Callable[..., Eyes]) -> None:
    page = sees("owner", script=False).page
    page.goto(f"/support/cases/{house.things['case']}/")
    page.get_by_label("Your answer").fill("We have taken it down.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The clock stands", exact=True).first).to_be_visible()


def test_on_a_phone_the_values_of_a_table_stand_in_one_column(sees: Callable[..., Eyes]) -> None:
    """Figures too, which stand at the end of their column on a large screen; and an empty cell has no label."""
    eyes = sees("owner", width=390)
    eyes.open("/billing/statement/")
    cells = eyes.page.locator(".table-cards td[data-label]")
    aligned = "cells => [...new Set(cells.map(one => getComputedStyle(one).textAlign))]"
    assert cells.evaluate_all(aligned) == ["start"]
    assert cells.evaluate_all("cells => cells.filter(one => !one.textContent && one.offsetHeight).length") == 0
    eyes.width(1440)
    assert "end" in cells.evaluate_all(aligned)


def test_the_statement_of_a_customer_leads_to_their_own_pages(sees: Callable[..., Eyes]) -> None:
    eyes = sees("owner")
    eyes.open("/billing/statement/")
    targets = eyes.page.locator("main td a").evaluate_all("links => links.map(one => one.getAttribute('href'))")
    assert targets
    assert all(target.startswith("/billing/invoices/") for target in targets)


def test_a_dispute_asks_for_amounts_where_it_is_about_a_part(house: House, sees: Callable[..., Eyes]) -> None:
    page = sees("owner").page
    page.goto(f"/billing/invoices/{house.things['invoice']}/dispute/")
    amounts = page.locator("main input[type=number]")
    expect(amounts.first).to_be_hidden()
    page.locator("main input[value=part]").check()
    expect(amounts.first).to_be_visible()


def test_the_demo_world_has_each_card_once_and_no_rate_is_missing(sees: Callable[..., Eyes]) -> None:
    """A rate for show says that it is (INV-8); who orders twice pays from the card on file (INV-5)."""
    page = sees("owner").page
    page.goto("/billing/means/")
    expect(page.get_by_text("•••• 4242")).to_have_count(1)
    page = sees("staff").page
    page.goto("/ops/dunning/rates/")
    expect(page.get_by_role("heading", name="Legal interest rates")).to_be_visible()
    expect(page.get_by_text("The rate of the present half-year is missing")).to_have_count(0)
