"""Who lives in the demo world, and how they act: always through the use cases a page would call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import transaction

from invoicing.funding import topping_up
from invoicing.models import Order
from invoicing.paying import collecting, payments
from invoicing.subscribing import ordering
from panel.accounts import contacts, profile, terms_in_force
from panel.accounts.models import Account, StaffRole, User, actor_of
from panel.accounts.signup import AccountData, open_account
from panel.core.actors import Actor
from panel.demo.logins import Login, new_password
from panel.demo.walk import Walk
from servers import keys
from servers.models import Server


@dataclass
class Person:
    """A customer or a member of staff, and the password printed for them."""

    user: User
    account: Account | None
    login: Login

    @property
    def actor(self) -> Actor:
        return actor_of(self.user, account_id=self.account.pk if self.account else None)

    @property
    def client(self) -> Account:
        if self.account is None:
            raise ValueError(f"{self.user} is staff")
        return self.account


def _user(who: str, name: str, email: str, language: str, now: datetime) -> tuple[User, Login]:
    password = new_password()
    user = User.objects.create_user(
        email, password, name=name, language=language, phone="+33 1 84 00 00 00", created_at=now, confirmed_at=now
    )
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user, Login(who, email, password)


@transaction.atomic
def customer(who: str, name: str, email: str, *, now: datetime, language: str = "en", **data: Any) -> Person:
    """A confirmed customer with an account."""
    user, login = _user(who, name, email, language, now)
    fields = {"phone": user.phone, "kind": Account.Kind.BUSINESS, **data}
    account = open_account(
        user, AccountData(name=name, **fields), accepted=True, ip="192.0.2.44", now=now, language=language
    )
    return Person(user, account, login)


def bills_to(person: Person, contact: str, order_number: str, *, now: datetime) -> None:
    """Who gets the invoices, and the order number they must carry."""
    kept = {name: getattr(person.client, name) for name in profile.ACCOUNT}
    wanted = kept | {"billing_contact": contact, "buyer_reference": order_number}
    profile.change_account(person.client.pk, wanted, actor=person.actor, now=now)
    person.client.refresh_from_db()


@transaction.atomic
def contact(of: Person, who: str, name: str, email: str, permissions: Sequence[str], *, now: datetime) -> Person:
    """A contact of a customer's account, invited and with a password chosen."""
    membership = contacts.invite(
        of.client, email=email, name=name, wanted=permissions, actor=of.actor, link="/account/", now=now
    )
    password = new_password()
    membership.user.set_password(password)
    membership.user.confirmed_at = now
    membership.user.save()
    return Person(membership.user, of.account, Login(who, email, password))


@transaction.atomic
def staff(who: str, name: str, email: str, *roles: str, now: datetime) -> Person:
    """Staff, with the second factor that the panel demands of them."""
    user, login = _user(who, name, email, "en", now)
    StaffRole.objects.bulk_create([StaffRole(user=user, role=role) for role in roles])
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    return Person(user, None, login)


def public_key(comment: str) -> str:
    """A key pair of which nobody keeps the private half."""
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} {comment}"


@dataclass
class Shopper:
    """Orders, goes to the bank's page and pays there, as a browser would."""

    walk: Walk
    bank: str

    def key(self, person: Person, name: str) -> int:
        return keys.add(person.client, name=name, public_key=public_key(name), actor=person.actor, now=self.walk.now).pk

    def buy(
        self, person: Person, package: str, *, name: str, key_ids: Sequence[int], addresses: int = 0,
        interval: str = "month",
    ) -> Server:  # fmt: skip
        """Order, pay by card (kept for renewals), and wait until the machine runs."""
        order = self.order(person, package, name=name, key_ids=key_ids, addresses=addresses, interval=interval)
        self.pay(person, order)
        return Server.objects.get(subscription__order=order)

    def pay(self, person: Person, order: Order) -> None:
        """From the card on file, or at the bank's page by one that is kept for renewals."""
        key = f"demo:{order.reference}"
        if (card := collecting.default_means(person.client)) is not None:
            payments.pay_order(order, method=card, key=key, actor=person.actor, now=self.walk.now)
            self.walk.settle()
            order.refresh_from_db()
            return
        payment = payments.pay_order(
            order, return_url=f"{settings.CLAUSE_BASE_URL}/services/orders/{order.reference}/", keep=True,
            key=key, actor=person.actor, now=self.walk.now,
        )  # fmt: skip
        self.walk.settle()
        payment.refresh_from_db()
        card_entered(self.bank, payment.action_url, person)
        payments.came_back(payment, now=self.walk.now)
        self.walk.settle()
        order.refresh_from_db()

    def top_up(self, person: Person, cents: int) -> None:
        """Add funds from the kept card (INV-6)."""
        method = collecting.default_means(person.client)
        key = f"demo:{cents}"
        topping_up.begin(person.client, cents, key=key, actor=person.actor, now=self.walk.now, method=method)
        self.walk.settle()

    def order(
        self, person: Person, package: str, *, name: str, key_ids: Sequence[int], addresses: int = 0,
        interval: str = "month", promotion: str = "",
    ) -> Order:  # fmt: skip
        """Place an order, and leave it unpaid."""
        wanted: dict[str, Any] = {"name": name, "keys": list(key_ids), "options": {}}
        if addresses:
            wanted["options"] = {"vps-address": addresses}
        return ordering.place(
            person.client, package, interval, wanted,
            accepted=terms_in_force.at(person.client, self.walk.now).order_documents, ip="192.0.2.44",
            actor=person.actor, key=f"demo:{person.client.pk}:{name}", now=self.walk.now,
            promotion=promotion,
        )  # fmt: skip


CARDS = {"DE": "4000 0027 6000 0016"}
FRENCH_CARD = "4242 4242 4242 4242"


def card_entered(bank: str, page: str, holder: Person) -> None:
    """The customer types a test card of their country at the simulated bank's page; RuntimeError when it is not
    taken."""
    at = urlsplit(bank)
    path = "/c/" + urlsplit(page).path.rpartition("/c/")[2]
    number = CARDS.get(holder.client.country, FRENCH_CARD)
    form = urlencode({"number": number, "expiry": "12 / 34", "cvc": "123", "name": holder.user.name})
    connection = HTTPConnection(at.hostname or "", at.port, timeout=10)
    try:
        connection.request("POST", path, form, {"Content-Type": "application/x-www-form-urlencoded"})
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != HTTPStatus.SEE_OTHER:
        raise RuntimeError(f"the bank's page answered {status}")
