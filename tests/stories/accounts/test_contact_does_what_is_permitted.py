"""As the owner I let contacts in with named permissions and take them out again; they see and do no more (ACC-4)."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from panel.accounts import tokens
from panel.accounts.models import ApiToken, Membership, User, actor_of
from panel.core import clock, live
from panel.core.models import Event, MailMessage
from tests.support.personas import logged_in
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer("Alice")


def invite(client: Client, *permissions: str, email: str = "carl@example.org") -> Any:
    return client.post("/contacts/add/", {"email": email, "name": "Carl", "permissions": permissions})


def test_a_contact_is_invited_chooses_a_password_and_is_in(alice: Customer) -> None:
    assert invite(logged_in(alice.user, alice.account), "see", "tickets").status_code == 302
    membership = Membership.objects.get(user__email="carl@example.org")
    assert (membership.account, membership.is_owner, membership.permissions) == (
        alice.account,
        False,
        ["see", "tickets"],
    )
    mail = MailMessage.objects.get(template="contact_invited")
    found = re.search(r"http://127\.0\.0\.1(/\S+)", mail.content.body)
    assert found, mail.content.body
    browser = Client(headers={"host": "127.0.0.1"})
    form = browser.get(found[1], follow=True)
    new = {"password1": "another horse 42", "password2": "another horse 42"}
    assert browser.post(form.request["PATH_INFO"], new).status_code == 302
    assert User.objects.get(email="carl@example.org").confirmed_at is not None, "the link proved the mailbox (ACC-2)"
    browser.post("/account/login/", {"login": "carl@example.org", "password": "another horse 42"})
    assert browser.get("/").status_code == 200
    assert browser.get("/support/").status_code == 200
    assert browser.get("/billing/invoices/").status_code == 403


def test_somebody_who_has_a_log_in_already_just_gets_the_account(world: World, alice: Customer) -> None:
    bob = world.customer("Bob")
    invite(logged_in(alice.user, alice.account), "see", email=bob.user.email)
    mail = MailMessage.objects.get(template="contact_invited")
    assert "/account/password/reset/key/" not in mail.content.body
    browser = logged_in(bob.user, bob.account)
    assert alice.account.reference in browser.get("/account/").content.decode()
    assert browser.post(f"/account/switch/{alice.account.reference}/").status_code == 302
    assert str(alice.account) in browser.get("/").content.decode()
    assert browser.get("/contacts/").status_code == 403, "the permissions are those of this account"


def test_nobody_enters_an_account_that_is_not_theirs(world: World, alice: Customer) -> None:
    mallory = world.customer("Mallory")
    browser = logged_in(mallory.user, mallory.account)
    assert browser.post(f"/account/switch/{alice.account.reference}/").status_code == 404
    assert browser.post("/account/switch/console/").status_code == 404
    forged = logged_in(mallory.user, alice.account)  # a session that names a foreign account
    assert str(alice.account) not in forged.get("/").content.decode()


def test_nobody_gives_more_than_they_have_nor_changes_themselves(world: World, alice: Customer) -> None:
    manager = world.contact(alice, ["contacts", "see"], name="Mia")
    browser = logged_in(manager.user, alice.account)
    assert invite(browser, "see", "pay").status_code == 422
    assert not User.objects.filter(email="carl@example.org").exists()
    mine = Membership.objects.get(user=manager.user)
    browser.post(f"/contacts/{mine.pk}/", {"permissions": ["contacts", "see", "pay"]})
    browser.post(f"/contacts/{mine.pk}/", {"permissions": ["see"]})
    mine.refresh_from_db()
    assert mine.permissions == ["contacts", "see"]
    payer = Membership.objects.get(user=world.contact(alice, ["pay", "see"], name="Pia").user)
    browser.post(f"/contacts/{payer.pk}/", {"permissions": ["contacts"]})
    payer.refresh_from_db()
    assert payer.permissions == ["contacts", "pay"], "what the manager lacks stays as it was"


def test_the_owner_cannot_be_changed_or_removed(world: World, alice: Customer) -> None:
    manager = world.contact(alice, ["contacts"], name="Mia")
    owner = Membership.objects.get(user=alice.user)
    browser = logged_in(manager.user, alice.account)
    assert browser.post(f"/contacts/{owner.pk}/remove/").status_code == 409
    assert browser.post(f"/contacts/{owner.pk}/", {"permissions": ["contacts"]}).status_code == 200
    owner.refresh_from_db()
    assert owner.is_owner
    assert owner.permissions == []


def test_other_permissions_hold_from_the_next_request(world: World, alice: Customer) -> None:
    contact = world.contact(alice, ["see", "tickets"])
    theirs, owner = logged_in(contact.user, alice.account), logged_in(alice.user, alice.account)
    assert theirs.get("/support/").status_code == 200
    pk = Membership.objects.get(user=contact.user).pk
    owner.post(f"/contacts/{pk}/", {"permissions": ["see"]})
    assert theirs.get("/support/").status_code == 403


def test_a_removed_contacts_session_token_and_socket_die(
    world: World, alice: Customer, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    contact = world.contact(alice, ["see"])
    membership = Membership.objects.get(user=contact.user)
    _row, text = tokens.issue(
        membership, name="script", scopes=["see"], lives=None, actor=contact.actor, now=clock.now()
    )
    theirs = logged_in(contact.user, alice.account)
    assert theirs.get("/").status_code == 200
    assert live.may_watch(contact.actor, f"account:{alice.account.pk}")
    sent: list[bytes] = []
    monkeypatch.setattr(live, "_channel", type("Told", (), {"send": lambda self, message: sent.append(message)})())
    with django_capture_on_commit_callbacks(execute=True):
        logged_in(alice.user, alice.account).post(f"/contacts/{membership.pk}/remove/")
    assert theirs.get("/").status_code == 302
    assert not ApiToken.objects.exists()
    assert tokens.authenticate(text, now=clock.now(), ip=None) is None
    assert any(f"user:{contact.user.pk}".encode() in message for message in sent), "open sockets are told to end"
    assert not live.may_watch(actor_of(contact.user, account_id=alice.account.pk), f"account:{alice.account.pk}")
    event = Event.objects.get(kind="accounts.contact.removed")
    assert (event.account_id, event.actor_id, event.data["user"]) == (alice.account.pk, alice.user.pk, contact.user.pk)


def test_who_belongs_elsewhere_too_only_loses_this_account(world: World, alice: Customer) -> None:
    bob = world.customer("Bob")
    invite(logged_in(alice.user, alice.account), "see", email=bob.user.email)
    browser = logged_in(bob.user, alice.account)
    assert str(alice.account) in browser.get("/").content.decode()
    pk = Membership.objects.get(user=bob.user, account=alice.account).pk
    logged_in(alice.user, alice.account).post(f"/contacts/{pk}/remove/")
    page = browser.get("/").content.decode()
    assert str(alice.account) not in page
    assert str(bob.account) in page


def test_a_token_is_shown_once_and_never_exceeds_its_person(world: World, alice: Customer) -> None:
    contact = world.contact(alice, ["see", "tickets"])
    browser = logged_in(contact.user, alice.account)
    refused = browser.post("/account/tokens/", {"name": "x", "scopes": ["see", "pay"], "days": "30"})
    assert refused.context["form"].errors
    assert not ApiToken.objects.exists()
    made = browser.post("/account/tokens/", {"name": "x", "scopes": ["see"], "days": "30"})
    secret = made.context["secret"]
    assert secret in made.content.decode()
    row = ApiToken.objects.get()
    assert secret.rpartition("_")[2] not in str(vars(row)), "only its fingerprint is kept"
    assert secret not in browser.get("/account/tokens/").content.decode()
    actor = tokens.authenticate(secret, now=clock.now(), ip=None)
    assert actor is not None
    assert actor.may("see")
    assert not actor.may("tickets"), "its person may, the token's scopes do not say so"
    assert secret not in str(list(Event.objects.values()))
    browser.post(f"/account/tokens/{row.pk}/revoke/")
    assert tokens.authenticate(secret, now=clock.now(), ip=None) is None
