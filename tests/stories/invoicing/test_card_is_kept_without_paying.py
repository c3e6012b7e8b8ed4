"""As a customer I keep a card at the provider's page without paying; its number never passes here (INV-3, INV-5)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from invoicing.models import CardSetup, PaymentMethod
from invoicing.paying import card_setup, means
from panel.core.models import Event, Operation
from tests.support import bank as person
from tests.support.shop import Shop
from tests.support.till import Till, open_till
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db
PAGE = "http://testserver/billing/means/?back=1"


@pytest.fixture
def till(world: World, shop: Shop, settings: Any) -> Iterator[Till]:
    with open_till(world, shop, settings) as opened:
        yield opened


def begun(till: Till, world: World, alice: Customer, key: str = "form-1") -> CardSetup:
    till.sync()
    setup = card_setup.begin(alice.account, return_url=PAGE, key=key, actor=alice.actor, now=world.now)
    world.work()
    setup.refresh_from_db()
    return setup


def test_kept_once_whoever_tells_it(till: Till, world: World) -> None:
    """The customer comes back and the provider tells it too: one card, the default one."""
    alice = world.customer()
    setup = begun(till, world, alice)
    assert (setup.state, bool(setup.action_url)) == ("waiting", True)
    person.type_card(setup.action_url, person.GOOD)
    card_setup.came_back(setup, now=world.now)
    world.work()
    till.deliver()
    world.work()
    card = PaymentMethod.objects.get(account=alice.account)
    assert (card.last4, card.is_default) == (person.GOOD[-4:], True)
    setup.refresh_from_db()
    assert (setup.state, setup.method, setup.action_url) == ("done", card, "")


def test_what_is_never_changed_holds_no_card_and_no_page(till: Till, world: World) -> None:
    """PRV-4: the last digits, the expiry and the provider's pages stand on rows that can be erased, nowhere else."""
    alice = world.customer()
    setup = begun(till, world, alice)
    person.type_card(setup.action_url, person.GOOD)
    card_setup.came_back(setup, now=world.now)
    world.work()
    payment = till.buy(alice, keep=True)
    assert payment.state == "succeeded"
    for card in PaymentMethod.objects.filter(account=alice.account):
        means.make_default(card, actor=alice.actor, now=world.now)
        means.remove(card, actor=alice.actor, now=world.now)
    world.work()
    results = list(Operation.objects.filter(kind__startswith="payments.").values_list("kind", "result"))
    assert {"payments.open_setup", "payments.look_setup", "payments.open", "payments.look"} <= {
        kind for kind, _ in results
    }
    kept = json.dumps([results, list(Event.objects.values_list("kind", "data"))])
    assert [word for word in (person.GOOD[-4:], "last4", "exp_year", "http:", "url") if word in kept] == []
    assert {"checkout", "method"} <= {name for _, result in results for name in result}  # ids stay


def test_the_message_alone_is_enough(till: Till, world: World) -> None:
    alice = world.customer()
    person.type_card(begun(till, world, alice).action_url, person.GOOD)
    till.deliver()
    world.work()
    assert PaymentMethod.objects.filter(account=alice.account).count() == 1


def test_a_double_click_opens_one_page(till: Till, world: World) -> None:
    alice = world.customer()
    assert begun(till, world, alice) == begun(till, world, alice)


def test_coming_back_without_a_card_keeps_none(till: Till, world: World) -> None:
    alice = world.customer()
    setup = begun(till, world, alice)
    card_setup.came_back(setup, now=world.now)
    world.work()
    setup.refresh_from_db()
    assert setup.state == "waiting"
    assert not PaymentMethod.objects.exists()


def test_a_removed_card_pays_nothing_any_more(till: Till, world: World) -> None:
    alice = world.customer()
    person.type_card(begun(till, world, alice).action_url, person.GOOD)
    till.deliver()
    world.work()
    means.remove(PaymentMethod.objects.get(), actor=alice.actor, now=world.now)
    world.work()
    assert not PaymentMethod.objects.filter(removed_at=None).exists()
    assert world.failed_operations() == []
