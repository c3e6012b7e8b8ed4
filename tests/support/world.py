"""A small world to tell stories in: one clock that only the story moves, customers, staff, and the worker by hand.

world = World("2026-03-02 09:00")          # Paris time
alice = world.customer("Alice")            # account, owner, confirmed
world.work()                               # carries out every due operation at the world's now
world.advance(hours=48)                    # moves the clock, ticking the sweeps the story asked for
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction

from panel.accounts.models import Account, Membership, StaffRole, User, actor_of
from panel.accounts.signup import AccountData, open_account
from panel.core import calendars, due, operations
from panel.core.actors import Actor
from panel.core.models import MailMessage, Operation

_numbers = count(1)


def paris(text: str) -> datetime:
    """`2026-03-02 09:00` as Paris wall-clock time, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=calendars.PARIS).astimezone(calendars.UTC)


@dataclass
class Customer:
    """A customer of the story: the owner of an account."""

    user: User
    account: Account

    @property
    def actor(self) -> Actor:
        return actor_of(self.user, account_id=self.account.pk)


class World:
    """`now` is the only clock; nothing happens unless the story lets it."""

    def __init__(self, start: str = "2026-03-02 09:00") -> None:
        self.now = paris(start)

    def customer(self, name: str = "Alice", **data: Any) -> Customer:
        """A confirmed customer; a French company unless `data` (AccountData fields) says otherwise."""
        number = next(_numbers)
        fields = {
            "name": name, "phone": "+33 1 00 00 00 00", "kind": "business", "company": f"{name} SAS {number}",
            "country": "FR", "street": "1 rue de la Paix", "postcode": "75002", "city": "Paris",
        } | data  # fmt: skip
        with transaction.atomic():
            user = User.objects.create_user(
                f"{name.lower()}{number}@customer.example", "correct horse battery", name=name, created_at=self.now,
                confirmed_at=self.now,
            )  # fmt: skip
            account = open_account(user, AccountData(**fields), accepted=True, ip="192.0.2.1", now=self.now)
        return Customer(user, account)

    def contact(self, of: Customer, permissions: Sequence[str], name: str = "Carl") -> Customer:
        """A contact of a customer's account with these permissions (ACC-4)."""
        user = User.objects.create_user(
            f"{name.lower()}{next(_numbers)}@contact.example", "correct horse battery", name=name,
            created_at=self.now, confirmed_at=self.now,
        )  # fmt: skip
        Membership.objects.create(user=user, account=of.account, permissions=list(permissions), created_at=self.now)
        return Customer(user, of.account)

    def staff(self, *roles: str, name: str = "Sam") -> Actor:
        """A member of staff with these roles (administrator when none is named)."""
        user = User.objects.create_user(
            f"{name.lower()}{next(_numbers)}@staff.example", "correct horse battery", name=name, created_at=self.now,
            confirmed_at=self.now,
        )  # fmt: skip
        for role in roles or ("administrator",):
            StaffRole.objects.create(user=user, role=role)
        return actor_of(user, account_id=None)

    def work(self, *, rounds: int = 50, kinds: Sequence[str] | None = None) -> int:
        """Carry out what is due now, and what follows from it, until nothing is due at this instant."""
        done = 0
        for _ in range(rounds):
            tried = operations.run_due(self.now, kinds=kinds)
            done += tried
            if not tried:
                break
        return done

    def sweep(self, name: str) -> due.SweepReport:
        """Run one sweep at the world's now; a failing row fails the story."""
        report = due.SWEEPS[name].run(self.now)
        assert not report.failed, report.failed
        return report

    def advance(self, *, sweeps: Sequence[str] = (), **delta: float) -> None:
        """Move the clock; then let the named sweeps and the worker run once."""
        self.now += timedelta(**delta)
        for name in sweeps:
            self.sweep(name)
        self.work()

    def until(self, instant: datetime, *, sweeps: Sequence[str] = ()) -> None:
        """Move the clock to `instant` (never back)."""
        assert instant >= self.now
        self.advance(sweeps=sweeps, seconds=(instant - self.now).total_seconds())

    def mails(self, template: str, account: Account | None = None) -> list[MailMessage]:
        """The mails of a kind, oldest first."""
        rows = MailMessage.objects.filter(template=template).select_related("content").order_by("pk")
        return list(rows.filter(account_id=account.pk) if account else rows)

    @staticmethod
    def failed_operations() -> list[Operation]:
        """The staff's queue."""
        return list(Operation.objects.filter(state=Operation.State.FAILED))
