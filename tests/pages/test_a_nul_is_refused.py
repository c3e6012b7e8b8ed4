"""A NUL in what a form or a search sends is refused with 400; PostgreSQL would fall over it."""

import pytest
from django.test import Client

from tests.support.world import World

pytestmark = pytest.mark.django_db


def test_in_a_search_and_in_a_form() -> None:
    browser = Client()
    browser.force_login(World().customer().user)
    assert browser.get("/servers/", {"q": "web\0"}).status_code == 400
    assert browser.post("/support/new/", {"title": "a\0b", "body": "c"}).status_code == 400
    assert browser.get("/servers/", {"q": "web"}).status_code == 200
