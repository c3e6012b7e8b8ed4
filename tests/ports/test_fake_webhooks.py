"""Webhooks of the fake: signed, at least once, as badly as the seed says; what never came is found by asking."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from invoicing.gateways import NewCustomer
from invoicing.gateways.fake import FakeStripe, serve, weather
from invoicing.gateways.stripe import StripeGateway
from tests.support import bank as person
from tests.support.bank import Door

SECRET = "whsec_tests"
BEGINNING = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def door() -> Iterator[Door]:
    with person.open_door() as opened:
        yield opened


@pytest.fixture
def bank(door: Door) -> Iterator[FakeStripe]:
    running = serve("127.0.0.1", 0, None, door.url, SECRET, first_wait=0.1)
    yield running
    running.stop()


@pytest.fixture
def gateway(bank: FakeStripe) -> StripeGateway:
    return StripeGateway(api_key=bank.api_key, webhook_secret=SECRET, api_base=bank.base)


def customers(gateway: StripeGateway, number: int) -> None:
    """Something to tell about: each makes one event."""
    for each in range(number):
        gateway.create_customer(NewCustomer(str(each), "A", "a@example.org"), key=f"customer-{each}")


def told(door: Door) -> list[str]:
    return [json.loads(body)["id"] for body, _ in door.received]


def test_every_event_comes_signed(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    customers(gateway, 3)
    door.wait_for(3)
    events = [
        gateway.parse_webhook(body, {"Stripe-Signature": header}, now=datetime.now(UTC))
        for body, header in door.received
    ]
    assert [event.id for event in events] == [event.id for event in gateway.list_events(BEGINNING)]
    assert {event.kind for event in events} == {"customer.created"}


def test_a_refused_one_comes_again_with_the_same_id(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    door.statuses = [500, 302, 404]
    customers(gateway, 1)
    door.wait_for(4)
    assert len(set(told(door))) == 1
    deliveries = _settled(bank)
    assert [(row["attempts"], row["state"], row["status"]) for row in deliveries] == [(4, "done", 200)]


def _settled(bank: FakeStripe) -> list[dict[str, object]]:
    waited = threading.Event()
    for _ in range(100):
        rows: list[dict[str, object]] = bank.control("log")["deliveries"]
        if all(row["state"] != "pending" for row in rows):
            return rows
        waited.wait(0.05)
    raise AssertionError(f"still pending: {rows}")


def test_it_gives_up_after_three_days(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    bank.control("deliveries", paused=True)
    customers(gateway, 1)
    door.statuses = [500] * 100
    tries = 0
    for _ in range(200):
        bank.control("deliver")
        bank.control("clock", advance=3600)
        if len(door.received) == tries:
            break
        tries = len(door.received)
    assert 72 <= tries <= 90
    assert bank.control("log")["deliveries"][0]["state"] == "failed"


def test_twice(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    bank.control("weather", seed=1, twice=1.0, longest=0.2)
    customers(gateway, 5)
    door.wait_for(10)
    assert sorted(told(door)) == sorted([event.id for event in gateway.list_events(BEGINNING)] * 2)


def test_never_and_found_by_asking(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    bank.control("weather", seed=1, never=1.0)
    customers(gateway, 3)
    bank.control("deliver")
    assert door.received == []
    assert len(list(gateway.list_events(BEGINNING))) == 3


def test_out_of_order(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    bank.control("deliveries", paused=True)
    bank.control("weather", seed=3, shuffle=True)
    customers(gateway, 8)
    bank.control("deliver")
    happened = [event.id for event in gateway.list_events(BEGINNING)]
    assert sorted(told(door)) == sorted(happened)
    assert told(door) != happened


def test_late_by_the_providers_clock(bank: FakeStripe, gateway: StripeGateway, door: Door) -> None:
    bank.control("deliveries", paused=True)
    bank.control("weather", seed=1, late=1.0, longest=7200)
    customers(gateway, 4)
    bank.control("deliver")
    assert door.received == []
    bank.control("clock", advance=7201)
    bank.control("deliver")
    assert len(door.received) == 4


def test_bad_weather_can_be_had_again() -> None:
    bad = {"seed": 7, "late": 0.5, "twice": 0.4, "never": 0.2, "longest": 60.0}
    first = [weather.delays(bad, number) for number in range(500)]
    assert first == [weather.delays(bad, number) for number in range(500)]
    assert first != [weather.delays({**bad, "seed": 8}, number) for number in range(500)]
    lost = sum(not delays for delays in first)
    twice = sum(len(delays) == 2 for delays in first)
    assert 60 < lost < 140
    assert 110 < twice < 210
    assert all(0 <= delay <= 120 for delays in first for delay in delays)
    assert weather.delays({}, 1) == [0.0]


def test_a_merchant_that_is_away(bank: FakeStripe, gateway: StripeGateway) -> None:
    """Nobody listens: the deliveries wait, and the bank goes on working."""
    bank.store.webhook_url = "http://127.0.0.1:9/hooks/"
    customers(gateway, 2)
    bank.control("deliver")
    rows = bank.control("log")["deliveries"]
    assert {row["state"] for row in rows} == {"pending"}
    assert all(row["attempts"] >= 1 and row["status"] == 0 for row in rows)
