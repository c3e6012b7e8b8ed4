"""I sign up, the proof of what I accepted is kept, I confirm my address, and then I am in (ACC-1, ACC-2, ACC-5)."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from invoicing.subscribing import ordering
from panel import terms
from panel.accounts.models import Acceptance, Account, User, actor_of
from panel.core.models import Event, MailMessage
from tests.support.world import World

pytestmark = pytest.mark.django_db
FORM = {
    "email": "ada@example.org", "password1": "correct horse 42", "password2": "correct horse 42",
    "name": "Ada Lovelace",
    "phone": "+33 1 23 45 67 89", "kind": "business", "company": "Analytical SAS", "vat_number": "FR 44 732829320",
    "siren": "732 829 320", "street": "1 rue de la Paix", "postcode": "75002", "city": "Paris", "country": "FR",
    "accept": "on",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


@pytest.fixture
def browser() -> Client:
    return Client(headers={"host": "127.0.0.1"})


def sign_up(browser: Client, **changes: str) -> Any:
    form = {name: value for name, value in (FORM | changes).items() if value}
    return browser.post("/account/signup/", form)


def link_in(mail: MailMessage) -> str:
    found = re.search(r"http://127\.0\.0\.1(/\S+)", mail.content.body)
    assert found, mail.content.body
    return found[1]


def test_signing_up_keeps_the_proof(browser: Client) -> None:
    assert sign_up(browser).status_code == 302
    account, user = Account.objects.get(), User.objects.get()
    assert (account.company, account.vat_number, account.siren) == ("Analytical SAS", "FR44732829320", "732829320")
    proof = Acceptance.objects.get()
    version = terms.version(proof.terms_version)
    assert (proof.account, proof.user, proof.ip) == (account, user, "127.0.0.1")
    assert [one["document"] for one in proof.documents] == list(version.documents)
    assert all(one["sha256"] == version.document_digest(one["document"]) for one in proof.documents)
    opened = Event.objects.get(kind="accounts.account.opened")
    assert (opened.rule, opened.account_id, opened.actor_id) == ("ACC-1", account.pk, user.pk)
    assert "ada@example.org" not in str(opened.data)


@pytest.mark.parametrize(
    ("field", "value"),
    [("accept", ""), ("name", ""), ("phone", ""), ("company", ""), ("email", "ada"), ("password2", "other"),
     ("password1", "short"), ("vat_number", "FR00000000000"), ("siren", "123456789"), ("country", "XX")],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said_and_nothing_is_kept(browser: Client, field: str, value: str) -> None:
    answer = sign_up(browser, **{field: value})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert b'value="Analytical SAS"' in answer.content or field == "company"
    assert not User.objects.exists()
    assert not Account.objects.exists()


def test_a_second_account_of_the_same_company_is_refused(browser: Client) -> None:
    sign_up(browser)
    answer = sign_up(Client(headers={"host": "127.0.0.1"}), email="eve@example.org")
    assert "vat_number" in answer.context["form"].errors
    assert Account.objects.count() == User.objects.count() == 1


def test_two_of_one_company_at_the_same_instant_make_one_account(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form's look sees nothing, for the other one is only just being written; the database decides."""
    sign_up(browser)
    monkeypatch.setattr("panel.accounts.forms.Account.objects.filter", lambda **_: Account.objects.none())
    answer = sign_up(Client(headers={"host": "127.0.0.1"}), email="eve@example.org")
    assert answer.status_code == 409
    assert "vat_number" in answer.context["form"].errors
    assert Account.objects.count() == User.objects.count() == 1


def test_nothing_before_the_address_is_confirmed_then_everything(browser: Client) -> None:
    sign_up(browser)
    assert browser.get("/").status_code == 302
    login = browser.post("/account/login/", {"login": FORM["email"], "password": FORM["password1"]})
    assert login.url == "/account/confirm-email/"
    account, user = Account.objects.get(), User.objects.get()
    refused = ordering.refusal(account, actor_of(user, account_id=account.pk))
    assert refused is not None
    assert refused[0] == "mail_unconfirmed"

    mail = MailMessage.objects.filter(template="account.email_confirmation_signup").order_by("pk")[0]
    assert mail.content.to == FORM["email"]
    link = link_in(mail)
    assert browser.get(link).status_code == 200
    assert not EmailAddress.objects.get().verified, "a mail scanner that opens the link confirms nothing"
    assert browser.post(link).status_code == 302
    user.refresh_from_db()
    assert user.confirmed_at is not None
    assert browser.get("/").status_code == 200
    assert ordering.refusal(account, actor_of(user, account_id=account.pk)) is None


def test_an_address_that_is_known_is_not_told_to_strangers(browser: Client) -> None:
    known = World().customer("Alice").user
    other = {"vat_number": "", "siren": "", "company": "Other SAS"}
    first = sign_up(browser, **other)
    second = sign_up(Client(headers={"host": "127.0.0.1"}), email=known.email, **other)
    assert (first.status_code, first.url) == (second.status_code, second.url)
    assert MailMessage.objects.get(template="account.account_already_exists").content.to == known.email

    reset = "/account/password/reset/"
    answers = [browser.post(reset, {"email": email}) for email in (known.email, "nobody@example.org")]
    assert len({(answer.status_code, answer.url) for answer in answers}) == 1


def test_the_newcomer_reads_the_mail_here_and_only_here(browser: Client, settings: Any) -> None:
    sign_up(browser)
    sent = browser.get("/account/confirm-email/").content.decode()
    assert "/mailbox/" in sent
    mail = MailMessage.objects.get()
    assert f'href="/mailbox/{mail.pk}/"' in browser.get("/mailbox/").content.decode()
    assert link_in(mail) in browser.get(f"/mailbox/{mail.pk}/").content.decode()

    elsewhere: list[dict[str, Any]] = [
        {"headers": {"host": "panel.example"}}, {"REMOTE_ADDR": "192.0.2.9"},
        {"headers": {"x-forwarded-for": "192.0.2.9"}},
        {"headers": {"forwarded": "for=192.0.2.9"}}, {"REMOTE_ADDR": ""},
    ]  # fmt: skip
    settings.ALLOWED_HOSTS = ["*"]
    for stranger in elsewhere:
        assert browser.get("/mailbox/", **stranger).status_code == 404, stranger
        assert browser.get(f"/mailbox/{mail.pk}/", **stranger).status_code == 404, stranger
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert browser.get("/mailbox/").status_code == 404
    assert "/mailbox/" not in browser.get("/account/confirm-email/").content.decode()
    settings.EMAIL_BACKEND, settings.EMBEDDED = "django.core.mail.backends.locmem.EmailBackend", False
    assert browser.get("/mailbox/").status_code == 404
