"""The people who open pages: nobody in particular, an owner, a contact who may only look, another customer, staff of
every role with and without a second factor; and a world in which each kind of object exists once."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.test import Client

from abuse.models import Report
from invoicing.banking import bank_files
from invoicing.debiting import batches
from invoicing.funding import topping_up
from invoicing.models import (
    BankReceipt,
    Debit,
    DraftInvoice,
    Invoice,
    Mandate,
    ManualPayment,
    Order,
    OrderReview,
    Package,
    Payment,
    PaymentMethod,
    Quote,
    Subscription,
    TopUp,
)
from invoicing.paying import payments
from invoicing.paying.payments import Finding
from invoicing.quoting import quotes
from invoicing.reviewing import standing
from invoicing.selling_by_hand import manual_sales
from panel.accounts import approvals, tokens
from panel.accounts.middleware import ACCOUNT_IN_SESSION
from panel.accounts.models import Account, ApiToken, Membership, User
from panel.core import secrets
from panel.core.actors import SYSTEM, Actor
from panel.core.calendars import paris_date
from panel.core.models import MailMessage, Operation
from servers import keys
from servers.models import Server, SshKey
from tests.support.bank_statement import statement
from tests.support.debiting import signed
from tests.support.desk import Desk
from tests.support.shop import Shop, open_shop
from tests.support.world import Customer, World
from tickets import conversation
from tickets.models import Attachment, Ticket

ROLES = ("support", "billing", "abuse", "infrastructure", "administrator")
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl alice@laptop"


@dataclass
class Scene:
    """A world with one of everything, all of it Alice's, except what says otherwise."""

    world: World
    owner: Customer
    limited: Customer
    stranger: Customer
    server: Server
    order: Order
    paid: Order
    top_up: TopUp
    payment: Payment
    bank_receipt: BankReceipt
    by_hand: ManualPayment
    subscription: Subscription
    invoice: Invoice
    ticket: Ticket
    attachment: Attachment
    case: Any
    report: Report
    reporter: Any
    key: SshKey
    means: PaymentMethod
    token: ApiToken
    contact: Membership
    operation: Operation
    mail: MailMessage
    approval: Any
    quote: Quote
    draft: DraftInvoice
    review: OrderReview
    mandate: Mandate
    debit: Debit


