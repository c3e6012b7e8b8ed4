"""I can get back in when I forgot my password, and shut everything when I lost something (ACC-6); staff needs two
keys."""

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client, override_settings

from panel.accounts import tokens
from panel.accounts.models import ApiToken, Membership, User
from panel.core import clock, secrets
from panel.core.models import Event, MailMessage
from tests.support.personas import logged_in, second_factor, staff
from tests.support.world import World

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


def log_in(email: str, password: str = PASSWORD) -> tuple[Client, Any]:
    browser = Client(headers={"host": "127.0.0.1"})
    return browser, browser.post("/account/login/", {"login": email, "password": password})


def code_of(user: User) -> str:
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    secret = secrets.decrypt(row.data["secret"])
    return str(format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time())))))


def confirm(user: User) -> None:
    from allauth.account.models import EmailAddress

    EmailAddress.objects.get_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})


def test_a_forgotten_password_is_replaced_once(world: World) -> None:
    user = world.customer().user
    confirm(user)
    browser = Client(headers={"host": "127.0.0.1"})
    browser.post("/account/password/reset/", {"email": user.email})
    mail = MailMessage.objects.get(template="account.password_reset_key")
    found = re.search(r"http://127\.0\.0\.1(/\S+)", mail.content.body)
    assert found
    form = browser.get(found[1], follow=True)
    new = {"password1": "another horse 42", "password2": "another horse 42"}
    assert browser.post(form.request["PATH_INFO"], new).status_code == 302
    user.refresh_from_db()
    assert user.check_password("another horse 42")
    again = Client(headers={"host": "127.0.0.1"}).get(found[1], follow=True)
    assert again.context["token_fail"], "the link is used up"
    assert Event.objects.filter(kind="accounts.security.password_reset", subject_id=user.pk).exists()
    assert MailMessage.objects.filter(template="account.password_reset").exists(), "the change is told by mail"


def test_staff_does_not_read_what_lets_one_in(world: World) -> None:
    user = world.customer().user
    confirm(user)
    Client(headers={"host": "127.0.0.1"}).post("/account/password/reset/", {"email": user.email})
    mail = MailMessage.objects.get(template="account.password_reset_key")
    page = logged_in(staff(world, "administrator")).get(f"/ops/mail/{mail.pk}/").content.decode()
    assert user.email in page
    assert "/account/password/reset/key/" not in page


@override_settings(CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}})  # nobody else's
def test_after_many_wrong_passwords_the_right_one_waits_too(world: World) -> None:
    user = world.customer().user
    confirm(user)
    for _ in range(12):
        log_in(user.email, "wrong wrong wrong")
    browser, _answer = log_in(user.email)
    assert browser.get("/").status_code == 302


def test_a_loss_ends_every_session_and_token_of_the_person(world: World) -> None:
    alice = world.customer()
    here, there = logged_in(alice.user, alice.account), logged_in(alice.user, alice.account)
    assert (here.get("/").status_code, there.get("/").status_code) == (200, 200)
    _row, text = tokens.issue(
        Membership.objects.get(user=alice.user),
        name="script",
        scopes=["see"],
        lives=None,
        actor=alice.actor,
        now=clock.now(),
    )
    bystander = world.customer("Bob")
    theirs = logged_in(bystander.user, bystander.account)
    assert here.post("/account/security/lost/").status_code == 302
    assert [client.get("/").status_code for client in (here, there)] == [302, 302]
    assert ApiToken.objects.get().revoked_at is not None
    assert tokens.authenticate(text, now=clock.now(), ip=None) is None
    assert Event.objects.get(kind="accounts.security.loss_reported").rule == "ACC-6"
    assert theirs.get("/").status_code == 200


def test_one_of_my_sessions_can_be_ended_and_nobody_elses(world: World) -> None:
    from allauth.usersessions.models import UserSession

    alice, bob = world.customer("Alice"), world.customer("Bob")
    here, there = logged_in(alice.user, alice.account), logged_in(alice.user, alice.account)
    other = logged_in(bob.user, bob.account)
    for client in (here, there, other):
        client.get("/")
    mine = UserSession.objects.get(session_key=there.session.session_key)
    foreign = UserSession.objects.get(user=bob.user)
    assert here.post(f"/account/security/sessions/{foreign.pk}/end/").status_code == 404
    assert here.post(f"/account/security/sessions/{mine.pk}/end/").status_code == 302
    assert (here.get("/").status_code, there.get("/").status_code, other.get("/").status_code) == (200, 302, 200)


def test_staff_sets_up_a_second_factor_before_anything_else(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    user = staff(world, "support", secured=False)
    confirm(user)
    browser, _answer = log_in(user.email)
    for path in ("/ops/", "/ops/customers/", "/", "/palette/?q=a"):
        assert browser.get(path).url == "/account/2fa/totp/activate/", path
    asked = browser.get("/account/2fa/totp/activate/")
    assert asked.url.startswith("/account/reauthenticate/"), (
        "whoever finds the screen open cannot set up a key of theirs"
    )
    browser.post(asked.url, {"password": PASSWORD})
    page = browser.get("/account/2fa/totp/activate/")
    secret = page.context["form"].secret
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post("/account/2fa/totp/activate/", {"code": code}).status_code == 302
    assert browser.get("/ops/").status_code == 200
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    assert secret not in str(row.data), "the key is encrypted at rest"
    assert Event.objects.filter(kind="accounts.security.totp_activated", subject_id=user.pk).exists()


def test_with_a_second_factor_a_password_alone_opens_nothing(world: World) -> None:
    user = staff(world, "support")
    confirm(user)
    browser, answer = log_in(user.email)
    assert answer.url == "/account/2fa/authenticate/"
    assert browser.get("/ops/").url.startswith("/account/login/")
    assert browser.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert browser.get("/ops/").status_code == 302
    assert browser.post("/account/2fa/authenticate/", {"code": code_of(user)}).status_code == 302
    assert browser.get("/ops/").status_code == 200


def test_staff_without_a_second_factor_any_more_is_out(world: World) -> None:
    user = staff(world, "support")
    browser = logged_in(user)
    assert browser.get("/ops/").status_code == 200
    Authenticator.objects.filter(user=user).delete()
    assert browser.get("/ops/").status_code == 302


def test_somebody_deactivated_is_out_at_once(world: World) -> None:
    alice = world.customer()
    second_factor(alice.user)
    browser = logged_in(alice.user, alice.account)
    assert browser.get("/").status_code == 200
    User.objects.filter(pk=alice.user.pk).update(is_active=False)
    assert browser.get("/").status_code == 302


@pytest.fixture
def world() -> World:
    return World()
