"""As an operator I make the first administrator on the machine itself, and end somebody's access at once."""

import io
import re
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from panel.accounts.models import User, actor_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def staff(*words: str) -> str:
    said = io.StringIO()
    call_command("staff", *words, stdout=said)
    return said.getvalue()


def test_the_link_lets_the_first_administrator_choose_a_password() -> None:
    said = staff("appoint", "Root@operator.example", "--name", "Robin", "--role", "administrator")
    link = re.search(r"https?://\S+", said)
    assert link is not None
    page = Client().get(urlsplit(link[0]).path, follow=True)
    assert b'name="password1"' in page.content
    robin = User.objects.get(email="root@operator.example")
    assert actor_of(robin, account_id=None).staff_roles == {"administrator"}
    assert "root@operator.example" in staff("list")


def test_appointing_again_gives_exactly_the_roles_named() -> None:
    staff("appoint", "sam@operator.example", "--role", "administrator", "--role", "abuse")
    staff("appoint", "sam@operator.example", "--role", "support")
    sam = User.objects.get(email="sam@operator.example")
    assert set(sam.staff_roles.values_list("role", flat=True)) == {"support"}


def test_a_customers_contact_is_not_made_staff() -> None:
    alice = World().customer()
    with pytest.raises(CommandError, match="log-in of its own"):
        staff("appoint", alice.user.email, "--role", "support")
    assert not alice.user.staff_roles.exists()


def test_dismissed_means_out_at_once() -> None:
    staff("appoint", "sam@operator.example", "--role", "support")
    sam = User.objects.get(email="sam@operator.example")
    browser = Client()
    browser.force_login(sam)
    assert browser.get("/ops/").status_code == 302  # to the second factor
    staff("dismiss", "sam@operator.example")
    assert actor_of(sam, account_id=None).staff_roles == frozenset()
    with pytest.raises(CommandError):
        staff("dismiss", "sam@operator.example")
