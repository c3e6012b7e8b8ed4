"""The pages a person sees at the fake: clearly a test, strict, in two languages, and safe to press twice."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from invoicing.gateways import Checkout, CheckoutWish, NewCustomer
from invoicing.gateways.fake import FakeStripe, mount, serve
from invoicing.gateways.fake.pages import PROBLEMS, TEXTS, money
from invoicing.gateways.stripe import StripeGateway
from tests.support import bank as person


@pytest.fixture
def bank() -> Iterator[FakeStripe]:
    running = serve("127.0.0.1", 0, None, "", "whsec_tests")
    yield running
    running.stop()


def opened(
    bank: FakeStripe, *, language: str = "en", success: str = "http://shop.example:8000/ok"
) -> tuple[StripeGateway, Checkout]:
    gateway = StripeGateway(api_key=bank.api_key, webhook_secret="whsec_tests", api_base=bank.base)
    customer = gateway.create_customer(NewCustomer("1", "A", "a@example.org"), key="customer")
    wish = CheckoutWish(
        customer, success, "http://shop.example:8000/no", "<b>VPS</b> & more", 123456, language=language
    )
    return gateway, gateway.start_checkout(wish, key=f"page-{language}")


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, allow_redirects=False, timeout=10)


@pytest.mark.parametrize(("language", "amount"), [("en", "€1,234.56"), ("fr", "1 234,56 €")])
def test_the_card_page(bank: FakeStripe, language: str, amount: str) -> None:
    _, page = opened(bank, language=language)
    answer = get(page.url)
    assert f'<html lang="{language}">' in answer.text
    assert "<strong>TEST</strong>" in answer.text
    assert TEXTS[language]["banner"] in answer.text
    assert amount.replace(" ", "\u202f", 1).replace(" ", "\u00a0") in answer.text or amount in answer.text
    assert "&lt;b&gt;VPS&lt;/b&gt; &amp; more" in answer.text
    _is_strict(answer, "http://shop.example:8000")


def test_the_challenge_page(bank: FakeStripe) -> None:
    _, page = opened(bank)
    answer = get(person.type_card(page.url, person.SECURE))
    assert "Authorise" in answer.text
    assert "Refuse" in answer.text
    assert "•••• 3220" in answer.text
    _is_strict(answer, "http://shop.example:8000")


def _is_strict(answer: requests.Response, leads_to: str) -> None:
    """No script, no inline style, nothing from elsewhere; forms lead only here and back to the merchant."""
    assert not re.search(r"<script|style=|\son\w+=|<img|<iframe", answer.text)
    assert re.findall(r'<link rel="stylesheet" href="([^"]+)"', answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert re.search(rf"form-action 'self' (http://127\S+ )?{leads_to};", policy)
    assert answer.headers["Cache-Control"] == "no-store"
    style = get(requests.compat.urljoin(answer.url, re.findall(r'href="([^"]+pay\.css)"', answer.text)[0]))
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"number": "4242 4242 4242 4241"}, "incorrect_number"),
        ({"number": "hello"}, "incorrect_number"),
        ({"number": "4970 1011 2233 4456"}, "incorrect_number"),
        ({"number": "5105 1051 0510 5100"}, "test_mode_live_card"),
        ({"expiry": "13/30"}, "invalid_expiry"),
        ({"expiry": "soon"}, "invalid_expiry"),
        ({"cvc": "12"}, "invalid_cvc"),
    ],
)
def test_a_mistyped_card_is_no_attempt(bank: FakeStripe, form: dict[str, str], problem: str) -> None:
    gateway, page = opened(bank)
    good = {"number": person.GOOD, "expiry": "12/34", "cvc": "123", "name": "A"}
    answer = requests.post(page.url, data={**good, **form}, allow_redirects=False, timeout=10)
    target = requests.compat.urljoin(page.url, answer.headers["Location"])
    assert target.endswith(f"?problem={problem}")
    assert PROBLEMS["en"][problem] in get(target).text
    assert gateway.checkout(page.ref).charge is None


def test_an_invented_problem_is_not_shown(bank: FakeStripe) -> None:
    _, page = opened(bank)
    assert "alert" not in get(page.url + "?problem=<script>").text


def test_an_expired_card_by_its_date(bank: FakeStripe) -> None:
    _, page = opened(bank)
    assert person.type_card(page.url, person.GOOD, expiry="01/20").endswith("problem=expired_card")


def test_twenty_presses_of_the_button_are_one_payment(bank: FakeStripe) -> None:
    _, page = opened(bank)
    with ThreadPoolExecutor(20) as crowd:
        ends = set(crowd.map(lambda _: person.type_card(page.url, person.GOOD), range(20)))
    assert ends == {"http://shop.example:8000/ok"}
    assert len(bank.store.where("charge")) == 1


def test_a_second_answer_to_the_bank_changes_nothing(bank: FakeStripe) -> None:
    gateway, page = opened(bank)
    challenge = person.type_card(page.url, person.SECURE)
    person.answer_challenge(challenge)
    assert person.answer_challenge(challenge, "refuse") == "http://shop.example:8000/ok"
    charge = gateway.checkout(page.ref).charge
    assert charge is not None
    assert charge.state == "succeeded"


def test_a_closed_page_says_so(bank: FakeStripe) -> None:
    gateway, page = opened(bank)
    gateway.close_checkout(page.ref)
    answer = get(page.url)
    assert "has expired" in answer.text
    assert 'href="http://shop.example:8000/no"' in answer.text
    assert "<form" not in answer.text


@pytest.mark.parametrize("path", ["/c/cs_test_none", "/3ds/pi_none/x", "/assets/other.css", "/c/../v1/customers"])
def test_unknown_pages(bank: FakeStripe, path: str) -> None:
    assert get(bank.base + path).status_code in (401, 404)


def test_a_guessed_challenge_is_unknown(bank: FakeStripe) -> None:
    _, page = opened(bank)
    challenge = person.type_card(page.url, person.SECURE)
    assert get(challenge.rsplit("/", 1)[0] + "/guess").status_code == 404


def test_both_languages_have_every_text() -> None:
    assert set(TEXTS["en"]) == set(TEXTS["fr"])
    assert set(PROBLEMS["en"]) == set(PROBLEMS["fr"])


@pytest.mark.parametrize(
    ("cents", "english", "french"), [(5, "€0.05", "0,05\u00a0€"), (100000, "€1,000.00", "1\u202f000,00\u00a0€")]
)
def test_money(cents: int, english: str, french: str) -> None:
    assert (money(cents, "en"), money(cents, "fr")) == (english, french)


def _visit(application: Any, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"authorization", b"Bearer sk_test_clause")]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], {name.decode(): text.decode() for name, text in sent[0]["headers"]}, sent[1]["body"]


class TestMountedInThePanel:
    """Who reaches the panel reaches the pages, under whatever name the panel has for them; and nothing else."""

    @pytest.fixture
    def bank(self) -> Iterator[FakeStripe]:
        running = serve("127.0.0.1", 0, None, "", "whsec_tests", mounted_at="/test-bank")
        yield running
        running.stop()

    def test_pages_stand_under_the_panels_own_host(self, bank: FakeStripe) -> None:
        gateway, page = opened(bank)
        assert page.url.startswith("http://shop.example:8000/test-bank/c/cs_test_")
        application = mount.pages(bank.base, "/test-bank")
        status, headers, body = _visit(application, "GET", page.url.removeprefix("http://shop.example:8000"))
        assert (status, b"<form" in body) == (200, True)
        assert "default-src 'none'" in headers["content-security-policy"]
        form = b"number=4000000000003220&expiry=12%2F34&cvc=123&name=A"
        status, headers, _ = _visit(application, "POST", page.url.removeprefix("http://shop.example:8000"), form)
        assert status == 303
        challenge = headers["location"]
        assert challenge.startswith("http://shop.example:8000/test-bank/3ds/")
        status, headers, _ = _visit(
            application, "POST", challenge.removeprefix("http://shop.example:8000"), b"answer=authorise"
        )
        assert headers["location"].startswith(page.url + "/return?")
        charge = gateway.checkout(page.ref).charge
        assert charge is not None
        assert charge.state == "succeeded"

    @pytest.mark.parametrize(
        "path", ["/test-bank/v1/customers", "/test-bank/_control/log", "/test-bank/", "/test-bank/c/../v1/x"]
    )
    def test_neither_the_api_nor_the_control_side(self, bank: FakeStripe, path: str) -> None:
        status, _, body = _visit(mount.pages(bank.base, "/test-bank"), "GET", path)
        assert status in (401, 404)
        assert b"calls" not in body

    def test_without_the_bank(self) -> None:
        status, _, _ = _visit(mount.pages("http://127.0.0.1:9", "/test-bank"), "GET", "/test-bank/c/cs_test_x")
        assert status == 503


@pytest.mark.parametrize(("language", "title"), [("en", "Card refused"), ("fr", "Carte refusée")])
def test_a_refusal_is_read_even_when_the_merchant_has_closed_the_page_meanwhile(
    bank: FakeStripe, language: str, title: str
) -> None:
    gateway, page = opened(bank, language=language)
    target = person.type_card(page.url, person.DECLINED)
    gateway.close_checkout(page.ref)
    answer = get(target)
    assert f"<h1>{title}</h1>" in answer.text
    assert PROBLEMS[language]["declined"] in answer.text
    assert TEXTS[language]["closed"] not in answer.text
    assert f"<h1>{TEXTS[language]['closed']}</h1>" in get(page.url).text
