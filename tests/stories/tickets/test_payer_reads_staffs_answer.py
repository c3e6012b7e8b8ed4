"""As a contact who may pay but sees no requests I am mailed what staff answers in the dispute that I began (TIC-6)."""

import pytest

from invoicing.models import Invoice
from tests.support.owing import owe_overage
from tests.support.shop import Shop
from tests.support.world import Customer, World
from tickets import contests, conversation
from tickets.models import Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(world: World, shop: Shop) -> Customer:
    return world.customer()


@pytest.fixture
def owed(world: World, shop: Shop, alice: Customer) -> Invoice:
    return owe_overage(world, shop, alice)[0]


def answered(world: World, invoice: Invoice, by: Customer, *, internal: bool = False) -> dict[str, str]:
    """Who is mailed what when staff answers the dispute that somebody began."""
    contest = contests.open_contest(invoice, None, why="Not mine.", actor=by.actor, via="web", now=world.now)
    conversation.reply(
        Ticket.objects.get(number=contest.reference), "Which server do you mean?", actor=world.staff("billing"),
        via="web", internal=internal, now=world.now,
    )  # fmt: skip
    return {one.content.to: one.content.body for one in world.mails("ticket_reply")}


def test_the_payer_and_who_sees_requests_are_told(world: World, alice: Customer, owed: Invoice) -> None:
    carl = world.contact(alice, ["see", "pay"])
    told = answered(world, owed, carl)
    assert set(told) == {alice.user.email, carl.user.email}
    assert "Which server do you mean?" in told[carl.user.email]
    assert f"/billing/invoices/{owed.number}/" in told[carl.user.email]
    assert "You can answer this mail" not in told[carl.user.email], "it would not land in the thread"
    assert "You can answer this mail" in told[alice.user.email]
    (mail,) = [one for one in world.mails("ticket_reply") if one.content.to == carl.user.email]
    assert not mail.content.reply_to


def test_who_sees_requests_is_told_once(world: World, alice: Customer, owed: Invoice) -> None:
    assert set(answered(world, owed, alice)) == {alice.user.email}


def test_a_note_among_staff_is_nobodys(world: World, alice: Customer, owed: Invoice) -> None:
    assert answered(world, owed, world.contact(alice, ["see", "pay"]), internal=True) == {}


def test_who_may_pay_no_longer_is_told_nothing(world: World, alice: Customer, owed: Invoice) -> None:
    carl = world.contact(alice, ["see", "pay"])
    contest = contests.open_contest(owed, None, why="Not mine.", actor=carl.actor, via="web", now=world.now)
    alice.account.memberships.filter(user=carl.user).update(permissions=["see"])
    conversation.reply(
        Ticket.objects.get(number=contest.reference), "Hm?", actor=world.staff("billing"), via="web", now=world.now
    )
    assert [one.content.to for one in world.mails("ticket_reply")] == [alice.user.email]