def scene() -> Scene:
    """Build it through the use cases (needs a simulated place)."""
    world = World()
    owner, stranger = world.customer("Alice"), world.customer("Mallory")
    limited = world.contact(owner, ["see"], name="Lim")
    shop = open_shop(world)
    subscription = shop.buy(owner, name="web-1")
    for _ in range(3):
        world.advance(seconds=10)
    server = Server.objects.get(subscription=subscription)
    order = shop.order(owner, name="web-2")
    desk = Desk(world)
    desk.report("203.0.113.99", to="abuse@clause.example")
    with transaction.atomic():
        ticket = conversation.open_ticket(
            owner.account, department="support", title="A question", body="How?", actor=owner.actor, via="web",
            now=world.now,
            attachments=[conversation.File("note.txt", "text/plain", b"hello")],
        )  # fmt: skip
        key = keys.add(owner.account, name="laptop", public_key=PUBLIC_KEY, actor=owner.actor, now=world.now)
        token, _secret = tokens.issue(
            Membership.objects.get(user=owner.user),
            name="script",
            scopes=["see"],
            lives=None,
            actor=owner.actor,
            now=world.now,
        )
        approval = approvals.ask(
            "test.release",
            key="approval-1",
            summary="Release it",
            needed=2,
            now=world.now,
            actor=SYSTEM,
            account=owner.account,
        )
    case = desk.case(server)
    quote = _quote(world, owner)
    draft = manual_sales.draw_up(owner.account, reference="PO-1", now=world.now, actor=SYSTEM)
    manual_sales.add_line(draft, "Advice", quantity=Decimal(1), unit_price=Decimal(80), unit="h")
    means = PaymentMethod.objects.create(
        account=owner.account, provider="stripe", ref="pm_1", kind="card", brand="visa", last4="4242", exp_month=12,
        exp_year=2034, is_default=True, added_at=world.now,
    )  # fmt: skip
    assert subscription.order is not None
    payment = topping_up.begin(owner.account, 5_000, key="top-up", actor=owner.actor, now=world.now, method=means)
    billing = world.staff("billing")
    bank_files.take_in(statement((1_000, "no reference")), name="bank.xml", actor=billing, now=world.now)
    by_hand = manual_sales.record_payment(
        owner.account, 700, means="cheque", reference="CHQ 1", received_on=date(2026, 3, 2), invoice=None,
        now=world.now, actor=billing,
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(provider_ref="pi_1")
    payments.conclude(payment.pk, Finding("succeeded", "pi_1", 5_000), now=world.now)
    mandate, debit = signed(world, owner, default=False), _debit(world, stranger)
    return Scene(
        world=world, owner=owner, limited=limited, stranger=stranger, server=server, order=order,
        paid=subscription.order, top_up=TopUp.objects.get(), payment=Payment.objects.get(pk=payment.pk),
        bank_receipt=BankReceipt.objects.get(), by_hand=by_hand,
        subscription=subscription, invoice=Invoice.objects.get(account=owner.account), ticket=ticket,
        attachment=Attachment.objects.get(), case=case, report=Report.objects.get(case=None), reporter=desk.reporter,
        key=key,
        means=means, token=token, contact=Membership.objects.get(user=limited.user),
        operation=Operation.objects.filter(account_id=owner.account.pk).order_by("pk")[0],
        mail=MailMessage.objects.order_by("pk")[0], approval=approval, quote=quote, draft=draft,
        review=_review(world, shop, stranger), mandate=mandate, debit=debit,
    )  # fmt: skip


def _review(world: World, shop: Shop, competitor: Customer) -> OrderReview:
    """An order that waits for a person."""
    standing.mark_competitor(competitor.account, True, why="Sells the same.", actor=SYSTEM, now=world.now)
    return OrderReview.objects.get(order=shop.order(competitor, name="web-3"))


def _debit(world: World, stranger: Customer) -> Debit:
    """Of the other customer, in a file that waits to be handed over."""
    signed(world, stranger)
    draft = manual_sales.draw_up(stranger.account, reference="", now=world.now, actor=SYSTEM)
    manual_sales.add_line(draft, "Advice", quantity=Decimal(1), unit_price=Decimal(80), unit="h")
    manual_sales.issue(draft, now=world.now, actor=SYSTEM)
    world.work()
    until = paris_date(world.now) + timedelta(days=21)
    batches.make(key="scene", until=until, actor=world.staff("billing"), now=world.now)
    return Debit.objects.select_related("batch").get()


def _quote(world: World, owner: Customer) -> Quote:
    """A quote with a line of each kind, sent."""
    asked = {"now": world.now, "actor": SYSTEM}
    quote = quotes.draw_up(owner.account, "A shop", valid_until=date(2026, 3, 31), our_manager="Sam", **asked)
    quotes.add_line(quote, "Migration", quantity=Decimal(2), unit_price=Decimal(80), unit="h")
    package = Package.objects.get(code="vps-m")
    quotes.add_line(quote, "", quantity=Decimal(1), unit_price=Decimal(9), package=package, interval="month")
    quotes.send(quote, **asked)
    world.work()
    return Quote.objects.get(pk=quote.pk)


def logged_in(user: User, account: Account | None = None, *, host: str = "127.0.0.1") -> Client:
    """A browser of `user`, working in `account`."""
    client = Client(headers={"host": host})
    client.force_login(user)
    if account is not None:
        session = client.session
        session[ACCOUNT_IN_SESSION] = account.pk
        session.save()
    return client


def second_factor(user: User) -> None:
    """Give a person an authenticator app."""
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.TOTP, data={"secret": secrets.encrypt("JBSWY3DPEHPK3PXP")}
    )


def staff(world: World, role: str, *, secured: bool = True) -> User:
    """A member of staff; unless `secured`, without a second factor."""
    actor: Actor = world.staff(role, name=role.capitalize())
    user = User.objects.get(pk=actor.user_id)
    if secured:
        second_factor(user)
    return user


def browsers(made: Scene) -> dict[str, Client]:
    """One browser for each persona, by the names the table of expectations uses."""
    found = {
        "anonymous": Client(headers={"host": "127.0.0.1"}),
        "owner": logged_in(made.owner.user, made.owner.account),
        "limited": logged_in(made.limited.user, made.limited.account),
        "stranger": logged_in(made.stranger.user, made.stranger.account),
    }
    for role in ROLES:
        found[role] = logged_in(staff(made.world, role))
    found["unsecured"] = logged_in(staff(made.world, "administrator", secured=False))
    return found
