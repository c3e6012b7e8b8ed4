"""As a program with a token I buy a prepaid pack (OPR-9), and offer, take over, decline and withdraw a running service
as its pages do (SUB-2, SUB-4)."""

import pytest
from django.core.cache import cache

from invoicing.models import ONCE, Order, ServiceTransfer, Subscription
from invoicing.transferring import transfers
from panel.accounts.models import Acceptance
from panel.core import clock
from tests.pages.test_api import Program, problem, token_of
from tests.pages.test_lists_stay_fast import same_cost
from tests.support import relay
from tests.support.shop import Shop
from tests.support.world import Customer, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    cache.clear()
    made = World()
    made.now = clock.now()
    return made


@pytest.fixture
def alice(world: World) -> Customer:
    return world.customer()


@pytest.fixture
def bob(world: World) -> Customer:
    return world.customer("Bob")


@pytest.fixture
def row(shop: Shop, alice: Customer) -> Subscription:
    return shop.buy(alice, addresses=1)


# --- packs ----------------------------------------------------------------------------------------------------------
def test_a_pack_is_found_priced_and_ordered_once(world: World, shop: Shop, alice: Customer) -> None:
    relay.messages(world)
    relay.pack(500)
    program = Program(token_of(alice))
    (offered,) = [one for one in program.get("/packages").json() if one["prices_cents"].keys() == {ONCE}]
    assert (offered["code"], offered["prices_cents"]["once"], offered["spec"]["units"]) == ("pack-500", 2_000, "500")
    wish = {"package": "pack-500", "interval": "once"}
    price = program.post("/orders/preview", wish).json()
    assert (price["net_cents"], price["vat_cents"]) == (2_000, 400)
    order = {**wish, "accepted": price["accept"]}
    body = problem(program.post("/orders", {**order, "accepted": []}), 422, "rule")
    assert (body["rule"], body["field"]) == ("SUB-2", "accept")
    first = program.post("/orders", order, key="pack")
    assert (first.status_code, first.json()["interval"], first.json()["total_cents"]) == (201, "once", 2_400)
    assert program.post("/orders", order, key="pack").json() == first.json()
    assert Order.objects.filter(interval=ONCE).count() == 1


def test_a_pack_is_no_service_and_a_service_no_pack(world: World, shop: Shop, alice: Customer) -> None:
    relay.messages(world)
    relay.pack(500)
    program = Program(token_of(alice))
    for package, interval, rule in (("pack-500", "month", "SUB-1"), ("vps-s", "once", "OPR-9")):
        body = problem(program.post("/orders/preview", {"package": package, "interval": interval}), 422, "rule")
        assert (body["rule"], body["field"]) == (rule, "package")
    body = problem(program.post("/orders/preview", {"package": "pack-500", "interval": "once", "trial": True,
                                                    "options": {"nothing": 1}}), 422, "rule")  # fmt: skip
    assert body["field"] == "nothing"
    problem(program.post("/orders/preview", {"package": "pack-500", "interval": "week"}), 422, "validation")


# --- transfers ------------------------------------------------------------------------------------------------------
def test_a_service_is_offered_and_taken_over_once(
    world: World, row: Subscription, alice: Customer, bob: Customer
) -> None:
    giver, receiver = Program(token_of(alice)), Program(token_of(bob))
    asked = {"to": bob.account.reference, "reason": "We sold the shop."}
    path = f"/subscriptions/{row.reference}/transfer"
    body = problem(giver.post(path, {**asked, "reason": " "}), 422, "rule")
    assert (body["rule"], body["field"]) == ("SUB-4", "reason")
    problem(receiver.post(path, asked), 404, "missing")
    first = giver.post(path, asked, key="offer")
    assert first.status_code == 201, first.content
    assert giver.post(path, asked, key="offer").json() == first.json()
    problem(giver.post(path, asked, key="again"), 409, "rule")
    made = ServiceTransfer.objects.get()
    (listed,) = receiver.get("/transfers").json()["items"]
    assert (listed["reference"], listed["gives"], listed["state"]) == (made.reference, False, "offered")
    offer = receiver.get(f"/transfers/{made.reference}").json()
    assert (offer["period_cents"], offer["then_cents"], offer["refusal"]) == (790, 790, "")
    assert offer["included"] == [{"meter": "traffic", "left": "1000", "unit": "GB"}]
    assert "included" not in giver.get(f"/transfers/{made.reference}").json()
    answer = f"/transfers/{made.reference}/accept"
    problem(giver.post(answer, {"accepted": offer["accept"]}), 404, "missing")
    body = problem(receiver.post(answer, {"accepted": []}), 422, "rule")
    assert (body["rule"], body["field"]) == ("SUB-2", "accept")
    for _ in range(2):
        taken = receiver.post(answer, {"accepted": offer["accept"]}, key="take")
        assert (taken.status_code, taken.json()["state"]) == (200, "accepted")
    row.refresh_from_db()
    assert row.account == bob.account
    assert Acceptance.objects.get(account=bob.account, subject_id=made.pk).ip == "127.0.0.1"
    assert [one["reference"] for one in receiver.get("/subscriptions").json()["items"]] == [row.reference]
    problem(giver.get(f"/subscriptions/{row.reference}"), 404, "missing")
    assert giver.get(f"/transfers/{made.reference}").json()["state"] == "accepted"


def test_withdrawn_by_who_gives_and_declined_by_who_is_asked(
    world: World, row: Subscription, alice: Customer, bob: Customer
) -> None:
    giver, receiver = Program(token_of(alice)), Program(token_of(bob))
    asked, path = {"to": bob.account.reference, "reason": "Sold"}, f"/subscriptions/{row.reference}/transfer"
    first = giver.post(path, asked).json()["reference"]
    problem(receiver.post(f"/transfers/{first}/withdraw", {}), 404, "missing")
    assert giver.post(f"/transfers/{first}/withdraw", {}).json()["state"] == "withdrawn"
    second = giver.post(path, asked).json()["reference"]
    problem(giver.post(f"/transfers/{second}/decline", {}), 404, "missing")
    assert receiver.post(f"/transfers/{second}/decline", {}).json()["state"] == "declined"
    problem(receiver.post(f"/transfers/{second}/accept", {}), 409, "rule")
    row.refresh_from_db()
    assert row.account == alice.account


def test_scopes_and_strangers(world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
    made = transfers.offer(row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now)
    asked = {"to": bob.account.reference, "reason": "Sold"}
    seeing = Program(token_of(alice, "see", "pay"))
    problem(seeing.post(f"/subscriptions/{row.reference}/transfer", asked), 403, "permission")
    problem(seeing.get("/transfers"), 403, "permission")
    problem(Program(token_of(bob, "see", "pay")).post(f"/transfers/{made.reference}/accept", {}), 403, "permission")
    stranger = Program(token_of(world.customer("Carl")))
    problem(stranger.get(f"/transfers/{made.reference}"), 404, "missing")
    assert stranger.get("/transfers").json()["items"] == []


def test_the_list_asks_the_same_for_more_rows(world: World, row: Subscription, alice: Customer, bob: Customer) -> None:
    def more(_number: int) -> None:
        made = transfers.offer(
            row, to=bob.account.reference, reason="Sold", actor=alice.actor, now=world.now, by_staff=True
        )
        transfers.withdraw(made, actor=alice.actor, now=world.now)

    same_cost(Program(token_of(alice)).client, "/api/v1/transfers", more)
