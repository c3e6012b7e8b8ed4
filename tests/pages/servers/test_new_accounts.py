"""What binds a new account is said where it has servers, with how it ends (SUB-4)."""

import html

import pytest
from django.test import Client

from invoicing.reviewing import standing
from servers.networking import firewalls
from servers.providers.simulated.control import Control
from tests.support.machines import server_of
from tests.support.personas import logged_in
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
LIMITED, MAIL = "Limits of a new account", "No mail leaves this server by TCP port 25"


def said(client: Client, path: str) -> str:
    return html.unescape(client.get(path).content.decode())


def test_the_limits_of_a_new_account_are_said_until_they_end(cloud: Control, world: World, alice: Customer) -> None:
    server, client = server_of(world, alice), logged_in(alice.user, alice.account)
    pages = {"/servers/": LIMITED, f"/servers/{server.reference}/": MAIL}
    for path, words in pages.items():
        page = said(client, path)
        assert words in page
        assert "SUB-4" in page
    assert "These limits end when 1 more invoice is paid" in said(client, "/servers/")
    assert "by TCP port 25" in said(client, "/servers/")
    assert "/billing/spending/" in said(client, f"/servers/{server.reference}/")
    standing.raise_limits(alice.account, True, why="known", actor=world.staff(), now=world.now)
    assert firewalls.end_locks("sim-1", now=world.now) == 1
    assert not [path for path, words in pages.items() if words in said(client, path)]


def test_who_may_not_order_is_not_told_what_could_be(cloud: Control, world: World, alice: Customer) -> None:
    server_of(world, alice)
    contact = world.contact(alice, ["see"])
    assert LIMITED not in said(logged_in(contact.user, alice.account), "/servers/")
