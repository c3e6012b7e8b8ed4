"""Language, time zone and theme."""

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_an_anonymous_choice_is_kept_in_a_cookie_and_leads_back(client: Client) -> None:
    answer = client.post("/preferences/", {"theme": "dark", "next": "/account/login/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/account/login/")
    assert answer.cookies["theme"].value == "dark"
    assert 'data-theme="dark"' in client.get("/account/login/").content.decode()


def test_a_script_gets_no_page(client: Client) -> None:
    assert client.post("/preferences/", {"theme": "light"}, headers={"X-Requested-With": "clause"}).status_code == 204


@pytest.mark.parametrize("field", ["theme", "language", "timezone"])
def test_what_is_not_a_choice_is_not_kept(client: Client, field: str) -> None:
    assert not client.post("/preferences/", {field: "../../x"}).cookies


def test_nobody_is_sent_to_another_site(client: Client) -> None:
    assert client.post("/preferences/", {"theme": "dark", "next": "https://evil.example/"}).headers["Location"] == "/"


def test_the_language_changes_the_page(client: Client) -> None:
    client.post("/preferences/", {"language": "fr"})
    assert '<html lang="fr"' in client.get("/account/login/").content.decode()


@pytest.mark.parametrize("path", ["/account/login/", "/account/signup/", "/account/password/reset/", "/no/such/page/"])
def test_the_pages_before_log_in_hold_nothing_the_content_policy_refuses(client: Client, path: str) -> None:
    html = client.get(path).content.decode()
    assert "<main" in html
    assert " style=" not in html
    assert "<style" not in html
    assert " onclick=" not in html
    assert "<script>" not in html
